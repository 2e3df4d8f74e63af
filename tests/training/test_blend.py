"""A trained blend: its weights, its parts beside it in the report, and how it is brought up to now."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from churn.ml.blend import PARTS, BlendedModel
from churn.ml.loading import LearnedModel, read_model
from churn.ml.random_forest import ChurnModel
from churn.training import Plan, TrainedModel, report_html, train
from churn.training.blend import EQUAL
from churn.training.evaluation import probabilities
from tests.training.test_pipeline import NOW, histories_of, shop

_QUICK = Plan(trees=20, search=False)


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    return train(histories_of(shop()[:900]), now=NOW, plan=Plan(trees=20))


def test_half_of_the_weights_are_equal_and_none_is_without_weight() -> None:
    model, report = trained().model, trained().report
    assert isinstance(model, BlendedModel)
    weights = model.metadata["blend"]["weights"]
    assert report["weights"] == weights
    assert weights.keys() == set(PARTS)
    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)
    assert all(weight >= EQUAL[name] / 2 for name, weight in weights.items())


def test_the_report_has_the_forest_alone_beside_the_blend_and_its_weights() -> None:
    report = trained().report
    assert report["alone"]["auc"] != report["forest"]["auc"]
    page = report_html(report)
    assert "its forest alone" in page
    assert f"{report['weights']['forest']:.0%}" in page


@pytest.mark.parametrize("plan", [_QUICK, replace(_QUICK, search=True, blend=False)], ids=["quick", "alone"])
def test_where_no_data_choose_the_weights_the_forest_serves_alone(plan: Plan) -> None:
    alone = train(histories_of(shop()[:900]), now=NOW, plan=plan)
    assert isinstance(alone.model, ChurnModel)
    assert "alone" not in alone.report
    assert alone.report["weights"] is None


def test_what_serves_is_the_tested_model_with_the_process_of_now() -> None:
    model, window = trained().model, trained().held_out
    freshness: dict[str, Any] = model.metadata["freshness"]
    assert window is not None
    assert freshness["served"] == "brought_up_to_now"
    assert freshness["as_of"] == "2026-01-01T00:00:00Z"
    assert abs(freshness["mean_difference"]) < 0.02
    assert freshness["rank_correlation"] > 0.95
    # The figures are those of the tested one: what serves is another model.
    brier = np.mean((probabilities(model, window.inputs) - window.churned) ** 2)
    assert trained().report["forest"]["brier"] != pytest.approx(float(brier), abs=1e-9)
    assert read_model(model.to_bytes()).version == model.version
    assert "2026-01-01" in report_html(trained().report)


def test_the_model_in_use_is_compared_as_it_would_have_served_at_the_cut_off() -> None:
    histories = histories_of(shop()[:900])
    first = train(histories, now=NOW, plan=_QUICK)
    again = train(histories, now=NOW, plan=_QUICK, current=first.model)
    assert again.report["current"]["brier"] == pytest.approx(again.report["forest"]["brier"], abs=1e-12)
    assert again.model.metadata["gate"]["passed"]
