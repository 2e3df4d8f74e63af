"""Refunds of orders that an earlier file had: they are subtracted from the stored orders, each once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from churn.adapters.mysql import Transaction, customers
from churn.adapters.mysql import events as history
from churn.adapters.mysql.orders import Ledgers
from churn.domain.events import Event, instant_of, order_cents
from churn.domain.orders import Order
from churn.domain.timestamps import from_millis, iso, to_millis
from infra.tools.importer.events import Credit, digest
from infra.tools.importer.given_back import GivenBack
from infra.tools.importer.replaced import Replaced
from infra.tools.importer.staging import Line

REFUND = "refund_of_earlier_order"
"""The type of an event that is never stored: `subtract_refunds` puts a version of the order in its place."""


VOID = "earlier_order_that_never_was"
"""The type of an event that is never stored: `take_back_voids` puts a cancellation of the stored order in its place."""


def refund_ids(line: Line, refunds: Sequence[tuple[int, float]]) -> dict[str, float]:
    """Return the amounts of an order's refunds by identifiers: the same refund has the same in every file.

    `line`: any line of the order. `refunds`: instants and amounts.
    """
    repetitions: Counter[tuple[int, float]] = Counter()
    ids: dict[str, float] = {}
    for at, amount in refunds:
        content = [line.customer, line.number, at, round(amount, 2), repetitions[at, amount]]
        repetitions[at, amount] += 1
        ids[digest(content)[:16]] = amount
    return ids


def refund_of_earlier(line: Line, refunds: Sequence[tuple[int, float]]) -> Event:
    """Return the event of type REFUND for refunds (instants and amounts) of an order that the file does not have."""
    ids = refund_ids(line, refunds)
    data = {"order_id": line.sent_number, "refunds": ids}
    event_id = "refund-" + digest([line.customer, line.number, *sorted(ids)])
    return Event(event_id, REFUND, line.customer, from_millis(max(at for at, _ in refunds)), data)


def void_of_earlier(line: Line) -> Event:
    """Return the event of type VOID for a line that says that its order never was one."""
    data: dict[str, Any] = {"order_id": line.sent_number}
    if line.updated_at is not None:
        data["revised_at"] = iso(from_millis(line.updated_at))
    return Event(f"void-{line.line}", VOID, line.customer, from_millis(line.at), data)


def take_back_voids(
    transaction: Transaction, events: Sequence[Event], now: datetime, replaced: Replaced, file: str | None
) -> list[Event]:
    """Return the events with a cancellation of the stored order in place of each that says that it never was one.

    Of an order that is not stored, or was taken back, nothing is left; neither is without `file`: see `as_revisions`.
    """
    voids = [event for event in events if event.event_type == VOID]
    if not voids:
        return [*events]
    found: dict[str, Event] = {}
    keys = customers.existing(transaction, sorted({event.customer_id for event in voids}))
    ledgers = Ledgers(transaction)
    stored = [(keys[event.customer_id], event) for event in voids if event.customer_id in keys]
    ledgers.load([(pk, event.order_id) for pk, event in stored])
    for pk, event in stored:
        order = ledgers.get(pk, event.order_id)
        cancellation = None if order is None or file is None else _taken_back(event, order, now)
        if cancellation is not None:
            found[event.event_id] = cancellation
        else:
            replaced.known_voids += order is not None
    replaced.voided += len(found)
    kept = (event if event.event_type != VOID else found.get(event.event_id) for event in events)
    return [event for event in kept if event is not None]


def _taken_back(event: Event, order: Order, now: datetime) -> Event | None:
    changed_at = instant_of(event.data, "revised_at")
    if order.placed_at is None or order.cancelled_at is not None:
        return None
    if changed_at is not None and changed_at < (order.revised_at or 0):
        return None
    data: dict[str, Any] = {"order_id": event.data["order_id"]}
    if order.cents is not None:
        data["order_value"] = order.cents / 100
    if order.reinstated_at is not None:
        data["revised_at"] = iso(now)
    event_id = "void-" + digest([event.customer_id, event.order_id, order.reinstated_at])
    return Event(event_id, "order_cancelled", event.customer_id, from_millis(order.placed_at), data)


def credits_as_refunds(transaction: Transaction, events: Sequence[Event]) -> list[Event]:
    """Return the events with a refund (type REFUND) in place of each `Credit` of a part of a stored order."""
    found = [event for event in events if isinstance(event, Credit)]
    if not found:
        return [*events]
    keys = customers.existing(transaction, sorted({event.customer_id for event in found}))
    ledgers = Ledgers(transaction)
    stored = [(keys[event.customer_id], event) for event in found if event.customer_id in keys]
    ledgers.load([(pk, event.order_id) for pk, event in stored])
    refunds: dict[str, Event] = {}
    for pk, event in stored:
        order, cents = ledgers.get(pk, event.order_id), order_cents(event.data)
        if order is None or order.placed_at is None or order.cents is None or cents is None:
            continue
        amount = cents / 100
        refund = digest([event.customer_id, event.order_id, event.at, amount, 0])[:16]
        is_part = order.cancelled_at is None and cents < order.cents
        if is_part or refund in _subtracted(history.of_one(transaction, pk, event.customer_id), event.order_id):
            data = {"order_id": event.data["order_id"], "refunds": {refund: amount}}
            refunds[event.event_id] = Event(event.event_id, REFUND, event.customer_id, event.timestamp, data)
    return [refunds.get(event.event_id, event) for event in events]


def subtract_refunds(
    transaction: Transaction, events: Sequence[Event], now: datetime, replaced: Replaced
) -> list[Event]:
    """Return the events with a version of the stored order in place of each refund of an earlier order.

    Refunds that are subtracted already, and those of orders that are not stored, leave no event.
    """
    refunds = [event for event in events if event.event_type == REFUND]
    if not refunds:
        return [*events]
    keys = customers.existing(transaction, sorted({event.customer_id for event in refunds}))
    ledgers = Ledgers(transaction)
    ledgers.load([(keys[event.customer_id], event.order_id) for event in refunds if event.customer_id in keys])
    versions: dict[str, Event] = {}
    stored: dict[int, list[Event]] = {}
    given_back = GivenBack(now, replaced)
    for event in refunds:
        pk = keys.get(event.customer_id)
        order = None if pk is None else ledgers.get(pk, event.order_id)
        if pk is not None and pk not in stored and order is not None:
            stored[pk] = history.of_one(transaction, pk, event.customer_id)
        own = [one for one in stored.get(pk or 0, ()) if one.order_id == event.order_id]
        subtracted = _subtracted(own, event.order_id)
        is_given_back = GivenBack.is_by(event, own, subtracted)
        if order is None or (order.placed_at is None and not is_given_back):
            replaced.without_order += len(event.data["refunds"])
            continue
        if is_given_back:
            version = given_back.version(event, order, own, subtracted)
        else:
            version = _version(event, order, subtracted, now, replaced)
        if version is not None:
            versions[event.event_id] = version
    kept = (event if event.event_type != REFUND else versions.get(event.event_id) for event in events)
    return [event for event in kept if event is not None]


def _subtracted(events: Iterable[Event], order_id: str) -> set[str]:
    """Return the refunds that the stored versions of an order have subtracted."""
    return {
        refund
        for event in events
        if isinstance(event.data.get("refunds"), list) and event.order_id == order_id
        for refund in event.data["refunds"]
    }


def _version(event: Event, order: Order, subtracted: set[str], now: datetime, replaced: Replaced) -> Event | None:
    """Return the version of an order without what was paid back, None if all of that is subtracted already."""
    refunds: Mapping[str, float] = {key: one for key, one in event.data["refunds"].items() if key not in subtracted}
    replaced.known_refunds += len(event.data["refunds"]) - len(refunds)
    if not refunds:
        return None
    if order.placed_at is None or order.cancelled_at is not None or order.cents is None:
        # All of it was taken back already, or it is not known of what to subtract them.
        replaced.known_refunds += len(refunds)
        return None
    paid_back = round(sum(refunds.values()) * 100)
    replaced.refunds += len(refunds)
    replaced.refund_cents += min(paid_back, order.cents)
    data: dict[str, Any] = {"order_id": event.data["order_id"], "refunds": sorted(refunds)}
    event_id = "refund-" + digest([event.customer_id, event.order_id, *sorted(refunds)])
    if paid_back >= order.cents:
        data["order_value"] = order.cents / 100
        if order.reinstated_at is not None:
            data["revised_at"] = iso(now)
        at = from_millis(max(event.at, order.placed_at))
        return Event(event_id, "order_cancelled", event.customer_id, at, data)
    data["order_value"] = (order.cents - paid_back) / 100
    if order.discounted is not None:
        data["discount_used"] = order.discounted
    # Of two versions of one instant the larger would count.
    data["revised_at"] = iso(from_millis(max(to_millis(now), (order.revised_at or 0) + 1)))
    return Event(event_id, "order_placed", event.customer_id, from_millis(order.placed_at), data)
