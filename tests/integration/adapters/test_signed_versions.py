"""Versions that are signed: write access to the bucket is no power over scores."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model import BrokenModelError
from churn.domain.model_signatures import FIELD, Signed, signature_of
from churn.domain.model_versions import RegistryUnavailableError
from churn.services.current_model import CurrentModel
from churn.settings import Settings
from tests.support.clock import FakeClock
from tests.support.events import NOW
from tests.support.registry import BUCKET, model, promote, publish

_KEY = "only-a-test-knows-this-key-of-32-bytes"
_FIRST, _SECOND = model(1), model(2)
Metadata = dict[str, Any]


@pytest.fixture
def signed(s3: Any) -> S3ModelRegistry:
    """Return an empty registry that signs."""
    return S3ModelRegistry(BUCKET, s3, signing_key=_KEY)


def _settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(
        Settings.from_environment({}),
        model_bucket=BUCKET,
        model_signing_key=_KEY,
        model_path=str(tmp_path / "model.npz"),
    )


def _exchange(s3: Any, version: str, change: Callable[[Metadata], None], content: bytes | None = None) -> None:
    """Change what the bucket holds of a version, as whoever may write there could."""
    place = f"models/{version}/metadata.json"
    metadata = json.loads(s3.get_object(Bucket=BUCKET, Key=place)["Body"].read())
    change(metadata)
    s3.put_object(Bucket=BUCKET, Key=place, Body=json.dumps(metadata).encode())
    if content is not None:
        s3.put_object(Bucket=BUCKET, Key=f"models/{version}/model.npz", Body=content)


def _gate(metadata: Metadata) -> None:
    metadata["gate"]["passed"] = not metadata["gate"]["passed"]


def _checksum_of_another(metadata: Metadata) -> None:
    metadata["sha256"] = hashlib.sha256(_SECOND.to_bytes()).hexdigest()


def _unsigned(metadata: Metadata) -> None:
    del metadata["signature"]


def _no_text(metadata: Metadata) -> None:
    metadata["signature"] = ["\ud800"]


def test_what_was_signed_is_promoted_and_loaded(signed: S3ModelRegistry) -> None:
    publish(signed, _FIRST, _SECOND)
    promote(signed, _FIRST)
    promote(signed, _SECOND, force=True)
    assert signed.load(_SECOND.version).version == _SECOND.version
    assert signed.roll_back(by="ann", reason=None, now=NOW).version == _FIRST.version


@pytest.mark.parametrize("change", [_gate, _checksum_of_another, _unsigned, _no_text])
def test_what_was_exchanged_in_the_bucket_is_refused(
    s3: Any, signed: S3ModelRegistry, change: Callable[[Metadata], None]
) -> None:
    publish(signed, _FIRST)
    _exchange(s3, _FIRST.version, change, _SECOND.to_bytes() if change is _checksum_of_another else None)
    with pytest.raises(BrokenModelError, match="is not signed with this service's key"):
        promote(signed, _FIRST, force=True)
    with pytest.raises(BrokenModelError, match="is not signed"):
        signed.load(_FIRST.version)
    assert signed.promotion_state().version is None


def test_a_signed_version_is_no_other_one(s3: Any, signed: S3ModelRegistry) -> None:
    publish(signed, _FIRST, _SECOND)
    for name in ("metadata.json", "model.npz"):
        content = s3.get_object(Bucket=BUCKET, Key=f"models/{_FIRST.version}/{name}")["Body"].read()
        s3.put_object(Bucket=BUCKET, Key=f"models/{_SECOND.version}/{name}", Body=content)
    with pytest.raises(BrokenModelError, match="holds the signed metadata of"):
        promote(signed, _SECOND)


def test_an_exchanged_version_does_not_serve_and_the_one_before_goes_on(
    s3: Any, signed: S3ModelRegistry, tmp_path: Path
) -> None:
    publish(signed, _FIRST, _SECOND)
    promote(signed, _FIRST)
    clock = FakeClock(0.0)
    serving = CurrentModel(_settings(tmp_path), clock=clock)
    promote(signed, _SECOND, force=True)
    _exchange(s3, _SECOND.version, _gate)
    clock.now += 3600
    serving.refresh()
    assert serving.version == _FIRST.version
    assert serving.refused is not None
    assert "is not signed" in serving.refused


def _older_one(_s3: Any, signed: S3ModelRegistry) -> bytes:
    state = signed.promotion_state()
    assert state.before is not None
    return json.dumps({**state.stored(), "version": state.before}).encode()


def _signed_by_another_key(_s3: Any, signed: S3ModelRegistry) -> bytes:
    state = signed.promotion_state().stored()
    return json.dumps({**state, FIELD: signature_of(_KEY[::-1], state, Signed.PROMOTIONS)}).encode()


def _metadata_of_a_version(s3: Any, _signed: S3ModelRegistry) -> bytes:
    content: bytes = s3.get_object(Bucket=BUCKET, Key=f"models/{_FIRST.version}/metadata.json")["Body"].read()
    return content


@pytest.mark.parametrize("forged", [_older_one, _signed_by_another_key, _metadata_of_a_version])
def test_who_may_write_to_the_bucket_does_not_choose_which_version_serves(
    s3: Any, signed: S3ModelRegistry, tmp_path: Path, forged: Callable[[Any, S3ModelRegistry], bytes]
) -> None:
    publish(signed, _FIRST, _SECOND)
    promote(signed, _FIRST)
    promote(signed, _SECOND, force=True)
    clock = FakeClock(0.0)
    serving = CurrentModel(_settings(tmp_path), clock=clock)
    s3.put_object(Bucket=BUCKET, Key="current.json", Body=forged(s3, signed))
    clock.now += 3600
    serving.refresh()
    assert serving.version == _SECOND.version
    assert serving.refused is not None
    assert "current.json is not signed" in serving.refused
    # A promotion believes nothing of it, and puts it right.
    promote(signed, _FIRST)
    assert [promotion.version for promotion in signed.promotion_state().history] == [_FIRST.version]
    clock.now += 3600
    serving.refresh()
    assert serving.version == _FIRST.version
    assert (serving.refused or "") == ""


def test_versions_from_before_and_of_another_key_are_refused_once_signatures_are_asked_for(
    registry: S3ModelRegistry, s3: Any, signed: S3ModelRegistry
) -> None:
    publish(registry, _FIRST)
    publish(S3ModelRegistry(BUCKET, s3, signing_key=_KEY[::-1]), _SECOND)
    for version in (_FIRST, _SECOND):
        promote(registry, version, force=True)
        with pytest.raises(BrokenModelError, match="is not signed"):
            signed.load(version.version)


def test_a_key_that_could_be_guessed_signs_nothing(s3: Any) -> None:
    with pytest.raises(RegistryUnavailableError, match="at least 32 characters"):
        publish(S3ModelRegistry(BUCKET, s3, signing_key="secret"), _FIRST)
