"""What a later export says anew of orders that are stored: the versions of before are replaced."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from churn.adapters.mysql import Database, Transaction, customers
from churn.adapters.mysql import events as history
from churn.adapters.mysql.orders import Ledgers
from churn.domain.events import Event
from churn.domain.orders import Order
from churn.domain.timestamps import iso
from churn.domain.values import amount
from infra.tools.importer.refunds import subtract_refunds
from infra.tools.importer.replaced import Replaced

_REPLACING = frozenset({"order_placed", "order_cancelled"})


def as_revisions(database: Database, events: Sequence[Event], now: datetime, replaced: Replaced) -> list[Event]:
    """Return the events; those that give a stored order another value say that they are the newer version.

    That version is as new as the row says that it was changed, else as the import. An event that is stored already
    is left as it is: a file that is imported again replaces nothing. Refunds of earlier orders become
    versions of these.
    """
    return database.run(
        lambda transaction: _as_revisions(
            transaction, subtract_refunds(transaction, events, now, replaced), now, replaced
        )
    )


def _as_revisions(transaction: Transaction, events: Sequence[Event], now: datetime, replaced: Replaced) -> list[Event]:
    about = [event for event in events if event.event_type in _REPLACING and event.data.get("order_id")]
    keys = customers.existing(transaction, sorted({event.customer_id for event in about}))
    if not keys:
        return [*events]
    pairs = [(keys[event.customer_id], event) for event in about if event.customer_id in keys]
    ledgers = Ledgers(transaction)
    ledgers.load([(pk, event.order_id) for pk, event in pairs])
    stored = {(pk, event.event_id): ledgers.get(pk, event.order_id) for pk, event in pairs}
    changed = [(pk, event) for pk, event in pairs if _differs(event, stored[pk, event.event_id])]
    known = history.known(transaction, changed)
    fresh = {id(event): stored[pk, event.event_id] for pk, event in changed if (pk, event.event_id) not in known}
    return [_revision(event, fresh[id(event)], now, replaced) if id(event) in fresh else event for event in events]


def _differs(event: Event, order: Order | None) -> bool:
    if order is None or order.placed_at is None or order.cancelled_at is not None:
        return False
    if event.event_id.startswith("refund-"):
        return False
    return event.event_type == "order_cancelled" or _cents(event) != order.cents or event.at != order.placed_at


def _revision(event: Event, order: Order | None, now: datetime, replaced: Replaced) -> Event:
    if order is None:
        return event
    if event.event_type == "order_cancelled":
        replaced.cancelled += 1
        return event
    less = order.cents - _cents(event)
    replaced.smaller += less > 0
    replaced.larger += less < 0
    replaced.cents += less
    return replace(event, data={"revised_at": iso(now)} | dict(event.data))


def _cents(event: Event) -> int:
    return round(amount(event.data["order_value"]) * 100)
