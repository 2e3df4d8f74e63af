"""Who ordered again, by the month or week of the first order: always what a recount of the orders gives."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction, totals
from churn.domain import orders
from churn.domain.events import Event
from churn.services.cohorts import cohort_table
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.stored import compare_with_histories, customer, recounted_cohorts, rows, stored_orders

_SETTINGS = Settings.from_environment({})


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _at(customer_id: str, day: str, order_id: str = "", **data: Any) -> Event:
    days_ago = (NOW - datetime.fromisoformat(f"{day}T09:00:00+00:00")) / timedelta(days=1)
    return order(customer_id, days_ago=days_ago, **data | ({"order_id": order_id} if order_id else {}))


def _shares(database: Database, number: int = 3, now: datetime = NOW) -> list[list[Any]]:
    table = cohort_table(database, "month", number, now)
    return [[one["customers"], *(age["customers"] for age in one["ages"])] for one in table["cohorts"]]


def _agrees(database: Database) -> None:
    kept = database.run(lambda transaction: totals.read(transaction, "cohorts:"))
    assert Counter({name: value for name, value in kept.items() if value}) == recounted_cohorts(
        stored_orders(database).values()
    )


def test_a_cohort_is_who_ordered_first_and_each_age_who_ordered_then(scoring: Scoring, database: Database) -> None:
    scoring.apply(
        [
            _at("A", "2026-09-02"), _at("A", "2026-09-30"), _at("A", "2026-11-01"),
            _at("B", "2026-09-30"), _at("B", "2026-09-30"), _at("B", "2026-10-31"),
            _at("C", "2026-09-15"), _at("C", "2026-11-02", value=0),
            _at("D", "2026-11-20"), event("login", "E"),
        ],
        now=NOW,
    )  # fmt: skip
    table = cohort_table(database, "month", 3, NOW)
    assert table["is_complete"]
    first, second, third = table["cohorts"]
    assert [one["first_day"] for one in table["cohorts"]] == ["2026-09-01", "2026-10-01", "2026-11-01"]
    # Two orders of one day are one occasion, and what costs nothing is no order.
    assert [first["customers"], [age["customers"] for age in first["ages"]]] == [3, [1, 1, 1]]
    assert [age["share"] for age in first["ages"]] == [0.3333] * 3
    assert [age["is_complete"] for age in first["ages"]] == [True, True, False]
    assert [age["first_day"] for age in first["ages"]] == ["2026-09-01", "2026-10-01", "2026-11-01"]
    # Nobody began in October: no share of nobody; and what has not begun is not 0.
    assert [[age["customers"], age["share"]] for age in second["ages"]] == [[0, None], [0, None], [None, None]]
    assert [[age["customers"], age["share"]] for age in third["ages"]] == [[0, 0.0], [None, None], [None, None]]
    assert [first["is_complete"], third["is_complete"], third["customers"]] == [True, False, 1]


def test_late_events_cancellations_corrections_and_erasures_move_customers(
    scoring: Scoring, database: Database
) -> None:
    scoring.apply([_at("A", "2026-10-05", "o1"), _at("A", "2026-11-05", "o2"), _at("B", "2026-11-06")], now=NOW)
    assert _shares(database) == [[0, 0, 0, 0], [1, 0, 1, None], [1, 0, None, None]]
    scoring.apply([_at("A", "2026-09-05", "o0")], now=NOW)
    assert _shares(database) == [[1, 0, 1, 1], [0, 0, 0, None], [1, 0, None, None]]
    scoring.apply([event("order_cancelled", "A", order_id="o0")], now=NOW)
    assert _shares(database) == [[0, 0, 0, 0], [1, 0, 1, None], [1, 0, None, None]]
    # Sent again with another date: the newest version counts.
    scoring.apply([_at("A", "2026-11-07", "o1")], now=NOW)
    assert _shares(database) == [[0, 0, 0, 0], [0, 0, 0, None], [2, 1, None, None]]
    scoring.apply([event("customer_deleted", "A")], now=NOW)
    assert _shares(database) == [[0, 0, 0, 0], [0, 0, 0, None], [1, 0, None, None]]
    assert rows(database, "SELECT order_days FROM customers WHERE deleted = 1") == [{"order_days": None}]
    _agrees(database)


def test_an_order_that_is_due_later_counts_from_then_on(scoring: Scoring, database: Database) -> None:
    scoring.apply([_at("A", "2026-11-05"), order("A", days_ago=-20)], now=NOW)
    later = NOW + timedelta(days=21)
    assert _shares(database, 2, later) == [[1, 0, 0], [0, 0, None]]
    sweep(scoring, now=later, time_left=lambda: True)
    assert _shares(database, 2, later) == [[1, 0, 1], [0, 0, None]]


def test_weeks_begin_on_monday_and_the_newest_is_that_of_now(scoring: Scoring, database: Database) -> None:
    # NOW is a Monday.
    scoring.apply([_at("A", "2026-11-22"), _at("A", "2026-11-23"), _at("B", "2026-11-16")], now=NOW)
    first, second = cohort_table(database, "week", 2, NOW)["cohorts"]
    assert [first["first_day"], first["customers"], first["ages"][1]["customers"]] == ["2026-11-16", 2, 1]
    assert [second["first_day"], second["customers"]] == ["2026-11-23", 0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [2, 200])
def test_whatever_comes_in_whatever_order_the_sums_are_those_of_a_recount(
    scoring: Scoring, database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, most: int
) -> None:
    monkeypatch.setattr(orders, "MAX_RECENT", most)
    chance = random.Random(seed)
    for number in range(25):
        batch: list[Event] = []
        for _ in range(chance.randint(1, 8)):
            who, days = f"C-{chance.randrange(5)}", chance.choice([chance.uniform(0, 120), -0.01])
            order_id = f"o{chance.randrange(40)}"
            batch.append(
                event("order_cancelled", who, days_ago=days, order_id=order_id)
                if chance.random() < 0.25
                else order(who, days_ago=days, value=chance.choice([0, 5, 5]), order_id=order_id)
            )
        if chance.random() < 0.03:
            batch.append(event("customer_deleted", f"C-{chance.randrange(5)}"))
        scoring.apply(batch, now=NOW + timedelta(minutes=number))
        if chance.random() < 0.1:
            # Made again from the history, as after an upgrade.
            database.run(lambda transaction: transaction.execute("UPDATE customers SET fold_version = 1 LIMIT 2"))
            database.run(
                lambda transaction: transaction.execute(
                    "UPDATE customer_states SET state = JSON_SET(state, '$.fold', 1) ORDER BY customer_pk LIMIT 2"
                )
            )
        if chance.random() < 0.2:
            sweep(scoring, now=NOW + timedelta(minutes=number), time_left=lambda: True)
        _agrees(database)
    compare_with_histories(database)


def test_the_sweep_counts_those_who_were_stored_before_there_were_cohorts(
    scoring: Scoring, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MAX_RECENT", 2)
    scoring.apply([_at("A", f"2026-{month}-05") for month in ("08", "09", "10", "11")], now=NOW)
    scoring.apply([_at("B", "2026-10-06"), event("login", "C")], now=NOW)
    before = _shares(database, 4)
    database.run(lambda transaction: transaction.execute("UPDATE customers SET order_days = NULL"))
    database.run(lambda transaction: transaction.execute("DELETE FROM totals WHERE name LIKE 'cohorts:%%'"))
    assert not cohort_table(database, "month", 1, NOW)["is_complete"]
    assert sweep(scoring, now=NOW, time_left=lambda: True).scored == 3
    assert cohort_table(database, "month", 1, NOW)["is_complete"]
    assert _shares(database, 4) == before
    assert before == [[1, 0, 1, 1, 1], [0, 0, 0, 0, None], [1, 0, 0, None, None], [0, 0, None, None, None]]
    assert sweep(scoring, now=NOW, time_left=lambda: True).scored == 0
    _agrees(database)


def test_orders_that_a_version_of_before_has_stored_meanwhile_are_counted_at_the_next_score(
    scoring: Scoring, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MAX_RECENT", 2)
    scoring.apply([_at("A", f"2026-{month}-05") for month in ("08", "09", "10")], now=NOW)
    days = customer(database, "A")["order_days"]
    scoring.apply([_at("A", "2026-07-05")], now=NOW)
    # That version knows of no sums of cohorts: it leaves the column and the sums as they are.
    database.run(lambda transaction: transaction.execute("UPDATE customers SET order_days = %s", (days,)))
    database.run(lambda transaction: transaction.execute("DELETE FROM totals WHERE name LIKE 'cohorts:%%'"))
    database.run(lambda transaction: totals.add(transaction, recounted_cohorts(_without_july(database))))
    scoring.apply([event("login", "A")], now=NOW)
    _agrees(database)


def _without_july(database: Database) -> list[list[orders.Order]]:
    august = datetime(2026, 8, 1, tzinfo=UTC).timestamp() * 1000
    return [[one for one in own if (one.placed_at or 0) >= august] for own in stored_orders(database).values()]


@pytest.mark.parametrize("by", ["month", "week"])
def test_it_is_read_from_ranges_of_indexes(
    scoring: Scoring, database: Database, monkeypatch: pytest.MonkeyPatch, by: Any
) -> None:
    scoring.apply([_at(f"C-{number}", "2026-10-05") for number in range(40)], now=NOW)
    watched = watch_plans(monkeypatch, lambda _: True)
    monkeypatch.setattr(Transaction, "row", lambda *asked: next(iter(Transaction.rows(*asked)), None))
    cohort_table(database, by, 12, NOW)
    plans = rows_of(watched)
    assert [[plan["table"], plan["key"]] for plan in plans] == [
        ["totals", "PRIMARY"],
        ["customers", "customers_by_days"],
    ]
    assert [plan["type"] for plan in plans] == ["range", "ref"]
    assert not any("filesort" in plan["Extra"] or "temporary" in plan["Extra"] for plan in plans)
