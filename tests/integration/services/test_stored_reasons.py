"""Reasons are worked out where a score has moved, and what is stored tells which instant it explains."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.domain.features import Features
from churn.domain.model import Prediction
from churn.domain.timestamps import iso
from churn.services.customers import Customers
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import customer, rows

_SETTINGS = Settings.from_environment({"SWEEP_AFTER_HOURS": "1"})
_WHO = "CUST-001"


class _Counting(RecencyModel):
    """Counts the rows that reasons are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.explained = 0

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        self.explained += len(rows)
        return super().predict(rows)


@pytest.fixture
def model() -> _Counting:
    return _Counting()


@pytest.fixture
def scoring(database: Database, model: _Counting) -> Scoring:
    return Scoring(database, model, _SETTINGS)


def _sweep(scoring: Scoring, days: float) -> int:
    return sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True).scored


def _stored(database: Database) -> dict[str, Any]:
    (row,) = rows(database, "SELECT contributions FROM customer_states")
    reasons: dict[str, Any] = json.loads(row["contributions"])
    return reasons


def test_a_score_that_has_hardly_moved_keeps_its_reasons(
    database: Database, model: _Counting, scoring: Scoring
) -> None:
    scoring.apply([order(days_ago=30)], now=NOW)
    before = _stored(database)
    assert _sweep(scoring, 0.4) == 1
    assert customer(database)["churn_probability"] == pytest.approx(0.304)
    assert (model.explained, _stored(database)) == (1, before)
    answer = Customers(database, _SETTINGS).get(_WHO, NOW + timedelta(days=0.4))
    assert answer["explained_at"] == iso(NOW)
    points = sum(driver["contribution"] for driver in answer["drivers"])
    assert answer["base_probability"] is not None
    assert answer["other_contributions"] is not None
    total = answer["base_probability"] + points + answer["other_contributions"]
    assert total == pytest.approx(answer["churn_probability"], abs=1e-9)


def test_a_score_that_has_moved_by_half_a_point_gets_new_reasons(
    database: Database, model: _Counting, scoring: Scoring
) -> None:
    scoring.apply([order(days_ago=30)], now=NOW)
    _sweep(scoring, 0.4)
    _sweep(scoring, 0.6)
    assert model.explained == 2
    assert _stored(database)["contributions"]["days_since_last_order"] == pytest.approx(0.306)
    explained_at = Customers(database, _SETTINGS).get(_WHO, NOW + timedelta(days=1))["explained_at"]
    assert explained_at == iso(NOW + timedelta(days=0.6))


def test_whoever_has_no_reasons_gets_them_at_the_next_score(
    database: Database, model: _Counting, scoring: Scoring
) -> None:
    scoring.apply([order(days_ago=30)], now=NOW)
    database.run(lambda transaction: transaction.execute("UPDATE customer_states SET contributions = NULL"))
    assert Customers(database, _SETTINGS).get(_WHO, NOW)["explained_at"] is None
    _sweep(scoring, 0.1)
    assert model.explained == 2
    assert _stored(database)["contributions"]["days_since_last_order"] == pytest.approx(0.301)


def test_reasons_of_before_tell_no_instant(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=30)], now=NOW)
    statement = "UPDATE customer_states SET contributions = JSON_REMOVE(contributions, '$.as_of')"
    database.run(lambda transaction: transaction.execute(statement))
    answer = Customers(database, _SETTINGS).get(_WHO, NOW)
    assert (answer["explained_at"], bool(answer["drivers"])) == (None, True)


def test_an_alert_of_the_sweep_tells_its_strongest_reason(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=30)], now=NOW)
    _sweep(scoring, 31)
    (alert,) = rows(database, "SELECT reason FROM alerts WHERE alert_type = 'churn_risk'")
    assert alert["reason"] == "The last order was 61 days ago: this raises the risk by 61 points."


def test_nothing_is_left_of_the_reasons_of_an_erased_customer(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=30)], now=NOW)
    scoring.apply([event("customer_deleted")], now=NOW)
    assert [row["contributions"] for row in rows(database, "SELECT contributions FROM customer_states")] == [None]
