"""`make models`, `make promote` and `make rollback`, on moto's S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model import BrokenModelError
from churn.services.training_runs import release
from infra.tools.models import main
from tests.support.events import NOW
from tests.support.registry import BUCKET, model


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "MODEL_BUCKET": BUCKET,
        "CHURN_STATE_DIR": str(tmp_path),
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }.items():
        monkeypatch.setenv(name, value)


def test_versions_are_listed_promoted_and_rolled_back(
    registry: S3ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    first = model(1)
    worse = model(2, compared_with=first, passed=False)
    release(registry, first, by="training", now=NOW)
    release(registry, worse, by="training", now=NOW)
    assert main(["promote", worse.version]) == 1
    assert "its AUC is lower" in capsys.readouterr().err
    assert main(["promote", worse.version, "--force", "the shop changed"]) == 0
    assert registry.promotion_state().version == worse.version
    assert main(["rollback", "--reason", "too many alerts"]) == 0
    assert registry.promotion_state().version == first.version
    capsys.readouterr()

    assert main(["list"]) == 0
    _, newest, oldest, *_, back, forced, begun = capsys.readouterr().out.splitlines()
    assert newest.split()[0] == worse.version
    assert f"not passed against {first.version}" in newest
    assert oldest.split()[:2] == [first.version, "serves"]
    assert back.endswith(f"(command line), back from {worse.version}: too many alerts")
    assert forced.endswith("(command line), forced: the shop changed")
    assert begun.startswith(f"2026-11-23T12:00:00  {first.version}  training")


def test_what_was_published_without_a_key_is_signed_and_serves_on(
    registry: S3ModelRegistry, s3: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, broken = model(1), model(2), model(3)
    release(registry, first, by="training", now=NOW)
    registry.publish(broken)
    s3.put_object(Bucket=BUCKET, Key=f"models/{broken.version}/model.npz", Body=second.to_bytes())
    registry.publish(second)
    registry.promote(second.version, by="ann", reason=None, now=NOW, force=True)
    assert main(["sign"]) == 1
    assert "MODEL_SIGNING_KEY is not set" in capsys.readouterr().err

    key = "only-a-test-knows-this-key-of-32-bytes"
    signing = S3ModelRegistry(BUCKET, s3, signing_key=key)
    assert signing.promotion_state().refused
    monkeypatch.setenv("MODEL_SIGNING_KEY", key)
    assert main(["sign"]) == 0
    assert capsys.readouterr().out == f"signed: {second.version}, {first.version}\n"
    assert signing.promotion_state() == registry.promotion_state()
    assert signing.load(second.version).version == second.version
    assert signing.roll_back(by="ann", reason=None, now=NOW).version == first.version
    with pytest.raises(BrokenModelError):
        signing.load(broken.version)
    assert main(["sign"]) == 0
    assert "no version" in capsys.readouterr().out
    other = S3ModelRegistry(BUCKET, s3, signing_key=key[::-1])
    with pytest.raises(BrokenModelError, match="not signed"):
        other.load(first.version)


@pytest.mark.usefixtures("registry")
def test_what_cannot_be_done_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote", "no-such-version"]) == 1
    assert main(["rollback"]) == 1
    shown = capsys.readouterr().err
    assert "there is no such version" in shown
    assert "No version has served before" in shown
