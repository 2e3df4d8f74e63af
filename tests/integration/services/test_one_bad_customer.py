"""One customer whose stored data cannot be read fails no list, no sweep, no batch and nobody else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, DatabaseOperationError, customer_states
from churn.adapters.mysql import customers as stored_customers
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES, Features
from churn.domain.model import Prediction
from churn.domain.values import MAX_AMOUNT, MAX_SUM
from churn.domain.what_if import Stored
from churn.entrypoints.http.predictions import answer_many
from churn.entrypoints.kafka import decode, redrive, score_records
from churn.services.customers import CustomerQuery, Customers
from churn.services.imported_hours import HourSpan
from churn.services.rescoring import Swept, sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.tools.importer.storing import import_events
from infra.tools.progress import Progress
from tests.support.events import NOW, event, order
from tests.support.kafka import batch_of, wire
from tests.support.models import RecencyModel
from tests.support.stored import kept_and_counted, rows

_SETTINGS = Settings.from_environment({})
_CUSTOMERS = 30
_FIGURES = (
    "churn_probability", "expected_spend", "value_at_risk", "risk_percentile", "risk_change_7d", "revenue_at_risk",
)  # fmt: skip
_BAD = ("C-07", "C-08", "C-29")
_DAMAGES = ["", "{", "null", "[]", "17", '"text"', '{"fold": 2}', "[" * 100_000]


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


@pytest.fixture
def names(scoring: Scoring) -> list[str]:
    """Store customers who ordered, and return their ids."""
    names = [f"C-{number:02d}" for number in range(_CUSTOMERS)]
    known = [event("customer_registered", name, days_ago=90, name=f"Secret {name}") for name in names]
    scoring.apply([*known, *(order(name, days_ago=number) for number, name in enumerate(names))], now=NOW)
    return names


def _damage(database: Database, state: str, *names: str) -> None:
    for name in names:
        database.run(
            lambda transaction, name=name: transaction.execute(  # type: ignore[misc]
                "UPDATE customer_states SET state = %s "
                "WHERE customer_pk = (SELECT id FROM customers WHERE customer_id = %s)",
                (state, name),
            )
        )


def _sweep(scoring: Scoring, days: float = 3) -> Swept:
    return sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)


def _assert_all_but_the_bad_are_scored(database: Database, swept: Swept, days: float = 3) -> None:
    assert (swept.scored, swept.passed_over, swept.resume_after) == (_CUSTOMERS - len(_BAD), len(_BAD), None)
    scored = rows(database, "SELECT customer_id, scored_at FROM customers ORDER BY customer_id")
    for row in scored:
        assert row["scored_at"] == NOW + timedelta(days=0 if row["customer_id"] in _BAD else days)
    kept, counted = kept_and_counted(database)
    assert kept == counted


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("state", _DAMAGES)
def test_a_sweep_passes_over_who_cannot_be_read(
    database: Database, scoring: Scoring, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    _damage(database, state, *_BAD)
    _assert_all_but_the_bad_are_scored(database, _sweep(scoring))
    keys = {record.__dict__["customer_key"] for record in caplog.records if "customer_key" in record.__dict__}
    assert len(keys) == len(_BAD)
    assert "Secret" not in caplog.text
    assert not any("Secret" in str(record.__dict__) for record in caplog.records)
    # Once they are made again from their histories, they are scored as everybody.
    _damage(database, "{}", *_BAD)
    swept = _sweep(scoring, 4.5)
    assert (swept.scored, swept.passed_over) == (_CUSTOMERS, 0)


class _Fails(RecencyModel):
    """A model that raises, or has no answer, for who ordered so many days ago."""

    def __init__(self, error: Exception | None, days: Sequence[float]) -> None:
        super().__init__()
        self._error = error
        self._days = days

    def _predict(self, row: Features) -> Prediction:
        if row["days_since_last_order"] not in self._days:
            return super()._predict(row)
        if self._error is not None:
            raise self._error
        return replace(super()._predict(row), churn_probability=math.nan)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("error", [ZeroDivisionError(), OverflowError(), ValueError("x"), KeyError("y"), None])
def test_a_sweep_passes_over_whom_nothing_can_be_worked_out_for(database: Database, error: Exception | None) -> None:
    days = [int(name[2:]) + 3.0 for name in _BAD]
    _assert_all_but_the_bad_are_scored(database, _sweep(Scoring(database, _Fails(error, days), _SETTINGS)))


@pytest.mark.usefixtures("names")
def test_a_servers_error_fails_the_sweep(database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DatabaseOperationError("OperationalError", 1290, "read only")

    with monkeypatch.context() as troubled:
        troubled.setattr(stored_customers, "save", refuse)
        with pytest.raises(DatabaseOperationError):
            _sweep(scoring)
    assert _sweep(scoring).scored == _CUSTOMERS
    assert rows(database, "SELECT 1 FROM customers WHERE scored_at IS NULL") == []


@pytest.mark.parametrize("state", _DAMAGES)
def test_a_list_shows_who_cannot_be_read_without_figures(database: Database, names: list[str], state: str) -> None:
    _damage(database, state, *_BAD)
    customers = Customers(database, _SETTINGS)
    listed, cursor = [], None
    while True:
        page = customers.page(CustomerQuery(sort="customer_id", order="asc", limit=4, cursor=cursor), NOW)
        assert page["total"] == _CUSTOMERS
        listed += page["customers"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [customer["customer_id"] for customer in listed] == names
    for customer in listed:
        is_bad = customer["customer_id"] in _BAD
        assert ("error" in customer) == is_bad
        figures: dict[str, Any] = dict(customer)
        assert all((figures[name] is None) for name in (*FEATURE_NAMES, *_FIGURES)) == is_bad
    one = customers.get(_BAD[0], NOW)
    assert (one["error"], one["drivers"], one["total_orders"], one["confidence"]) == (
        listed[7]["error"],
        [],
        None,
        None,
    )


@pytest.mark.usefixtures("names")
def test_a_batch_of_predictions_names_who_cannot_be_read(database: Database) -> None:
    _damage(database, "{", *_BAD)
    customers = Customers(database, _SETTINGS)
    asked = ["C-01", *_BAD, "C-02", "nobody"]
    items = [{"customer_id": name} for name in asked]

    def load(ids: set[str], changed: set[str]) -> Stored:
        return customers.stored(ids, NOW, changed)

    answers: list[dict[str, Any]] = [
        dict(answer) for answer in answer_many(RecencyModel(), items, load, _SETTINGS)["predictions"]
    ]
    assert [answer.get("code") for answer in answers] == [None, 500, 500, 500, None, 404]
    assert [answer["customer_id"] for answer in answers] == asked
    # What the model cannot work with is the matter of that customer alone, too.
    fails = _Fails(ZeroDivisionError(), [2.0])
    again = answer_many(fails, items, load, _SETTINGS)["predictions"]
    assert [dict(answer).get("code") for answer in again] == [None, 500, 500, 500, 500, 404]


@pytest.mark.usefixtures("names")
def test_who_is_due_and_cannot_be_read_holds_up_no_batch(database: Database, scoring: Scoring) -> None:
    ahead = [replace(order(name), timestamp=NOW + timedelta(hours=1)) for name in _BAD]
    scoring.apply(ahead, now=NOW)
    _damage(database, "{", *_BAD)
    later = NOW + timedelta(hours=2)
    assert scoring.apply([order("C-01")], now=later).events == 1
    # The sweep puts them off, so that batches need not try.
    sweep(scoring, now=later, time_left=lambda: True)
    due = "SELECT customer_id FROM customers WHERE due_at <= '2026-11-23 14:00:00'"
    assert rows(database, due) == []
    # And once they can be read, what was due counts.
    _damage(database, "{}", *_BAD)
    _sweep(scoring)
    assert {row["total_orders"] for row in rows(database, "SELECT * FROM customers WHERE customer_id = 'C-07'")} == {2}


def test_sums_that_no_column_holds_stop_nobody(database: Database, scoring: Scoring) -> None:
    orders = [
        Event(f"e-{number}", "order_placed", "RICH", NOW - timedelta(hours=number % 48), {"order_value": MAX_AMOUNT})
        for number in range(10_002)
    ]
    scoring.apply([*orders, order("C-01", value=5)], now=NOW)
    assert _sweep(scoring).scored == 2
    stored = {row["customer_id"]: row for row in rows(database, "SELECT * FROM customers")}
    assert float(stored["RICH"]["total_spent"]) == float(stored["RICH"]["expected_spend"]) == MAX_SUM
    assert float(stored["C-01"]["total_spent"]) == 5
    kept, counted = kept_and_counted(database)
    assert kept == counted
    # What is computed from the state is exact.
    assert Customers(database, _SETTINGS).get("RICH", NOW)["total_spent"] == 10_002e12


def test_large_states_are_swept_whatever_the_server_takes_at_once(small_packets: Database) -> None:
    scoring = Scoring(small_packets, RecencyModel(), _SETTINGS)
    for number in range(40):
        name = f"C-{number:02d}"
        many = [event("login", name, days_ago=day / 10) for day in range(200)]
        scoring.apply([*many, *(order(name, days_ago=day) for day in range(100))], now=NOW)
    [size] = rows(small_packets, "SELECT SUM(LENGTH(state)) AS bytes FROM customer_states")
    assert size["bytes"] > 2 * 64 * 1024
    assert (_sweep(scoring).scored, _sweep(scoring).passed_over) == (40, 0)
    page = Customers(small_packets, _SETTINGS).page(CustomerQuery(limit=100), NOW)
    assert [customer["total_orders"] for customer in page["customers"]] == [100] * 40


@pytest.mark.usefixtures("names")
def test_only_the_own_events_of_who_cannot_be_read_become_dead_letters(database: Database, scoring: Scoring) -> None:
    _damage(database, "{", *_BAD)
    records = decode(batch_of(*(wire(order(name)) for name in ("C-01", _BAD[0], "C-02", _BAD[0]))), NOW)
    done, failed = score_records(records, scoring, NOW)
    assert (sum(result.events for result in done), failed) == (2, [])
    letters = rows(database, "SELECT record_offset, reason FROM dead_letters ORDER BY record_offset")
    assert [(letter["record_offset"], "UnreadableStateError" in letter["reason"]) for letter in letters] == [
        (1, True),
        (3, True),
    ]
    _damage(database, "{}", *_BAD)
    applied, _ = redrive(database, scoring, NOW)
    assert sum(result.events for result in applied) == 2


@pytest.mark.usefixtures("names")
def test_what_reads_all_states_leaves_out_who_cannot_be_read(database: Database) -> None:
    _damage(database, "{", *_BAD)
    keys = [row["id"] for row in rows(database, "SELECT id FROM customers")]
    assert len(list(customer_states.states_by_key(database, keys, NOW))) == _CUSTOMERS - len(_BAD)


def test_an_import_goes_on_behind_who_cannot_be_read(database: Database, scoring: Scoring, names: list[str]) -> None:
    _damage(database, "{", *_BAD)
    orders = sorted((order(name) for name in names), key=lambda one: one.customer_id)
    hours = HourSpan(NOW, inactivity_days=90, starts_empty=False)
    imported = import_events(scoring, orders, Progress("importing"), hours)
    assert (imported.events, imported.refused) == (_CUSTOMERS - len(_BAD), len(_BAD))


@pytest.mark.usefixtures("names")
def test_who_cannot_be_read_can_be_erased(database: Database, scoring: Scoring) -> None:
    _damage(database, "{", *_BAD)
    assert scoring.apply([event("customer_deleted", name) for name in _BAD], now=NOW).events == len(_BAD)
    assert len(rows(database, "SELECT 1 FROM customers WHERE deleted = 1")) == len(_BAD)
    left = rows(database, "SELECT name FROM customers WHERE name IS NOT NULL")
    assert len(left) == _CUSTOMERS - len(_BAD)
    kept, counted = kept_and_counted(database)
    assert kept == counted


def test_a_record_that_is_larger_than_the_database_takes_is_kept_with_its_beginning(small_packets: Database) -> None:
    scoring = Scoring(small_packets, RecencyModel(), _SETTINGS)
    large = b"no json " * 20_000
    for _ in range(2):
        records = decode(batch_of(wire(order("C-01")), large, wire(order("C-02"))), NOW)
        _, failed = score_records(records, scoring, NOW)
        assert failed == []
    [letter] = rows(small_packets, "SELECT reason, record_value FROM dead_letters")
    assert "160,000 bytes" in letter["reason"]
    assert letter["record_value"] == large[: len(letter["record_value"])] != b""
    assert len(rows(small_packets, "SELECT 1 FROM customers")) == 2
