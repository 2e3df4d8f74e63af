"""Tables `events`, the history of every customer, and `observed_kinds`, when each kind of event was first sent."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from churn.adapters.mysql.conditions import Conditions, rows_of_pairs
from churn.adapters.mysql.database import Database, Row, Transaction, placeholders
from churn.adapters.mysql.statement_parts import HASHES
from churn.domain.customer import micro_points
from churn.domain.events import PROFILE_EVENTS, SIMULATED, Event, stored_data
from churn.domain.identifiers import stored_forms
from churn.domain.json_text import write_object
from churn.domain.timeline import Window
from churn.domain.timestamps import from_millis, to_millis

_DETAILS = ("name", "email", "phone")


def known(transaction: Transaction, events: Sequence[tuple[int, Event]]) -> dict[tuple[int, str], bool]:
    """Return which events, each with its customer's key, are in the history by their ids.

    The value of such a pair (customer's key, event id) says whether the history has the very same content.
    """
    existing: dict[tuple[int, str], bool] = {}
    sent = {(pk, event.event_id): event for pk, event in events}
    rows = rows_of_pairs(
        transaction,
        "SELECT STRAIGHT_JOIN e.customer_pk, e.event_id, e.event_type, e.occurred_at, e.data FROM {pairs} AS asked "
        "JOIN events AS e ON e.customer_pk = asked.pk AND e.event_id = asked.id COLLATE utf8mb4_bin",
        sent,
    )
    for row in rows:
        pair = (int(row["customer_pk"]), row["event_id"])
        event = sent[pair]
        stored = (row["event_type"], row["occurred_at"], stored_data(row["data"]))
        existing[pair] = stored == (event.event_type, event.timestamp, event.data)
    return existing


def under_stored_ids(transaction: Transaction, event: Event) -> Event:
    """Return an event under the ids of customer and event that are stored, where these are in another form of Unicode.

    They were stored so before there was one form; a customer stays one, and an event is known again.
    """
    if event.sent_ids is None and event.customer_id.isascii():
        return event
    sent_customer_id, sent_event_id = event.sent_ids or (event.customer_id, event.event_id)
    forms = stored_forms(sent_customer_id)
    if len(forms) == 1 and sent_event_id == event.event_id:
        return event
    rows = transaction.rows(
        "SELECT c.customer_id, e.event_id FROM customers c LEFT JOIN events e ON e.customer_pk = c.id "
        f"AND e.event_id = %s WHERE c.customer_id IN ({placeholders(forms)})",
        (sent_event_id, *forms),
    )
    stored = {row["customer_id"]: row["event_id"] for row in rows}
    customer_id = next((form for form in forms if form in stored), event.customer_id)
    return replace(event, customer_id=customer_id, event_id=stored.get(customer_id) or event.event_id)


def add(transaction: Transaction, events: Sequence[tuple[int, Event]]) -> None:
    """Add events, each with its customer's key, to the history."""
    transaction.insert_many(
        "INSERT INTO events (customer_pk, event_id, event_type, occurred_at, data)",
        [(pk, event.event_id, event.event_type, event.timestamp, write_object(event.data)) for pk, event in events],
    )


def observed(transaction: Transaction) -> dict[str, int]:
    """Return since when the shop sends each kind of event (`churn.domain.features.Observed`)."""
    return {
        row["kind"]: row["since_millis"] for row in transaction.rows("SELECT kind, since_millis FROM observed_kinds")
    }


def observe(transaction: Transaction, kinds: Mapping[str, int]) -> None:
    """Store since when kinds of events have been seen; the earliest instant stays."""
    transaction.insert_many(
        "INSERT INTO observed_kinds (kind, since_millis)",
        sorted(kinds.items()),
        "ON DUPLICATE KEY UPDATE since_millis = LEAST(since_millis, VALUES(since_millis))",
    )


def of_customer(
    transaction: Transaction,
    customer_pk: int,
    *,
    limit: int,
    event_type: str | None,
    date_from: datetime | None,
    date_to: datetime | None,
) -> tuple[list[Row], int]:
    """Return a customer's events, the newest first, and how many there are."""
    conditions = Conditions()
    conditions.add("customer_pk = %s", customer_pk)
    conditions.add_equal("event_type", event_type)
    conditions.add_between("occurred_at", date_from, date_to)
    rows = transaction.rows(
        f"SELECT event_id, event_type, occurred_at, data FROM events {conditions.where()} "
        "ORDER BY occurred_at DESC, event_id DESC LIMIT %s",
        [*conditions.values, limit],
    )
    return rows, conditions.count(transaction, "events")


def newest_of(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> list[Row]:
    """Return a customer's events, the newest first."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    conditions.add_window(window, "occurred_at", "event_id")
    return transaction.rows(
        f"SELECT event_id, event_type, occurred_at, data FROM events FORCE INDEX (events_by_time) {conditions.where()} "
        "ORDER BY occurred_at DESC, event_id DESC LIMIT %s",
        [*conditions.values, limit],
    )


def of_one(
    transaction: Transaction, customer_pk: int, customer_id: str, *, after: int | None = None, until: int | None = None
) -> list[Event]:
    """Return a customer's events after an instant and up to another (milliseconds since 1970), in no order."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    if after is not None:
        conditions.add("occurred_at > %s", from_millis(after))
    if until is not None:
        conditions.add("occurred_at <= %s", from_millis(until))
    rows = transaction.rows(
        f"SELECT event_id, event_type, occurred_at, data FROM events {conditions.where()}", conditions.values
    )
    return [_event(row, customer_id) for row in rows]


def first_after(transaction: Transaction, customer_pk: int, instant: datetime) -> datetime | None:
    """Return when the first event of a customer after an instant is due, None without any."""
    row = transaction.row(
        "SELECT MIN(occurred_at) AS due_at FROM events WHERE customer_pk = %s AND occurred_at > %s",
        (customer_pk, instant),
    )
    due_at: datetime | None = None if row is None else row["due_at"]
    return due_at


def point_changes(transaction: Transaction, customer_pk: int, after: int, until: int) -> list[tuple[int, int]]:
    """Return a customer's changes of loyalty points: (instant in milliseconds since 1970, millionths of a point)."""
    rows = transaction.rows(
        "SELECT occurred_at, data FROM events WHERE customer_pk = %s AND event_type = 'loyalty_points_changed' "
        "AND occurred_at > %s AND occurred_at <= %s",
        (customer_pk, from_millis(after), from_millis(until)),
    )
    told = ((row["occurred_at"], json.loads(row["data"])) for row in rows)
    return [(to_millis(at), micro_points(data["points"])) for at, data in told if data.get("balance") is None]


def histories(database: Database, *, page: int = 1000, share: float = 1.0) -> Iterator[tuple[str, list[Event]]]:
    """Yield every customer's id and events, by ranges of the key: memory holds one page at a time.

    `share`: of this share of the customers alone, chosen by a hash, always the same ones.
    """
    rows = database.pages(
        "SELECT c.id, c.customer_id, e.event_id, e.event_type, e.occurred_at, e.data "
        "FROM (SELECT id, customer_id FROM customers WHERE id > %(id)s AND CRC32(id) < %(hash)s ORDER BY id "
        "LIMIT %(size)s) AS c "
        "LEFT JOIN events AS e ON e.customer_pk = c.id ORDER BY c.id",
        {"id": 0},
        page,
        hash=math.ceil(share * HASHES),
    )
    for customer_id, customer_rows in groupby(rows, key=lambda row: str(row["customer_id"])):
        events = [_event(row, customer_id) for row in customer_rows if row["event_id"] is not None]
        if events:
            yield customer_id, events


def has_own_orders(transaction: Transaction) -> bool:
    """Return whether an order is stored that the sample shop did not write."""
    row = transaction.row(
        "SELECT 1 AS present FROM events WHERE event_type = 'order_placed' AND event_id NOT LIKE %s LIMIT 1",
        (f"{SIMULATED}%",),
    )
    return row is not None


def details(transaction: Transaction, customer_pk: int, arriving: Sequence[Event] = ()) -> set[str]:
    """Return every name, e-mail and phone that a customer has had, with those of events that are not stored yet."""
    rows = transaction.rows(
        f"SELECT data FROM events WHERE customer_pk = %s AND event_type IN ({placeholders(PROFILE_EVENTS)})",
        (customer_pk, *PROFILE_EVENTS),
    )
    stored = [json.loads(row["data"]) for row in rows]
    sent = [event.data for event in arriving if event.event_type in PROFILE_EVENTS]
    return {text for data in (*stored, *sent) for name in _DETAILS if isinstance(text := data.get(name), str)}


def with_older(transaction: Transaction, after: int, before: datetime, limit: int) -> list[int]:
    """Return the keys above `after` of at most `limit` customers who have events from before an instant."""
    rows = transaction.rows(
        "SELECT c.id FROM customers c WHERE c.id > %s AND EXISTS "
        "(SELECT 1 FROM events e WHERE e.customer_pk = c.id AND e.occurred_at < %s) ORDER BY c.id LIMIT %s",
        (after, before, limit),
    )
    return [int(row["id"]) for row in rows]


def prune(transaction: Transaction, customer_pk: int, before: datetime, limit: int) -> int:
    """Delete at most `limit` events of a customer from before an instant; return how many."""
    return transaction.execute(
        "DELETE FROM events WHERE customer_pk = %s AND occurred_at < %s ORDER BY occurred_at LIMIT %s",
        (customer_pk, before, limit),
    )


def erase(transaction: Transaction, customer_pk: int) -> None:
    """Delete a customer's events."""
    transaction.execute("DELETE FROM events WHERE customer_pk = %s", (customer_pk,))


def _event(row: Row, customer_id: str) -> Event:
    return Event(row["event_id"], row["event_type"], customer_id, row["occurred_at"], stored_data(row["data"]))
