"""The history of events: which are known already, the new ones, and whole histories for training."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from churn.adapters.mysql.database import Database, Transaction
from churn.domain.events import Event

_PAGE = 500


def known(transaction: Transaction, pairs: Sequence[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of the pairs (customer's key, event id) that are in the history."""
    found: set[tuple[int, str]] = set()
    for start in range(0, len(pairs), _PAGE):
        chunk = pairs[start : start + _PAGE]
        # A join with a list of rows: both servers look each pair up by the primary key, which a row constructor
        # behind IN is no guarantee of.
        listed = "SELECT %s AS pk, %s AS id" + " UNION ALL SELECT %s, %s" * (len(chunk) - 1)
        rows = transaction.rows(
            f"SELECT STRAIGHT_JOIN e.customer_pk, e.event_id FROM ({listed}) AS asked "
            "JOIN events AS e ON e.customer_pk = asked.pk AND e.event_id = asked.id COLLATE utf8mb4_bin",
            [value for pair in chunk for value in pair],
        )
        found.update((int(row["customer_pk"]), row["event_id"]) for row in rows)
    return found


def add(transaction: Transaction, events: Sequence[tuple[int, Event]]) -> None:
    """Adds events, each with its customer's key, to the history."""
    transaction.insert_many(
        "INSERT INTO events (customer_pk, event_id, event_type, occurred_at, data)",
        [
            (pk, event.event_id, event.event_type, event.timestamp, json.dumps(event.data, separators=(",", ":")))
            for pk, event in events
        ],
    )


def observed(transaction: Transaction) -> dict[str, int]:
    """Since when the shop sends each kind of event (churn.domain.features.Observed)."""
    return {
        row["kind"]: row["since_millis"] for row in transaction.rows("SELECT kind, since_millis FROM observed_kinds")
    }


def observe(transaction: Transaction, kinds: Mapping[str, int]) -> None:
    """Remembers since when kinds of events have been seen; the earliest instant stays."""
    transaction.insert_many(
        "INSERT INTO observed_kinds (kind, since_millis)",
        sorted(kinds.items()),
        "ON DUPLICATE KEY UPDATE since_millis = LEAST(since_millis, VALUES(since_millis))",
    )


def histories(database: Database, *, page: int = 1000) -> Iterator[tuple[str, list[Event]]]:
    """Every customer's id and events, by ranges of the key: memory stays that of one page."""
    after = 0
    while True:
        rows = database.run(
            lambda transaction, after=after: transaction.rows(  # type: ignore[misc]
                "SELECT c.id, c.customer_id, e.event_id, e.event_type, e.occurred_at, e.data "
                "FROM (SELECT id, customer_id FROM customers WHERE id > %s ORDER BY id LIMIT %s) AS c "
                "LEFT JOIN events AS e ON e.customer_pk = c.id ORDER BY c.id",
                (after, page),
            )
        )
        if not rows:
            return
        for customer_id, of_one in groupby(rows, key=lambda row: str(row["customer_id"])):
            events = [
                Event(row["event_id"], row["event_type"], customer_id, row["occurred_at"], json.loads(row["data"]))
                for row in of_one
                if row["event_id"] is not None
            ]
            if events:
                yield customer_id, events
        after = rows[-1]["id"]
