"""Between trainings the purchase process is brought up to now, without labels, and stays near what was tested."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import pytest

from churn.domain.events import Event
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import BlendedModel
from churn.ml.loading import LearnedModel, read_model
from churn.training import Plan, TrainedModel, begin, train
from churn.training.between_trainings import Update, brought_up_to
from churn.training.bg_nbd import fitted_process, orders_until
from churn.training.level import without_level
from tests.training.test_pipeline import NOW, histories_of, shop

_PLAN = Plan(trees=20)
_THEN = NOW - timedelta(days=60)


@lru_cache
def histories() -> list[tuple[str, list[Event]]]:
    return histories_of(shop()[:900])


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    return train(histories(), now=_THEN, plan=_PLAN)


def update(served: LearnedModel | PurchaseModel, trained: LearnedModel | PurchaseModel, now: datetime) -> Update:
    return brought_up_to(served, trained, histories(), now=now, plan=_PLAN, progress=lambda _: None)


def test_the_process_is_that_of_today_and_all_else_that_of_the_training() -> None:
    served = trained().model
    found = update(served, served, NOW)
    assert isinstance(served, BlendedModel)
    assert isinstance(found.model, BlendedModel)
    _, latest = orders_until(histories(), NOW, _PLAN, lambda _: None)
    assert found.model.metadata["current_process"] == fitted_process(latest.buying, _PLAN)
    assert found.model.metadata["current_process"] != served.metadata["current_process"]
    same = ("purchase_process", "calibration", "blend", "fitted_at", "metrics", "trained_at", "reference")
    assert all(found.model.metadata[name] == served.metadata[name] for name in same)
    assert found.model.metadata["spending"]["interval"] == served.metadata["spending"]["interval"]
    assert found.model.metadata["spending"]["p"] != served.metadata["spending"]["p"]
    before, after = served.forest.arrays, found.model.forest.arrays
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert read_model(found.model.to_bytes()).version == found.model.version != served.version
    assert served.version in found.reason
    assert found.model.metadata["gate"] == {"passed": True, "compared_with": served.version, "reasons": [found.reason]}


def test_it_says_whose_the_figures_are_and_what_the_training_made_however_often_it_is_updated() -> None:
    served, tested = trained().model, trained().tested
    first = update(served, served, NOW - timedelta(days=20)).model
    assert first is not None
    # As if orders had changed since: the shop that is simulated does not.
    process = first.metadata["current_process"]
    older = first.with_metadata(current_process={**process, "alpha": process["alpha"] * 1.1})
    second = update(older, served, NOW).model
    assert second is not None
    assert tested is not None
    for model, day in ((first, "2025-12-12"), (second, "2026-01-01")):
        freshness = model.metadata["freshness"]
        assert freshness["served"] == "refitted"
        assert freshness["as_of"].startswith(day)
        assert (freshness["tested_version"], freshness["trained_version"]) == (tested.version, served.version)
        assert freshness["tried"] == served.metadata["freshness"]["tried"]


def test_what_hardly_moves_is_no_version() -> None:
    served = trained().model
    found = update(served, served, _THEN)
    assert found.model is None
    assert "hardly at all" in found.reason


def test_an_update_that_wanders_off_from_the_trained_version_does_not_serve() -> None:
    trained_model = trained().model
    assert isinstance(trained_model, BlendedModel)
    # As if updates had moved the level since the training, of a version that is not moved to the process's.
    served = without_level(trained_model)
    blend = served.metadata["blend"]
    regression = {**blend["logistic"], "intercept": blend["logistic"]["intercept"] + 3}
    other = served.with_metadata(blend={**blend, "logistic": regression})
    found = update(served, other, NOW)
    assert found.model is None
    assert "too far without a training" in found.reason


def test_a_young_shop_s_process_goes_with_its_orders() -> None:
    young, later = _THEN - timedelta(days=400), _THEN - timedelta(days=340)
    begun = begin(histories(), now=young, plan=_PLAN, current=None, why="young").model
    found = update(begun, begun, later).model
    assert isinstance(found, PurchaseModel)
    fitted = begin(histories(), now=later, plan=_PLAN, current=None, why="young").model
    rows = [{"total_orders": 3.0, "days_since_last_order": 40.0, "account_age_days": 90.0}]
    assert found.probabilities(rows) == pytest.approx(fitted.probabilities(rows), abs=1e-12)
    assert found.metadata["customers"] == fitted.metadata["customers"] > begun.metadata["customers"]
    assert found.metadata["freshness"]["trained_version"] == begun.version


def test_too_few_orders_make_no_update() -> None:
    served = trained().model
    found = brought_up_to(served, served, histories()[:40], now=NOW, plan=_PLAN, progress=lambda _: None)
    assert found.model is None
    assert "too few" in found.reason
