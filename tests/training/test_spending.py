"""The value of orders: its parameters are found again, and what is expected is judged on what was spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pytest

from churn.ml.loading import LearnedModel, read_model
from churn.training import Plan, TrainedModel, train
from churn.training.bg_nbd import orders_until, purchase_model
from churn.training.report_html import report_html
from churn.training.spending import fit_spending
from infra.tools.simulator import simulate
from tests.support.events import without_value

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    shop = simulate(2500, seed=11, start=_NOW - timedelta(days=548), end=_NOW)
    histories = [(customer.customer_id, customer.events) for customer in shop]
    return train(histories, now=_NOW, plan=Plan(trees=20, search=False))


def test_the_parameters_of_simulated_values_are_found_again() -> None:
    random = np.random.default_rng(5)
    days = random.integers(1, 12, 8000).astype(np.float64)
    scale = 15.0 / random.gamma(4.0, 1.0, 8000)
    found = fit_spending(np.column_stack([days, random.gamma(6.0 * days, 1.0) * scale]))
    assert found is not None
    assert (found["p"], found["q"]) == pytest.approx((6.0, 4.0), rel=0.15)
    assert found["p"] * found["gamma"] / (found["q"] - 1) == pytest.approx(6.0 * 15.0 / 3, rel=0.05)


def test_few_customers_and_equal_values_still_have_a_finite_answer() -> None:
    found = fit_spending(np.column_stack([np.ones(50), np.full(50, 10.0)]))
    assert found is not None
    assert found["p"] * found["gamma"] / (found["q"] - 1) == pytest.approx(10.0, rel=0.3)


def test_expected_spend_comes_nearer_than_the_rate_of_life() -> None:
    money = trained().report["money"]
    assert money["customers"] == trained().report["customers"]
    assert money["spend"]["mean_error"] < money["rate"]["mean_error"]
    assert abs(money["spend"]["expected"] / money["spend"]["real"] - 1) < 0.2
    assert abs(money["rate"]["expected"] / money["rate"]["real"] - 1) > 0.3
    assert 0.85 <= money["covered"] <= 0.96
    assert sum(tenth["real"] for tenth in money["deciles"]) == pytest.approx(money["spend"]["real"])
    assert money["deciles"][0]["real"] > 2 * money["deciles"][5]["real"]


def test_every_prediction_of_a_published_model_has_an_outlook() -> None:
    row = {"total_orders": 5.0, "days_since_last_order": 20.0, "account_age_days": 300.0, "total_spent": 250.0}
    (known,) = read_model(trained().model.to_bytes()).predict([row])
    (unknown,) = trained().model.predict([row | {"total_orders": 0.0, "days_since_last_order": None}])
    assert known.outlook is not None
    assert known.outlook.interval is not None
    assert known.outlook.spend is not None
    assert known.outlook.interval[0] <= known.outlook.spend <= known.outlook.interval[1]
    assert unknown.outlook is None


def test_a_shop_that_tells_no_values_has_a_model_that_expects_orders_and_no_money() -> None:
    shop = simulate(700, seed=12, start=_NOW - timedelta(days=548), end=_NOW)
    histories = [(customer.customer_id, [without_value(event) for event in customer.events]) for customer in shop]
    found = train(histories, now=_NOW, plan=Plan(trees=12, search=False))
    assert found.model.metadata["spending"] is None
    assert {"total_spent", "avg_order_value"} <= set(found.report["constant"])
    money = found.report["money"]
    assert (money["valued"], money["spend"], money["deciles"]) == (0, None, [])
    assert money["orders"]["expected"] == pytest.approx(money["orders"]["real"], rel=0.3)
    assert "What orders are worth is not known" in report_html(found.report)
    assert found.held_out is not None
    assert "What orders are worth" not in report_html(trained().report)
    row = {"total_orders": 5.0, "days_since_last_order": 20.0, "account_age_days": 300.0, "total_spent": None}
    (answer,) = read_model(found.model.to_bytes()).predict([row])
    assert answer.outlook is not None
    assert answer.outlook.orders > 0
    assert answer.outlook.spend is None


def test_a_young_shop_without_values_has_its_purchase_process() -> None:
    shop = simulate(120, seed=13, start=_NOW - timedelta(days=150), end=_NOW)
    histories = [(customer.customer_id, [without_value(event) for event in customer.events]) for customer in shop]
    _, latest = orders_until(histories, _NOW, Plan(), print)
    model = purchase_model(latest, Plan(), {"horizon_days": 90, "trained_at": "2026-01-01T00:00:00Z"})
    assert model.metadata["spending"] is None
