"""Orders that a later file shows under another customer: a guest who has an account by now, or customers' new ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from churn.adapters.mysql import Transaction, orders
from churn.adapters.mysql import events as history
from churn.adapters.mysql.orders import Standing
from churn.domain.events import Event, order_cents
from churn.domain.timestamps import from_millis, iso
from infra.tools.importer.events import digest
from infra.tools.importer.replaced import Replaced

_OF_ORDERS = frozenset({"order_placed", "order_cancelled"})

type Elsewhere = dict[int, list[Standing]]
"""The stored orders of the same number and instant under other customers, by the identity of an event."""


def standing_elsewhere(transaction: Transaction, events: Sequence[Event], keys: dict[str, int]) -> Elsewhere:
    """Return what stands under other customers of the orders that events are of; `keys` are those of the events'."""
    about = [event for event in events if event.event_type in _OF_ORDERS and event.data.get("order_id")]
    found = orders.standing(transaction, {(event.at, event.order_id) for event in about})
    elsewhere: Elsewhere = {}
    for event in about:
        same, own = found.get((event.at, event.order_id), []), keys.get(event.customer_id)
        if same and own not in {one.customer_pk for one in same}:
            elsewhere[id(event)] = same
    return elsewhere


def taken_over(
    transaction: Transaction,
    events: Sequence[Event],
    elsewhere: Elsewhere,
    keys: dict[str, int],
    now: datetime,
    replaced: Replaced,
) -> list[Event]:
    """Return cancellations of the orders under other customers that new events are of: each counts for one of them.

    An order of the same number and instant with another value is left, and counted. So is one whose event is stored:
    a file of before the move changes nothing.
    """
    about = [event for event in events if id(event) in elsewhere]
    stored = [(keys[event.customer_id], event) for event in about if event.customer_id in keys]
    known = history.known(transaction, stored)
    cancellations: dict[str, Event] = {}
    for event in about:
        if (keys.get(event.customer_id), event.event_id) in known:
            continue
        for one in elsewhere[id(event)]:
            cents = order_cents(event.data)
            if cents is None or one.order.cents is None or cents == one.order.cents:
                cancellation = _cancellation(event, one, now)
                cancellations[cancellation.event_id] = cancellation
                replaced.moved_example = replaced.moved_example or event.order_id
            elif event.event_type == "order_placed":
                replaced.twice += 1
                replaced.twice_example = replaced.twice_example or event.order_id
    replaced.moved += len(cancellations)
    return [*cancellations.values()]


def _cancellation(event: Event, one: Standing, now: datetime) -> Event:
    data: dict[str, Any] = {"order_id": event.order_id}
    if one.order.cents is not None:
        data["order_value"] = one.order.cents / 100
    if one.order.reinstated_at is not None:
        data["revised_at"] = iso(now)
    event_id = "moved-" + digest([one.customer_id, event.order_id, event.at, one.order.reinstated_at])
    return Event(event_id, "order_cancelled", one.customer_id, from_millis(event.at), data)
