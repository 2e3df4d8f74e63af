"""What a database holds, for tests: rows, a customer, and the comparison of all that is kept with the histories."""

import json
from collections import Counter

from churn.adapters.mysql import Database, orders, totals
from churn.adapters.mysql import events as history
from churn.adapters.mysql.database import Row
from churn.domain.customer import replay
from churn.domain.customer_record import CustomerRecord
from churn.domain.features import features_at
from churn.domain.orders import MemoryLedger, Order
from churn.domain.timestamps import from_millis, to_millis


def rows(database: Database, query: str) -> list[Row]:
    """Return the rows of a query."""
    return database.run(lambda transaction: transaction.rows(query))


def customer(database: Database, customer_id: str = "CUST-001") -> Row:
    """Return a customer's row."""
    (row,) = rows(database, f"SELECT * FROM customers WHERE customer_id = '{customer_id}'")
    return row


def kept_and_counted(database: Database) -> tuple[Counter[str], Counter[str]]:
    """Return the kept sums, and the same sums counted again from the tables."""
    names = ("customers:", "probability", "revenue", "bins:", "alerts:", "predictions:")
    names = ("customers:", "probability", "revenue", "bins:", "alerts:", "predictions:")
    kept = database.run(lambda transaction: totals.read(transaction, *names))
    counted: Counter[str] = Counter()
    for row in rows(database, "SELECT * FROM customers"):
        counted.update(CustomerRecord.from_row(row).share_of_totals())
    counted.update(f"alerts:{row['status']}:{row['priority']}" for row in rows(database, "SELECT * FROM alerts"))
    counted.update(f"predictions:{row['risk_level']}" for row in rows(database, "SELECT * FROM predictions"))
    return +kept, +counted


def stored_orders(database: Database) -> dict[str, list[Order]]:
    """Return every customer's orders, by customer id."""
    keys = {row["id"]: row["customer_id"] for row in rows(database, "SELECT id, customer_id FROM customers")}
    stored = database.run(lambda transaction: orders.of_customers(transaction, sorted(keys)))
    return {keys[pk]: [*own.values()] for pk, own in stored.items()}


def compare_with_histories(database: Database) -> int:
    """Assert that states, orders, records and sums are what a clean replay of the histories and a recount give.

    Return the number of customers who have a history.
    """
    placed = stored_orders(database)
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
        assert (row["total_orders"], float(row["total_spent"])) == (features["total_orders"], features["total_spent"])
        assert row["last_order_at"] == state.last_order_at
        waiting = [event.timestamp for event in events if to_millis(event.timestamp) > clock]
        assert row["due_at"] == min(waiting, default=None)
        replayed.add(customer_id)
    assert placed == {}
    assert {row["customer_id"] for row in states.values() if not row["deleted"]} == replayed
    kept, counted = kept_and_counted(database)
    assert kept == counted
    return len(replayed)
