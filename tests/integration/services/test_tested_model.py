"""The model that was tested stays in the registry beside the one that serves, which has learned more."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.ml.loading import LearnedModel
from churn.services.training_runs import model_in_use, release_version
from churn.training import Plan, TrainedModel, train
from infra.tools.simulator import sample_histories
from tests.support.events import NOW
from tests.support.registry import BUCKET, model, promote, publish


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    histories = sample_histories(900, now=NOW, seed=3)
    return train(histories, now=NOW, plan=Plan(trees=8, search=False))


def test_both_are_published_and_the_one_that_learned_more_serves(registry: S3ModelRegistry) -> None:
    tested = trained().tested
    assert tested is not None
    assert release_version(trained(), registry, by="a test", now=NOW).objections == []
    served = trained().model.version
    assert registry.promotion_state().version == served
    assert set(registry.versions()) == {served, tested.version}
    assert registry.report(tested.version, "json") == registry.report(served, "json")
    in_use = model_in_use(registry)
    assert in_use is not None
    assert in_use.tested is not None
    assert (in_use.model.version, in_use.tested.version) == (served, tested.version)
    # The tested one can be promoted in its place: it has passed the same gate.
    registry.promote(tested.version, by="a test", reason=None, now=NOW, force=True)
    again = model_in_use(registry)
    assert again is not None
    assert again.tested is again.model
    assert registry.roll_back(by="a test", reason=None, now=NOW).version == served


def test_without_the_tested_one_nothing_is_compared_that_knows_the_window(registry: S3ModelRegistry, s3: Any) -> None:
    tested = trained().tested
    assert tested is not None
    release_version(trained(), registry, by="a test", now=NOW)
    s3.delete_object(Bucket=BUCKET, Key=f"models/{tested.version}/model.npz")
    in_use = model_in_use(registry)
    assert in_use is not None
    assert in_use.tested is None


@pytest.mark.parametrize(
    "freshness",
    [None, {"served": "brought_up_to_now", "as_of": "2026-05-01T00:00:00Z", "mean_difference": 0.001}],
    ids=["the first versions", "before the tested one was kept"],
)
def test_versions_of_before_are_compared_as_they_serve_and_rolled_back_to(
    registry: S3ModelRegistry, freshness: dict[str, Any] | None
) -> None:
    older = model(1) if freshness is None else model(1).with_metadata(freshness=freshness)
    publish(registry, older)
    promote(registry, older)
    in_use = model_in_use(registry)
    assert in_use is not None
    assert in_use.tested is in_use.model
    gate = {**trained().model.metadata["gate"], "compared_with": older.version}
    newer = replace(trained(), model=trained().model.with_metadata(gate=gate))
    assert release_version(newer, registry, by="a test", now=NOW).objections == []
    assert registry.roll_back(by="a test", reason=None, now=NOW).version == older.version
    assert registry.load(older.version).version == older.version
