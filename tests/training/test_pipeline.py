"""Training on the simulated shop, whose truth is known, and on histories that do not make a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pytest

from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES
from churn.ml.loading import LearnedModel, read_model
from churn.ml.metrics import measure
from churn.ml.random_forest import ChurnModel
from churn.training import CannotTrainError, InUse, Plan, TrainedModel, table, train
from churn.training.evaluation import probabilities
from churn.training.snapshots import cut_offs, scan_histories, take_snapshots
from infra.tools.simulator import SimulatedCustomer, simulate, true_churn_probability

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = NOW - timedelta(days=548)
PLAN = Plan(trees=60, search=False)


@lru_cache
def shop() -> list[SimulatedCustomer]:
    return list(simulate(2500, seed=11, start=START, end=NOW))


def histories_of(customers: Sequence[SimulatedCustomer]) -> list[tuple[str, list[Event]]]:
    return [(customer.customer_id, customer.events) for customer in customers]


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    return train(histories_of(shop()), now=NOW, plan=PLAN)


def in_use(trained: TrainedModel[LearnedModel]) -> InUse:
    """Return a trained model as the registry gives it once it serves."""
    return InUse(trained.model, trained.tested or trained.model)


def truth(report_at: datetime) -> dict[str, float]:
    """Return the figures of somebody who knows each rate and drop-out, on customers who ordered in the look-back."""
    expected, churned = [], []
    for customer in shop():
        orders = [event.timestamp for event in customer.events if event.event_type == "order_placed"]
        if any(report_at - timedelta(days=PLAN.lookback_days) <= at < report_at for at in orders):
            expected.append(true_churn_probability(customer, report_at, PLAN.horizon_days))
            end = report_at + timedelta(days=PLAN.horizon_days)
            churned.append(not any(report_at <= at < end for at in orders))
    return measure(np.array(expected), np.array(churned))


def test_the_forest_beats_recency_alone_and_comes_near_the_truth() -> None:
    report = trained().report
    forest, recency = report["forest"], report["recency"]
    best = truth(datetime.fromisoformat(trained().model.metadata["tested_at"]))
    print(table(report), f"\nhidden state    {best}")
    assert forest["auc"] > recency["auc"] + 0.03
    assert forest["brier"] < recency["brier"] - 0.01
    assert forest["top_decile_lift"] > recency["top_decile_lift"]
    # Nobody who sees events only knows the moment of the drop-out: most of the way from chance is as far as it goes.
    assert 0.7 < (forest["auc"] - 0.5) / (best["auc"] - 0.5) < 1


def test_probabilities_are_calibrated_on_the_held_out_window() -> None:
    report = trained().report
    # The window's own churn rate and Brier score leave room for a mean that is off by little only.
    assert report["forest"]["brier"] < report["churned"] * (1 - report["churned"])
    assert trained().model.metadata["calibration"]["slope"] > 0


def test_the_held_out_window_lies_after_all_windows_learned_from() -> None:
    metadata = (trained().tested or trained().model).metadata
    tested_at = datetime.fromisoformat(metadata["tested_at"])
    for fitted_at in metadata["fitted_at"]:
        assert datetime.fromisoformat(fitted_at) + timedelta(days=PLAN.horizon_days) <= tested_at
    assert tested_at + timedelta(days=PLAN.horizon_days) <= NOW


def test_the_model_is_the_same_when_read_again_and_the_same_for_the_same_histories() -> None:
    model = trained().model
    metrics = read_model(model.to_bytes()).metadata["metrics"]
    assert metrics.items() <= trained().report.items()
    few, plan = histories_of(shop()[:900]), Plan(trees=8, search=False)
    assert train(few, now=NOW, plan=plan).model.version == train(few, now=NOW, plan=plan).model.version


def test_what_the_shop_does_not_send_is_missing_and_no_split_asks_for_it() -> None:
    orders = [
        (customer_id, [event for event in events if event.event_type == "order_placed"])
        for customer_id, events in histories_of(shop()[:1200])
    ]
    model = train(orders, now=NOW, plan=Plan(trees=20, search=False)).model
    unknown = ("support_tickets", "product_returns", "email_engagement", "login_frequency", "payment_failures")
    row = {"total_orders": 4.0, "days_since_last_order": 50.0, "account_age_days": 200.0}
    known_or_not = model.predict([row, {**row, **dict.fromkeys(unknown, 1.0)}])
    assert known_or_not[0].churn_probability == known_or_not[1].churn_probability
    assert all(known_or_not[0].contributions[name] == 0 for name in unknown)


def test_events_after_a_cut_off_change_no_feature_before_it() -> None:
    plan = Plan(trees=8, search=False, blend=False)
    whole = histories_of(shop()[:900])
    trained = train(whole, now=NOW, plan=plan)
    model = trained.tested or trained.model
    last_seen = datetime.fromisoformat(model.metadata["fitted_at"][-1]) + timedelta(days=plan.horizon_days)
    later = [event for _, events in whole for event in events if event.timestamp >= last_seen]
    stripped = [
        (customer_id, [e for e in events if e.timestamp < last_seen or e.event_type == "order_placed"])
        for customer_id, events in whole
    ]
    assert later
    trained = train(stripped, now=NOW, plan=plan)
    again = trained.tested or trained.model
    assert isinstance(model, ChurnModel)
    assert isinstance(again, ChurnModel)
    features = np.random.default_rng(1).gamma(1, 50, (200, len(FEATURE_NAMES)))
    assert (model.raw(features) == again.raw(features)).all()


def test_a_model_no_worse_passes_the_gate_and_a_worse_one_does_not() -> None:
    histories = histories_of(shop()[:1500])
    quick = Plan(trees=60, search=False)
    good = train(histories, now=NOW, plan=quick)
    assert good.model.metadata["gate"]["compared_with"] is None
    again = train(histories, now=NOW, plan=quick, current=in_use(good))
    assert again.model.metadata["gate"]["passed"]
    assert again.model.metadata["gate"]["compared_with"] == good.model.version
    overcautious = (good.tested or good.model).with_metadata(calibration={"slope": 0.01, "intercept": 3.0})
    assert train(histories, now=NOW, plan=quick, current=InUse(overcautious, overcautious)).model.metadata["gate"][
        "passed"
    ]
    blind = train(histories, now=NOW, plan=Plan(trees=1, seed=2, search=False), current=in_use(good))
    assert not blind.model.metadata["gate"]["passed"]
    assert any("AUC" in reason and "worse" in reason for reason in blind.model.metadata["gate"]["reasons"])
    assert "model in use" in table(blind.report)


@pytest.mark.parametrize(
    ("customers", "days", "says"),
    [
        (0, 548, "there are no orders$"),
        (40, 548, r"customers' snapshots .*; 200 are needed"),
        (400, 120, r"the orders span 1..\.. days; 217 are needed"),
    ],
)
def test_too_little_history_is_refused_with_what_is_needed(customers: int, days: int, says: str) -> None:
    small = histories_of(list(simulate(customers, seed=1, start=NOW - timedelta(days=days), end=NOW)))
    with pytest.raises(CannotTrainError, match=says):
        train(small, now=NOW)


def test_customers_who_all_stay_are_refused() -> None:
    loyal = [
        (
            f"C-{number}",
            [
                Event(
                    f"{number}-{day}", "order_placed", f"C-{number}", START + timedelta(days=day), {"order_value": 10.0}
                )
                for day in range(number % 7, 548, 7)
            ],
        )
        for number in range(250)
    ]
    with pytest.raises(CannotTrainError, match=r"all 1000 customers .* stayed: .* at least 30 who left"):
        train(loyal, now=NOW)


def test_windows_that_overlap_are_refused() -> None:
    plan = Plan(test_at=NOW - timedelta(days=100), fit_at=(NOW - timedelta(days=150),))
    with pytest.raises(CannotTrainError, match="reaches into the window that is tested"):
        train(histories_of(shop()[:300]), now=NOW, plan=plan)


def test_histories_that_can_be_gone_through_once_only_are_refused() -> None:
    with pytest.raises(TypeError, match="twice"):
        train(iter(histories_of(shop()[:3])), now=NOW)


def test_a_feature_that_knows_the_answer_is_refused_by_its_name() -> None:
    end = Plan().horizon_days
    leaking = []
    for customer_id, events in histories_of(shop()[:600]):
        orders = [event.timestamp for event in events if event.event_type == "order_placed"]
        # At each cut-off that could be chosen, whoever orders in the window after it has just logged in.
        log_ins = [
            Event(f"leak-{day}", "login", customer_id, START + timedelta(days=day), {})
            for day in range(30, 548)
            if any(START + timedelta(days=day) <= at < START + timedelta(days=day + end) for at in orders)
        ]
        kept = [event for event in events if event.event_type == "order_placed"]
        leaking.append((customer_id, kept + log_ins))
    with pytest.raises(CannotTrainError, match=r"login_frequency alone tells who left \(ROC AUC (0\.9[89]\d|1\.000)"):
        train(leaking, now=NOW, plan=Plan(trees=4, search=False))


def test_orders_that_all_have_one_time_are_refused() -> None:
    def orders(number: int) -> list[Event]:
        days = [450, *([300] if number % 2 else []), *([100] if number % 3 else []), 0]
        return [
            Event(f"{number}-{day}", "order_placed", f"C-{number}", NOW - timedelta(days=day), {"order_value": 5.0})
            for day in days
        ]

    alike = [(f"C-{number}", orders(number)) for number in range(800)]
    plan = Plan(lookback_days=500, fit_at=(NOW - timedelta(days=360),), test_at=NOW - timedelta(days=150), search=False)
    with pytest.raises(CannotTrainError, match="ordered last at the same time"):
        train(alike, now=NOW, plan=plan)


def test_columns_that_do_not_vary_are_not_asked_and_told() -> None:
    orders = [
        (customer_id, [event for event in events if event.event_type == "order_placed"])
        for customer_id, events in histories_of(shop()[:800])
    ]
    report = train(orders, now=NOW, plan=Plan(trees=4, search=False)).report
    assert {"support_tickets", "login_frequency", "loyalty_points"} <= set(report["constant"])
    assert "days_since_last_order" not in report["constant"]


def test_the_forest_knows_what_to_do_where_the_twelve_features_alone_are_told() -> None:
    held_out, model = trained().held_out, trained().tested or trained().model
    assert held_out is not None
    whole = measure(probabilities(model, held_out.inputs), held_out.churned)
    twelve = measure(probabilities(model, held_out.inputs[:, : len(FEATURE_NAMES)]), held_out.churned)
    assert twelve["auc"] > whole["auc"] - 0.01
    assert twelve["brier"] < whole["brier"] + 0.003


def test_windows_learned_from_end_the_embargo_before_the_one_held_out() -> None:
    report = train(histories_of(shop()[:700]), now=NOW, plan=Plan(trees=4, embargo_days=20, search=False)).report
    *learned, held_out = (datetime.fromisoformat(window["cut_off"]) for window in report["windows"])
    assert max(learned) + timedelta(days=90 + 20) <= held_out


def test_all_snapshots_of_a_customer_are_on_one_side_of_a_split() -> None:
    extent = scan_histories(histories_of(shop()[:300]), NOW, lambda _: None)
    plan = Plan()
    windows = take_snapshots(histories_of(shop()[:300]), cut_offs(extent, plan), extent, plan, lambda _: None)
    sides: dict[int, set[int]] = {}
    for window in windows:
        for number, fold in zip(window.numbers, window.folds.tolist(), strict=True):
            sides.setdefault(number, set()).add(fold)
    assert all(len(folds) == 1 for folds in sides.values())
    assert {fold for folds in sides.values() for fold in folds} == {0, 1, 2, 3}
