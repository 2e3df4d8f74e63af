"""Folding against a real database: events ahead of the clock, any split, and accounts of many orders."""

import json
import random
from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql import events as history
from churn.domain.cohorts import unpack_days
from churn.domain.customer import replay
from churn.domain.events import Event
from churn.domain.timestamps import DAY, to_millis
from churn.entrypoints.kafka import decode, score_records
from churn.services import hourly_stats
from churn.services.rescoring import Swept, sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.kafka import batch_of, wire
from tests.support.models import RecencyModel
from tests.support.stored import customer, kept_and_counted, rows

_TABLES = ("customers", "customer_states", "events", "orders", "predictions", "alerts", "alert_weeks", "totals")


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), Settings.from_environment({}))


def _sweep(scoring: Scoring, days: float) -> Swept:
    return sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)


def _ahead(days: float, kind: str = "order_placed") -> Event:
    return order(days_ago=-days) if kind == "order_placed" else event(kind, days_ago=-days)


def test_an_event_ahead_of_the_clock_counts_from_its_own_time_on(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=10)], now=NOW)
    applied = scoring.apply([_ahead(0.01)], now=NOW)
    row = customer(database)
    assert (applied.events, applied.predictions) == (1, [])
    assert (row["total_orders"], row["scored_at"], row["due_at"]) == (1, NOW, NOW + timedelta(days=0.01))
    assert _sweep(scoring, 0.009).scored == 0
    assert _sweep(scoring, 0.01).scored == 1
    row = customer(database)
    assert (row["total_orders"], row["last_order_at"], row["due_at"]) == (2, NOW + timedelta(days=0.01), None)
    assert _sweep(scoring, 0.011).scored == 0


def test_a_batch_takes_along_customers_whose_events_are_due(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=10), _ahead(0.01), _ahead(3)], now=NOW)
    scoring.apply([order("ANOTHER", days_ago=1)], now=NOW + timedelta(days=0.02))
    row = customer(database)
    assert (row["total_orders"], row["due_at"]) == (2, NOW + timedelta(days=3))


def test_events_ahead_move_no_clock(database: Database, scoring: Scoring) -> None:
    logins = [_ahead(23 / 24 * number, "login") for number in range(300)]
    scoring.apply([order(days_ago=10), *logins], now=NOW)
    row = customer(database)
    assert (row["status"], row["scored_at"]) == ("new", NOW)
    assert [prediction["as_of"] for prediction in rows(database, "SELECT as_of FROM predictions")] == [NOW]
    assert rows(database, "SELECT id FROM alerts") == []


def test_a_failed_payment_that_lies_ahead_alerts_when_its_time_has_come(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=1), _ahead(0.5, "payment_failed")], now=NOW)
    assert rows(database, "SELECT id FROM alerts") == []
    assert _sweep(scoring, 0.6).alerts == 1


def test_erasing_is_not_put_off(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=1), _ahead(2, "customer_deleted")], now=NOW)
    assert rows(database, "SELECT deleted FROM customers") == [{"deleted": 1}]
    assert rows(database, "SELECT order_id FROM orders") == []


def _all_rows(database: Database) -> dict[str, list[Any]]:
    """Return what the events of all customers came to, without keys that depend on the order of the batches."""
    customers = rows(
        database,
        "SELECT c.customer_id, c.status, c.churn_probability, c.total_orders, c.total_spent, c.last_order_at, "
        "c.due_at, c.scored_at, s.state FROM customers c JOIN customer_states s ON s.customer_pk = c.id ORDER BY 1",
    )
    alerts = rows(
        database,
        "SELECT c.customer_id, a.alert_type FROM alerts a JOIN customers c ON c.id = a.customer_pk ORDER BY 1, 2",
    )
    stored = rows(database, "SELECT order_id, placed_at, cents, discounted, cancelled_at FROM orders ORDER BY 1")
    kept, anew = kept_and_counted(database)
    assert kept == anew
    return {"customers": customers, "alerts": alerts, "orders": stored}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_split_gives_the_same_rows_and_alerts_with_events_ahead(
    database: Database, scoring: Scoring, seed: int
) -> None:
    chance = random.Random(seed)

    def who() -> str:
        return f"C-{chance.randint(1, 4)}"

    def days() -> float:
        return chance.uniform(-5, 120)

    events: list[Event] = []
    for number in range(120):
        customer_id = who()
        events.append(
            chance.choice(
                [
                    order(
                        customer_id,
                        days_ago=days(),
                        value=chance.choice([0, 5, 80]),
                        order_id=f"{customer_id}-{number}",
                    ),
                    event("order_cancelled", customer_id, days_ago=days(), order_id=f"o{number - 20}"),
                    event("login", customer_id, days_ago=days()),
                    event("loyalty_points_changed", customer_id, days_ago=days(), points=0.1),
                    event("payment_failed", customer_id, days_ago=days()),
                ]
            )
        )
    scoring.apply(events, now=NOW)
    _sweep(scoring, 2)
    at_once = _all_rows(database)
    for table in _TABLES:
        database.run(lambda transaction, table=table: transaction.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    chance.shuffle(events)
    while events:
        batch, events = events[: (size := chance.randint(1, 30))], events[size:]
        scoring.apply(batch, now=NOW)
    _sweep(scoring, 2)
    assert _all_rows(database) == at_once


def test_a_late_balance_of_points_is_exact_though_old_changes_are_summed(database: Database, scoring: Scoring) -> None:
    changes = [event("loyalty_points_changed", days_ago=300 - number / 2, points=1) for number in range(500)]
    for start in range(0, 500, 100):
        scoring.apply(changes[start : start + 100], now=NOW)
    scoring.apply([event("loyalty_points_changed", days_ago=250.25, balance=1000)], now=NOW)
    (row,) = rows(database, "SELECT s.state FROM customer_states s")
    after = sum(change.timestamp > NOW - timedelta(days=250.25) for change in changes)
    assert json.loads(row["state"])["older_points"][1] == (after - 200) * 1_000_000
    (stored,) = dict(history.histories(database)).values()
    assert row["state"] == replay(stored, to_millis(NOW)).to_json()


def test_an_account_of_many_orders_stays_exact_in_the_database(database: Database, scoring: Scoring) -> None:
    chance = random.Random(8)
    events = [order(days_ago=chance.uniform(0, 900), value=10, order_id=f"o{number}") for number in range(1500)]
    events += [event("order_cancelled", days_ago=1, order_id=f"o{chance.randint(0, 1499)}") for _ in range(300)]
    chance.shuffle(events)
    for start in range(0, len(events), 300):
        scoring.apply(events[start : start + 300], now=NOW)
    newest = sorted(events, key=lambda one: one.timestamp)[-30:]
    scoring.apply(
        [event("order_cancelled", days_ago=0, order_id=one.order_id) for one in newest if one.data.get("order_value")],
        now=NOW,
    )
    (row,) = rows(database, "SELECT s.state FROM customer_states s")
    ((_, stored),) = history.histories(database, page=5000)
    assert row["state"] == replay(stored, to_millis(NOW)).to_json()
    assert len(row["state"]) < 20_000


def test_an_order_of_value_0_over_kafka_is_stored_and_counts_nowhere(database: Database, scoring: Scoring) -> None:
    paid, free = order(days_ago=200, value=20), order(days_ago=1, value=0)
    results, failed = score_records(decode(batch_of(wire(paid), wire(free)), NOW), scoring, NOW)
    assert (sum(result.events for result in results), failed) == (2, [])
    row = customer(database)
    assert (row["total_orders"], row["last_order_at"], row["status"]) == (1, paid.timestamp, "lapsed")
    assert unpack_days(row["order_days"]) == (paid.at // DAY,)
    settings = Settings.from_environment({})
    hourly_stats.rebuild(database, settings, NOW)
    (now,) = rows(database, "SELECT active_customers FROM hourly_stats ORDER BY hour DESC LIMIT 1")
    assert now == {"active_customers": 0}
    assert len(rows(database, "SELECT 1 FROM orders")) == 2
