"""The file of snapshots: what a version is trained and tested on, and nothing else."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import numpy as np
import pytest

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES
from churn.ml.metrics import roc_auc
from churn.training import Plan, train
from infra.tools.dataset import dataset
from tests.support.events import without_value
from tests.training.test_pipeline import NOW, histories_of, shop

_PLAN = Plan(trees=10, search=False)


def test_the_rows_are_those_that_a_version_learns_from_and_is_tested_on() -> None:
    histories = histories_of(shop()[:900])
    table, trained = dataset(histories, now=NOW, plan=_PLAN), train(histories, now=NOW, plan=_PLAN)
    rows, window = table.to_pylist(), trained.held_out
    assert window is not None
    counted = {
        (window["cut_off"], window["role"]): (window["customers"], window["churned"])
        for window in trained.report["windows"]
    }
    for (cut_off, role), (customers, churned) in counted.items():
        at = datetime.fromisoformat(cut_off)
        here = [row for row in rows if row["cut_off"] == at]
        assert {row["split"] for row in here} == {role.replace(" ", "_")}
        assert (len(here), np.mean([row["churned"] for row in here])) == (customers, pytest.approx(churned))
    assert len(rows) == sum(customers for customers, _ in counted.values())
    held_out = [row for row in rows if row["split"] == "held_out"]
    inputs = np.array([[row[name] for name in INPUT_NAMES] for row in held_out], dtype=np.float64)
    np.testing.assert_array_equal(inputs, window.inputs)


def test_customers_are_named_by_a_hash_or_by_their_ids() -> None:
    histories = histories_of(shop()[:900])
    hashed = dataset(histories, now=NOW, plan=_PLAN)["customer"].to_pylist()
    plain = dataset(histories, now=NOW, plan=_PLAN, with_ids=True)["customer"].to_pylist()
    assert {*plain} <= {customer_id for customer_id, _ in histories}
    assert hashed == [sha256(customer_id.encode()).hexdigest()[:16] for customer_id in plain]


def test_the_file_reproduces_a_figure_of_the_report() -> None:
    histories = histories_of(shop()[:900])
    rows = dataset(histories, now=NOW, plan=_PLAN).to_pylist()
    held_out = [row for row in rows if row["split"] == "held_out"]
    recency = np.array([row["days_since_last_order"] for row in held_out])
    auc = roc_auc(recency, np.array([row["churned"] for row in held_out]))
    assert auc == pytest.approx(train(histories, now=NOW, plan=_PLAN).report["recency"]["auc"], abs=1e-9)


def test_the_label_is_that_nothing_was_ordered_and_what_is_not_known_is_null() -> None:
    orders = [
        (customer_id, [event for event in events if event.event_type == "order_placed"])
        for customer_id, events in histories_of(shop()[:900])
    ]
    table = dataset(orders, now=NOW, plan=_PLAN)
    for row in table.to_pylist():
        assert row["churned"] == (row["days_with_order_after"] == 0) == (row["spent_after"] == 0)
    assert table["login_frequency"].null_count == table.num_rows
    assert table["total_orders"].null_count == 0
    assert {*FEATURE_NAMES} <= {*table.column_names}
    assert "customer_id" not in table.column_names


def test_spend_that_nobody_told_is_null_and_the_label_is_known_all_the_same() -> None:
    orders = [
        (customer_id, [without_value(event) for event in events if event.event_type == "order_placed"])
        for customer_id, events in histories_of(shop()[:900])
    ]
    table = dataset(orders, now=NOW, plan=_PLAN)
    for row in table.to_pylist():
        assert row["churned"] == (row["days_with_order_after"] == 0)
        assert row["total_spent"] is None
        assert row["spent_after"] == (0 if row["churned"] else None)
