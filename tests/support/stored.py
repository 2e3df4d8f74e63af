"""What a database holds, for tests: rows, a customer, and the comparison of all that is kept with the histories."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from churn.adapters.mysql import Database, orders, totals
from churn.adapters.mysql import events as history
from churn.adapters.mysql.alert_counters import newest_of_all
from churn.adapters.mysql.database import Row
from churn.domain.customer import replay
from churn.domain.customer_record import CustomerRecord
from churn.domain.features import features_at
from churn.domain.orders import MemoryLedger, Order
from churn.domain.search_terms import search_words
from churn.domain.timestamps import from_millis, to_millis


def rows(database: Database, query: str) -> list[Row]:
    """Return the rows of a query."""
    return database.run(lambda transaction: transaction.rows(query))


def customer(database: Database, customer_id: str = "CUST-001") -> Row:
    """Return a customer's row."""
    (row,) = rows(database, f"SELECT * FROM customers WHERE customer_id = '{customer_id}'")
    return row


def kept_and_counted(database: Database) -> tuple[Counter[str], Counter[str]]:
    """Return the kept sums, every one of them, and the same sums counted again from the tables."""
    kept = database.run(lambda transaction: totals.read(transaction, ""))
    counted: Counter[str] = Counter()
    for row in rows(database, "SELECT * FROM customers"):
        counted.update(CustomerRecord.from_row(row).share_of_totals())
    kept.update(
        {
            f"alerts_by_week:{row['week']}:{row['alert_type']}:{row['handling']}:{row['outcome']}": int(row["number"])
            for row in rows(database, "SELECT * FROM alert_weeks")
        }
    )
    for row in rows(database, "SELECT *, DATE(IFNULL(counted_on, created_at)) AS day FROM alerts"):
        counted.update([f"alerts:{row['status']}:{row['priority']}", f"alerts_created:{row['day']}"])
        if row["handling"] is not None:
            week = row["day"] - timedelta(days=row["day"].weekday())
            counted.update([f"alerts_by_week:{week}:{row['alert_type']}:{row['handling']}:{row['outcome']}"])
    counted.update(f"predictions:{row['risk_level']}" for row in rows(database, "SELECT * FROM predictions"))
    # A sum that has come to 0 may be kept, and one below 0 is an error that must be seen.
    return _without_zeros(kept), _without_zeros(counted)


def _without_zeros(sums: Counter[str]) -> Counter[str]:
    return Counter({name: value for name, value in sums.items() if value})


def assert_tables_agree(database: Database) -> None:
    """Assert that nothing is stored of nobody, that words are those of their customers, and counters not behind."""
    with_customers = rows(
        database,
        "SELECT table_name AS tab FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND column_name = 'customer_pk'",
    )
    assert len(with_customers) >= 7
    for table in (row["tab"] for row in with_customers):
        # Of who was erased there is the state alone, which is empty.
        there = "c.id = t.customer_pk" + ("" if table == "customer_states" else " AND c.deleted = 0")
        orphans = f"SELECT COUNT(*) AS n FROM `{table}` t WHERE NOT EXISTS (SELECT 1 FROM customers c WHERE {there})"
        assert rows(database, orphans) == [{"n": 0}], table
    words: dict[int, set[str]] = {}
    for row in rows(database, "SELECT word, customer_pk FROM customer_words"):
        words.setdefault(row["customer_pk"], set()).add(row["word"])
    named = rows(database, "SELECT * FROM customers WHERE deleted = 0")
    found = {row["id"]: search_words(row["customer_id"], row["name"], row["email"]) for row in named}
    assert words == found
    newest = database.run(newest_of_all)
    (last,) = rows(
        database,
        "SELECT IFNULL(MAX(id), 0) AS alert, IFNULL(MAX(change_number), 0) AS changed, "
        "IFNULL(MAX(raised_change), 0) AS raised FROM alerts",
    )
    assert newest.alert >= last["alert"]
    assert newest.change >= last["changed"]
    assert newest.a_raise >= last["raised"]


def stored_orders(database: Database) -> dict[str, list[Order]]:
    """Return every customer's orders, by customer id."""
    keys = {row["id"]: row["customer_id"] for row in rows(database, "SELECT id, customer_id FROM customers")}
    stored = database.run(lambda transaction: orders.of_customers(transaction, sorted(keys)))
    return {keys[pk]: [*own.values()] for pk, own in stored.items()}


def recounted_cohorts(orders: Iterable[Iterable[Order]]) -> Counter[str]:
    """Return the sums of cohorts, by their names, counted from the orders of each customer."""
    counted: Counter[str] = Counter()
    for own in orders:
        days = sorted({from_millis(one.placed_at or 0).date() for one in own if one.counts})
        months = [day.replace(day=1) for day in days]
        mondays = [date.fromisocalendar(*day.isocalendar()[:2], 1) for day in days]
        ages = {
            "month": [12 * (one.year - months[0].year) + one.month - months[0].month for one in months[1:]],
            "week": [(one - mondays[0]).days // 7 for one in mondays[1:]],
        }
        for by, first in (("month", months[:1]), ("week", mondays[:1])):
            counted.update(f"cohorts:{by}:{one}" for one in first)
            counted.update({f"cohorts:{by}:{one}:{age:04d}" for one in first for age in ages[by]})
    return counted


def compare_with_histories(database: Database) -> int:
    """Assert that states, orders, records and sums are what a clean replay of the histories and a recount give.

    Return the number of customers who have a history.
    """
    placed = stored_orders(database)
    cohorts = recounted_cohorts(placed.values())
    observed = database.run(history.observed)
    joined = "SELECT c.*, s.state FROM customers c JOIN customer_states s ON s.customer_pk = c.id"
    states = {row["customer_id"]: row for row in rows(database, joined)}
    replayed = set()
    for customer_id, events in history.histories(database):
        row, ledger = states[customer_id], MemoryLedger()
        clock = json.loads(row["state"])["clock"]
        state = replay(events, clock, ledger)
        assert row["state"] == state.to_json()
        assert Counter(placed.pop(customer_id, [])) == Counter(ledger.orders())
        features = features_at(state, from_millis(clock), observed)
        spent = None if row["total_spent"] is None else float(row["total_spent"])
        assert (row["total_orders"], spent) == (features["total_orders"], features["total_spent"])
        assert row["last_order_at"] == state.last_order_at
        assert row["first_seen_at"] == (None if state.since is None else from_millis(state.since))
        waiting = [event.timestamp for event in events if to_millis(event.timestamp) > clock]
        assert row["due_at"] == min(waiting, default=None)
        replayed.add(customer_id)
    assert placed == {}
    assert {row["customer_id"] for row in states.values() if not row["deleted"]} == replayed
    kept, counted = kept_and_counted(database)
    assert kept == counted
    assert cohorts == Counter({name: number for name, number in kept.items() if name.startswith("cohorts:")})
    assert_tables_agree(database)
    return len(replayed)
