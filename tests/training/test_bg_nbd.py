"""A shop that is too young for a forest: its purchase process serves, until a forest is no worse."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pytest

from churn.domain.customer import replay
from churn.domain.events import Event
from churn.domain.features import features_at
from churn.domain.risk import Money, money_of
from churn.domain.timestamps import DAY, to_millis
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.loading import StoredModel, read_model
from churn.ml.metrics import measure
from churn.ml.random_forest import ChurnModel
from churn.training import CannotTrainError, InUse, Plan, Trained, report_html, table, train, train_or_begin
from infra.tools.simulator import sample_histories, simulate
from tests.support.events import event, order

START = datetime(2025, 1, 1, tzinfo=UTC)
YOUNG = START + timedelta(days=150)
GROWN = START + timedelta(days=500)
PLAN = Plan(trees=20, search=False)

Histories = list[tuple[str, list[Event]]]


@lru_cache
def shop() -> Histories:
    return [(one.customer_id, one.events) for one in simulate(2500, seed=5, start=START, end=GROWN)]


def until(now: datetime, customers: int = 2500) -> Histories:
    cut = [(name, [event for event in events if event.timestamp < now]) for name, events in shop()[:customers]]
    return [(name, events) for name, events in cut if events]


def begin(histories: Histories, now: datetime, current: StoredModel | None = None) -> Trained:
    return train_or_begin(histories, now=now, plan=PLAN, current=None if current is None else InUse(current, current))


@lru_cache
def begun() -> PurchaseModel:
    trained = begin(until(YOUNG), YOUNG)
    assert isinstance(trained.model, PurchaseModel)
    return trained.model


def test_a_young_shop_is_served_by_what_its_orders_alone_tell() -> None:
    trained = begin(until(YOUNG), YOUNG)
    assert trained.model.metadata["kind"] == trained.report["kind"] == "purchase_process"
    assert "the orders span" in trained.report["why"]
    assert "purchase process of" in table(trained.report)
    assert trained.model.metadata["gate"]["passed"]
    assert trained.report["version"] == trained.model.version
    assert read_model(trained.model.to_bytes()).version == trained.model.version
    assert trained.model.metadata["reference"]["columns"].keys() >= {"days_since_last_order"}


def test_its_probabilities_are_what_happens_next() -> None:
    rows, churned = [], []
    for _, events in shop():
        state = replay(event for event in events if event.timestamp < YOUNG)
        if state.is_eligible(to_millis(YOUNG), PLAN.lookback_days):
            rows.append(features_at(state, YOUNG, {}))
            start = to_millis(YOUNG)
            churned.append(not replay(events).ordered_between(start, start + PLAN.horizon_days * DAY))
    figures = measure(np.array(begun().probabilities(rows)), np.array(churned))
    assert figures["auc"] > 0.65
    assert figures["ece"] < 0.12
    assert figures["brier_skill"] > 0


def test_fewer_customers_leave_more_open() -> None:
    row = {"total_orders": 3.0, "days_since_last_order": 40.0, "account_age_days": 120.0}
    few = begin(until(YOUNG, customers=250), YOUNG).model
    (less_sure,), (sure,) = few.predict([row]), begun().predict([row])
    assert less_sure.confidence < sure.confidence
    assert sure.confidence > 0.9


def test_a_grown_shop_changes_over_to_a_forest_when_that_is_no_worse() -> None:
    trained = begin(shop(), GROWN, current=begun())
    assert isinstance(trained.model, ChurnModel)
    assert trained.model.metadata["gate"]["compared_with"] == begun().version
    assert trained.model.metadata["gate"]["passed"]
    assert "current" in trained.report


def test_a_forest_of_the_shops_own_is_not_replaced_by_less() -> None:
    forest = train(shop(), now=GROWN, plan=PLAN).model
    with pytest.raises(CannotTrainError, match="the orders span"):
        begin(until(YOUNG), YOUNG, current=forest)
    sample = train(sample_histories(900, now=YOUNG), now=YOUNG, plan=PLAN, source="sample").model
    assert isinstance(begin(until(YOUNG), YOUNG, current=sample).model, PurchaseModel)


def test_orders_of_one_hour_make_no_model() -> None:
    at = YOUNG - timedelta(hours=1)
    burst = [
        (
            f"C-{number}",
            [replace(order(f"C-{number}"), timestamp=at + timedelta(seconds=second)) for second in range(3)],
        )
        for number in range(200)
    ]
    long_ago = at - timedelta(days=30)
    gift = replace(order("C-1", value=0), timestamp=long_ago)
    taken_back = [
        replace(order("C-2", order_id="back"), timestamp=long_ago),
        replace(event("order_cancelled", "C-2", order_id="back"), timestamp=at),
    ]
    stray = replace(order("C-3"), timestamp=at - timedelta(days=10_000))
    more = [("C-201", [gift]), ("C-202", taken_back), ("C-203", [stray])]
    for histories, why in (
        (burst, "the orders span 0.0 days; 217 are needed"),
        ([*burst, *more], "there are 0 customers' snapshots to learn from"),
    ):
        trained = begin(histories, YOUNG)
        assert trained.model.metadata["source"] == "prior"
        assert trained.report["why"].startswith(why)
        assert trained.report["why"].endswith("; a first model needs orders that span 14 days, 14.0 more")


def test_the_reasons_for_no_model_of_few_orders_tell_one_span() -> None:
    few = [("C-1", [replace(order("C-1"), timestamp=YOUNG - timedelta(days=day)) for day in (40, 10)])]
    why = begin(few, YOUNG).report["why"]
    assert "the orders span 30.0 days" in why
    assert why.endswith("; 1 customers have ordered; 50 are needed for a first model")


def test_the_prior_tells_orders_and_what_the_shop_s_own_few_amounts_are_worth() -> None:
    row = {"total_orders": 3.0, "days_since_last_order": 40.0, "account_age_days": 120.0, "total_spent": 60.0}
    (unknown, never_told) = read_model(begin([], YOUNG).model.to_bytes()).predict([row, row | {"total_spent": None}])
    assert unknown.outlook is not None
    assert unknown.outlook.orders > 0.5
    # Nothing but the customer's own three orders of 20 tells what one is worth.
    assert money_of(unknown).expected_spend == round(unknown.outlook.orders * 20, 2)
    assert money_of(never_told) == Money(None, None)
    prior = begin(until(YOUNG, customers=40), YOUNG, current=begin([], YOUNG).model).model
    assert prior.metadata["source"] == "prior"
    (known, nobody) = prior.predict([row, dict.fromkeys(row)])
    assert known.outlook is not None
    assert known.outlook.orders == unknown.outlook.orders
    assert prior.metadata["spending"]["gamma"] > 0
    assert 5 * known.outlook.orders < (money_of(known).expected_spend or 0) < 100 * known.outlook.orders
    # Of somebody without an order nothing is known.
    assert nobody.outlook is None
    assert money_of(nobody) == Money(None, None)


def test_a_shop_that_has_just_opened_begins_with_what_is_usual_and_is_told_what_is_missing() -> None:
    nobody = begin([], YOUNG)
    trained = begin(until(YOUNG, customers=40), YOUNG)
    missing = r"the orders span .*; \d+ customers have ordered; 50 are needed"
    assert re.search(missing, trained.report["why"])
    assert trained.model.metadata["gate"]["passed"]
    assert "as it is usual for shops" in report_html(trained.report)
    assert "as it is usual for shops" in table(trained.report)
    # Nothing of the shop is in it.
    rows = [{"total_orders": 3.0, "days_since_last_order": 40.0, "account_age_days": 120.0}]
    (prediction,) = read_model(trained.model.to_bytes()).predict(rows)
    assert prediction.churn_probability == nobody.model.predict(rows)[0].churn_probability
    assert (prediction.model_source, prediction.model_kind) == ("prior", "purchase_process")
    assert prediction.interval is not None
    assert prediction.interval[1] - prediction.interval[0] > 0.4
    assert prediction.base + sum(prediction.contributions.values()) == pytest.approx(
        prediction.churn_probability, abs=1e-9
    )
    # It replaces the model of a simulated shop, is not made again, and gives way to the shop's own.
    sample = train(sample_histories(900, now=YOUNG), now=YOUNG, plan=PLAN, source="sample").model
    assert sample.predict(rows)[0].model_source == "simulated"
    assert begin([], YOUNG, current=sample).model.metadata["source"] == "prior"
    with pytest.raises(CannotTrainError, match=missing):
        begin(until(YOUNG, customers=40), YOUNG, current=trained.model)
    with pytest.raises(CannotTrainError, match="the orders span"):
        train_or_begin(until(YOUNG), now=YOUNG, plan=PLAN, current=None, source="sample")
    grown = begin(until(YOUNG), YOUNG, current=trained.model).model
    assert grown.predict(rows)[0].model_source == "shop"
