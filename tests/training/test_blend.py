"""A trained blend: its weights, and its parts beside it in the report."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from churn.ml.blend import PARTS, BlendedModel
from churn.ml.loading import LearnedModel
from churn.ml.random_forest import ChurnModel
from churn.training import Plan, TrainedModel, report_html, train
from churn.training.blend import EQUAL
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
