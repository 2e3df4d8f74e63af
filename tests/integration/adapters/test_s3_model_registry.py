"""The life of a model's versions, against the S3 that moto serves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model import MOST_BYTES, BrokenModelError, answering, answering_versions
from churn.domain.model_versions import (
    NoPreviousVersionError,
    NotPromotableError,
    RegistryUnavailableError,
    VersionExistsError,
    VersionNotFoundError,
)
from churn.services.current_model import CurrentModel, NoModelError
from churn.services.model_versions import ModelVersions
from churn.services.training_runs import release
from churn.settings import Settings
from infra.tools.models import table
from tests.support.clock import FakeClock
from tests.support.events import NOW
from tests.support.forests import small_model
from tests.support.registry import BUCKET, model, promote, publish, tamper


def settings(tmp_path: Path) -> Settings:
    plain = Settings.from_environment({})
    return dataclasses.replace(plain, model_bucket=BUCKET, model_path=str(tmp_path / "model.npz"))


def test_a_version_published_and_promoted_is_the_one_that_serves(registry: S3ModelRegistry, tmp_path: Path) -> None:
    first = model(1)
    assert registry.promotion_state().version is None
    publish(registry, first)
    assert registry.promotion_state().version is None
    promote(registry, first)
    assert registry.promotion_state().version == first.version
    assert CurrentModel(settings(tmp_path)).version == first.version
    assert registry.describe(first.version)["size"] == len(first.to_bytes())


def test_a_published_version_is_never_altered(registry: S3ModelRegistry) -> None:
    registry.publish(model(1), report={"auc": 0.8}, html="<p>good</p>")
    with pytest.raises(VersionExistsError):
        registry.publish(model(1), report={"auc": 0.9})
    assert json.loads(registry.report(model(1).version, "json")) == {"auc": 0.8}
    assert registry.report(model(1).version, "html") == b"<p>good</p>"


def test_versions_come_newest_first_and_those_cut_short_are_not_known(registry: S3ModelRegistry, s3: Any) -> None:
    publish(registry, model(1), model(3), model(2))
    s3.put_object(Bucket=BUCKET, Key="models/2026-06-01T00-00-00Z-00000000/model.npz", Body=b"half")
    assert registry.versions() == [model(day).version for day in (3, 2, 1)]
    with pytest.raises(VersionNotFoundError):
        registry.report(model(1).version, "html")


@pytest.mark.parametrize("version", ["2020-01-01T00-00-00Z-00000000", "", "a/b", "..", "x" * 2000, "modèle"])
def test_only_a_published_version_is_promoted(registry: S3ModelRegistry, version: str) -> None:
    with pytest.raises(VersionNotFoundError):
        registry.promote(version, by="ann", reason="why not", now=NOW, force=True)
    assert registry.promotion_state().version is None


def test_the_story_of_promotions_and_roll_backs(registry: S3ModelRegistry) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    third = model(3, compared_with=second)
    publish(registry, first, second, third)
    for one in (first, second, third):
        promote(registry, one)
    assert registry.roll_back(by="bob", reason="too many alerts", now=NOW).version == second.version
    # Another one goes back further, not forth again to what was taken back.
    assert registry.roll_back(by="bob", reason=None, now=NOW + timedelta(hours=1)).version == first.version
    with pytest.raises(NoPreviousVersionError):
        registry.roll_back(by="bob", reason=None, now=NOW)
    promote(registry, second)
    standing = registry.roll_back(by="bob", reason=None, now=NOW)
    told = [(change.version, change.rolled_back, change.by) for change in standing.history]
    assert told == [
        (first.version, None, "ann"),
        (second.version, None, "ann"),
        (third.version, None, "ann"),
        (second.version, third.version, "bob"),
        (first.version, second.version, "bob"),
        (second.version, None, "ann"),
        (first.version, second.version, "bob"),
    ]
    assert standing.history[3].reason == "too many alerts"
    assert standing.history[4].at == "2026-11-23T13:00:00Z"
    assert registry.promotion_state() == standing


def test_a_version_that_did_not_pass_is_refused_with_a_sentence(registry: S3ModelRegistry) -> None:
    first = model(1)
    worse = model(2, compared_with=first, passed=False)
    publish(registry, first, worse)
    promote(registry, first)
    with pytest.raises(NotPromotableError, match=r"On the newest window its AUC is lower\."):
        promote(registry, worse)
    assert registry.promotion_state().version == first.version
    standing = registry.promote(worse.version, by="ann", reason="the old one is blind", now=NOW, force=True)
    assert standing.history[-1].forced
    assert (standing.version, standing.history[-1].reason) == (worse.version, "the old one is blind")


def test_a_version_compared_with_another_than_the_one_in_use_is_refused(registry: S3ModelRegistry) -> None:
    first = model(1)
    second, rival = model(2, compared_with=first), model(3, compared_with=first)
    unheard = small_model()
    publish(registry, first, second, rival, unheard)
    promote(registry, first)
    promote(registry, second)
    with pytest.raises(
        NotPromotableError, match=f"compared with version {first.version}, and version {second.version}"
    ):
        promote(registry, rival)
    with pytest.raises(NotPromotableError, match="compared with no other version"):
        promote(registry, first)
    with pytest.raises(NotPromotableError, match="without a comparison"):
        promote(registry, unheard)
    # Force that was not needed is not noted as such; what serves already is left as it is.
    promote(registry, second, force=True)
    assert [change.forced for change in registry.promotion_state().history] == [False, False]


def test_a_tampered_version_is_not_promoted_by_force_either(registry: S3ModelRegistry, s3: Any) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    publish(registry, first, second)
    promote(registry, first)
    tamper(s3, second)
    with pytest.raises(BrokenModelError, match="checksum"):
        promote(registry, second, force=True)
    assert registry.promotion_state().version == first.version


def test_a_roll_back_to_a_version_that_was_tampered_with_is_refused(registry: S3ModelRegistry, s3: Any) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    publish(registry, first, second)
    promote(registry, first)
    promote(registry, second)
    tamper(s3, first)
    with pytest.raises(BrokenModelError):
        registry.roll_back(by="bob", reason=None, now=NOW)
    assert registry.promotion_state().version == second.version


@pytest.mark.parametrize("content", [b"[]", b"null", b"[" * 100_000, b"\xff", b"{"])
def test_metadata_that_are_no_object_are_refused(registry: S3ModelRegistry, s3: Any, content: bytes) -> None:
    first = model(1)
    publish(registry, first)
    s3.put_object(Bucket=BUCKET, Key=f"models/{first.version}/metadata.json", Body=content)
    for refused in (registry.describe, registry.load):
        with pytest.raises(BrokenModelError, match="metadata"):
            refused(first.version)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("freshness", [1]), ("freshness", {"served": 1, "as_of": "2026-01-31T10:15:00Z"}), ("gate", {"reasons": 5}),
        ("gate", {"passed": "yes"}), ("source", [1]), ("trained_at", "2026-11-27"), ("fitted_at", "now"), ("code", 5),
        ("metrics", {"forest": {"auc": "high"}}), ("metrics", {"forest": []}), ("size", -1),
    ],
)  # fmt: skip
def test_metadata_of_another_form_are_refused_and_the_field_is_named(
    registry: S3ModelRegistry, s3: Any, database: Database, name: str, value: object
) -> None:
    first, second = model(1), model(2)
    publish(registry, first, second)
    key = f"models/{second.version}/metadata.json"
    metadata = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({**metadata, name: value}).encode())
    with pytest.raises(BrokenModelError, match=name):
        registry.describe(second.version)
    with pytest.raises(BrokenModelError, match=name):
        promote(registry, second, force=True)
    # The others are told all the same.
    overview = ModelVersions(registry, database, lambda _: None).overview(10, NOW)
    assert [(one["version"], one["sha256"] is None) for one in overview["versions"]] == [
        (second.version, True),
        (first.version, False),
    ]
    assert first.version in table(registry)


def test_a_file_that_would_fill_the_memory_is_not_read(registry: S3ModelRegistry, s3: Any) -> None:
    first = model(1)
    publish(registry, first)
    s3.put_object(Bucket=BUCKET, Key=f"models/{first.version}/model.npz", Body=bytes(MOST_BYTES + 1))
    with pytest.raises(BrokenModelError, match="more than"):
        registry.load(first.version)


class _Meanwhile:
    """An S3 client that lets something else happen between the reading of a standing and its writing."""

    def __init__(self, s3: Any, meanwhile: Callable[[], object]) -> None:
        self._s3 = s3
        self._meanwhile: Callable[[], object] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **arguments: Any) -> Any:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            meanwhile()
        return self._s3.put_object(**arguments)


@pytest.mark.parametrize("is_first", [True, False])
def test_two_promotions_at_once_lose_nothing(registry: S3ModelRegistry, s3: Any, is_first: bool) -> None:
    first, mine, theirs = model(1), model(2), model(3)
    publish(registry, first, mine, theirs)
    if not is_first:
        promote(registry, first)
    slow = S3ModelRegistry(BUCKET, _Meanwhile(s3, lambda: promote(registry, theirs, force=True)))
    promote(slow, mine, force=True)
    history = [change.version for change in registry.promotion_state().history]
    assert history[-2:] == [theirs.version, mine.version]
    assert len(history) == 2 if is_first else 3


def test_the_gate_holds_against_the_version_that_was_promoted_meanwhile(registry: S3ModelRegistry, s3: Any) -> None:
    first = model(1)
    mine, theirs = model(2, compared_with=first), model(3, compared_with=first)
    publish(registry, first, mine, theirs)
    promote(registry, first)
    slow = S3ModelRegistry(BUCKET, _Meanwhile(s3, lambda: promote(registry, theirs)))
    with pytest.raises(NotPromotableError, match="is in use now"):
        promote(slow, mine)
    assert registry.promotion_state().version == theirs.version


def test_a_registry_of_before_there_was_a_history_is_gone_on_with(registry: S3ModelRegistry, s3: Any) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    publish(registry, first, second)
    s3.put_object(Bucket=BUCKET, Key="current.json", Body=json.dumps({"version": first.version}).encode())
    promote(registry, second)
    assert registry.roll_back(by="bob", reason=None, now=NOW).version == first.version


def test_what_later_code_adds_to_the_history_is_passed_over(registry: S3ModelRegistry, s3: Any) -> None:
    written = {"version": "v1", "mood": "good", "history": [{"version": "v1", "by": "ann", "mood": "good"}]}
    s3.put_object(Bucket=BUCKET, Key="current.json", Body=json.dumps(written).encode())
    assert [(change.version, change.by) for change in registry.promotion_state().history] == [("v1", "ann")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b'{"history": []}', b'{"version": "v", "history": 7}'])
def test_a_standing_that_cannot_be_read_is_told_as_such(registry: S3ModelRegistry, s3: Any, content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key="current.json", Body=content)
    with pytest.raises(RegistryUnavailableError, match="cannot be read"):
        registry.promotion_state()


def test_what_training_releases_serves_when_its_gate_passed_and_challenges_when_not(registry: S3ModelRegistry) -> None:
    first = model(1)
    assert release(registry, first, by="training", now=NOW) == []
    better, worse = model(2, compared_with=first), model(3, compared_with=first, passed=False)
    assert release(registry, worse, by="training", now=NOW) == ["On the newest window its AUC is lower."]
    assert (registry.promotion_state().version, registry.promotion_state().challenger) == (first.version, worse.version)
    assert release(registry, better, by="training", now=NOW, report={"auc": 0.8}) == []
    assert (registry.promotion_state().version, registry.promotion_state().challenger) == (
        better.version,
        worse.version,
    )
    promote(registry, worse, force=True)
    assert (registry.promotion_state().version, registry.promotion_state().challenger) == (worse.version, None)


def test_a_version_in_use_that_cannot_be_served_gives_way_to_the_next_that_is_trained(
    registry: S3ModelRegistry, s3: Any
) -> None:
    first = model(1)
    publish(registry, first)
    promote(registry, first)
    tamper(s3, first)
    assert release(registry, model(2), by="training", now=NOW) == []
    change = registry.promotion_state().history[-1]
    assert (change.version, change.forced) == (model(2).version, True)
    assert change.reason == "the version in use cannot be served"


def test_an_altered_version_is_refused_and_the_own_file_serves(
    registry: S3ModelRegistry, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, promoted = small_model(), model(1)
    Path(settings(tmp_path).model_path).write_bytes(own.to_bytes())
    publish(registry, promoted)
    promote(registry, promoted)
    tamper(s3, promoted)
    with pytest.raises(BrokenModelError):
        registry.load(promoted.version)
    current = CurrentModel(settings(tmp_path))
    assert current.version == own.version
    assert "checksum" in str(current.refused)
    assert '"ModelRefused":[1.0]' in capsys.readouterr().out


def test_another_version_under_the_promoted_name_is_refused(registry: S3ModelRegistry, s3: Any) -> None:
    first, second = model(1), model(2)
    publish(registry, first, second)
    for name in ("model.npz", "metadata.json"):
        s3.copy_object(
            Bucket=BUCKET,
            Key=f"models/{first.version}/{name}",
            CopySource={"Bucket": BUCKET, "Key": f"models/{second.version}/{name}"},
        )
    with pytest.raises(BrokenModelError):
        registry.load(first.version)


@pytest.mark.usefixtures("s3")
def test_without_any_model_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match=r"model\.npz"):
        CurrentModel(settings(tmp_path))


def test_a_bucket_out_of_reach_leaves_the_own_file(s3: Any, tmp_path: Path) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    Path(settings(tmp_path).model_path).write_bytes(small_model().to_bytes())
    current = CurrentModel(settings(tmp_path))
    assert current.version == small_model().version
    assert current.refused
    # It takes the place of no version that was promoted.
    assert current.promoted_at is not None
    assert current.promoted_at < NOW - timedelta(days=10000)


def test_promotions_are_told_apart_by_their_times_whatever_the_clocks_say(
    registry: S3ModelRegistry, tmp_path: Path
) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    publish(registry, first, second)
    promote(registry, first)
    current = CurrentModel(settings(tmp_path))
    times = [current.promoted_at]
    promote(registry, second)
    registry.roll_back(by="bob", reason=None, now=NOW - timedelta(hours=1))
    # It never held the second version, but the first one serves by another promotion now.
    current.renew()
    times.append(current.promoted_at)
    assert times == [NOW, NOW + timedelta(milliseconds=2)]


def test_a_promotion_is_noticed_within_a_minute_without_a_restart(registry: S3ModelRegistry, tmp_path: Path) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    publish(registry, first, second)
    promote(registry, first)
    clock = FakeClock(0.0)
    current = CurrentModel(settings(tmp_path), clock=clock)
    promote(registry, second)
    clock.now = 29
    current.refresh()
    assert current.version == first.version
    clock.now = 31
    current.refresh()
    assert current.version == second.version


def test_a_promoted_version_that_is_broken_leaves_the_old_one_serving_until_it_is_rolled_back(
    registry: S3ModelRegistry, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = model(1)
    second = model(2, compared_with=first)
    publish(registry, first, second)
    promote(registry, first)
    clock = FakeClock(0.0)
    current = CurrentModel(settings(tmp_path), clock=clock)
    promote(registry, second)
    tamper(s3, second)
    for clock.now in (31, 62):
        current.refresh()
        assert (current.version, current.promoted) == (first.version, second.version)
        assert "checksum" in str(current.refused)
        assert '"ModelRefused":[1.0]' in capsys.readouterr().out
    registry.roll_back(by="bob", reason="tampered", now=NOW)
    clock.now = 93
    current.refresh()
    assert (current.version, current.refused) == (first.version, None)


def test_the_challenger_is_held_beside_the_version_that_serves(
    registry: S3ModelRegistry, s3: Any, tmp_path: Path
) -> None:
    first = model(1)
    release(registry, first, by="training", now=NOW)
    clock = FakeClock(0.0)
    current = CurrentModel(settings(tmp_path), clock=clock, shadow=True)
    worse, broken = model(2, compared_with=first, passed=False), model(3, compared_with=first, passed=False)
    release(registry, worse, by="training", now=NOW)
    clock.now = 31
    current.refresh()
    assert current.challenger is not None
    assert (current.version, current.challenger.version) == (first.version, worse.version)
    rows = [{"days_since_last_order": 40.0}, {}]
    served = [prediction.churn_probability for prediction in current.challenger.predict(rows)]
    assert current.challenger.probabilities(rows) == pytest.approx(served, abs=1e-12)

    release(registry, broken, by="training", now=NOW)
    tamper(s3, broken)
    clock.now = 62
    current.refresh()
    assert (current.version, current.refused) == (first.version, None)
    assert not current.challenger
    assert CurrentModel(settings(tmp_path)).challenger is None


def test_what_is_usual_for_shops_stands_in_for_a_simulated_shop_s_model(
    registry: S3ModelRegistry, tmp_path: Path
) -> None:
    simulated = model(1).with_metadata(source="sample", horizon_days=60)
    own = model(2, compared_with=simulated).with_metadata(source="history")
    publish(registry, simulated, own)
    promote(registry, simulated)
    current = CurrentModel(settings(tmp_path))
    usual = answering(current, of_sample=False)
    assert answering(current, of_sample=True) is current
    assert (usual.metadata["source"], usual.metadata["horizon_days"]) == ("prior", 60)
    # Every process makes the same, once.
    assert answering(CurrentModel(settings(tmp_path)), of_sample=False).version == usual.version
    assert answering(current, of_sample=False) is usual
    assert answering_versions(current) == sorted([simulated.version, usual.version])
    promote(registry, own)
    current.renew()
    assert answering(current, of_sample=False) is current
