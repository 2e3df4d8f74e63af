"""What a later export says anew of orders that are stored: the versions of before are replaced."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from churn.adapters.mysql import Database, Transaction, customers
from churn.adapters.mysql import events as history
from churn.adapters.mysql.orders import Ledgers
from churn.domain.events import Event, instant_of, order_cents
from churn.domain.orders import Order
from churn.domain.timestamps import iso
from infra.tools.importer.events import Withdrawn, digest
from infra.tools.importer.moved_orders import Elsewhere, standing_elsewhere, taken_over
from infra.tools.importer.refunds import credits_as_refunds, subtract_refunds, take_back_voids
from infra.tools.importer.replaced import Replaced

type _Stored = tuple[int, Event, Order]
"""A customer's key, an event of the import, and the stored order that it is about."""

_REPLACING = frozenset({"order_placed", "order_cancelled"})


def as_revisions(
    database: Database,
    events: Sequence[Event],
    now: datetime,
    replaced: Replaced,
    file: str | None = None,
    *,
    may_have_moved: bool = False,
) -> list[Event]:
    """Return the events; those that give a stored order another value say that they are the newer version.

    That version is as new as the row says that it was changed, else as the import. An event that is stored already
    is left as it is: a file that is imported again replaces nothing. Refunds of earlier orders become
    versions of these.

    `file`: an identifier of a file that tells which orders are cancelled, and was not imported before. A stored
    cancellation of an order that it shows as paid counts no more, and an order that it shows as none is taken back.
    `may_have_moved`: an order that stands under another customer, with the same number and instant, is cancelled there.
    """

    def run(transaction: Transaction) -> list[Event]:
        orders = credits_as_refunds(transaction, take_back_voids(transaction, events, now, replaced, file))
        orders = subtract_refunds(transaction, orders, now, replaced)
        about = [event for event in orders if event.event_type in _REPLACING and event.data.get("order_id")]
        keys = customers.existing(transaction, sorted({event.customer_id for event in about}))
        elsewhere = standing_elsewhere(transaction, about, keys) if may_have_moved else {}
        moved = taken_over(transaction, about, elsewhere, keys, now, replaced)
        revised = _revisions(transaction, about, elsewhere, keys, now, replaced, file)
        return [revised.get(id(event), event) for event in orders] + moved

    return database.run(run)


def _revisions(
    transaction: Transaction,
    about: Sequence[Event],
    elsewhere: Elsewhere,
    keys: dict[str, int],
    now: datetime,
    replaced: Replaced,
    file: str | None,
) -> dict[int, Event]:
    """Return versions of the events that say something else of a stored order, by the events' identities."""
    if not keys:
        return {}
    ledgers = Ledgers(transaction)
    pairs = [(keys[event.customer_id], event) for event in about if event.customer_id in keys]
    ledgers.load([(pk, event.order_id) for pk, event in pairs])
    found = [(pk, event, ledgers.get(pk, event.order_id)) for pk, event in pairs]
    stored: list[_Stored] = [(pk, event, order) for pk, event, order in found if order is not None]
    # What stands under another customer was not cancelled by the shop.
    turning = [one for one in stored if id(one[1]) not in elsewhere]
    revisions = _turned(transaction, turning, now, replaced, file) if file is not None else {}
    changed = [one for one in stored if id(one[1]) not in revisions and _differs(one[1], one[2])]
    known = history.known(transaction, [(pk, event) for pk, event, _ in changed])
    for pk, event, order in changed:
        if (pk, event.event_id) not in known:
            revisions[id(event)] = _revision(event, order, now, replaced)
    return revisions


def _turned(
    transaction: Transaction, stored: Sequence[_Stored], now: datetime, replaced: Replaced, file: str
) -> dict[int, Event]:
    """Return versions of the events that bring a cancelled order back, or cancel it anew, by the events' identities.

    An order may be paid, cancelled and paid again with the very same lines. Where its event is stored already, the
    version has an identifier of its own, which is the same whenever the file is imported.
    """
    turning = [one for one in stored if _turns(one[1], one[2])]
    known = history.known(transaction, [(pk, event) for pk, event, _ in turning])
    versions: list[tuple[int, Event, Event]] = []
    for pk, event, _ in turning:
        again = "again-" + digest([event.event_id, file]) if (pk, event.event_id) in known else event.event_id
        data = {"revised_at": iso(now), **event.data, "reinstated_at": iso(now)}
        if event.event_type == "order_cancelled":
            data = {**event.data, "revised_at": iso(now)}
        versions.append((pk, event, replace(event, event_id=again, data=data)))
    there = history.known(transaction, [(pk, version) for pk, _, version in versions])
    fresh = {id(event): version for pk, event, version in versions if (pk, version.event_id) not in there}
    back = sum(version.event_type == "order_placed" for version in fresh.values())
    replaced.reinstated += back
    replaced.cancelled += len(fresh) - back
    return fresh


def _turns(event: Event, order: Order) -> bool:
    """Return whether an event says that a cancelled order stands, or that a reinstated one was cancelled."""
    if event.event_type == "order_cancelled":
        return order.reinstated_at is not None and order.cancelled_at is None and not _is_refund(event)
    if order.cancelled_at is None or isinstance(event, Withdrawn):
        return False
    changed_at = instant_of(event.data, "revised_at")
    return changed_at is None or changed_at >= (order.cancelled_as_of or order.cancelled_at)


def _differs(event: Event, order: Order) -> bool:
    if order.placed_at is None or order.cancelled_at is not None or _is_refund(event):
        return False
    if event.event_type == "order_cancelled" or event.at != order.placed_at:
        return True
    cents = order_cents(event.data)
    # A file without amounts knows no better, but than a 0 that stood for an unknown one.
    return order.cents == 0 if cents is None else cents != order.cents


def _is_refund(event: Event) -> bool:
    return event.event_id.startswith("refund-")


def _revision(event: Event, order: Order, now: datetime, replaced: Replaced) -> Event:
    if event.event_type == "order_cancelled":
        replaced.cancelled += 1
        return event
    changed_at = instant_of(event.data, "revised_at")
    if changed_at is not None and changed_at < (order.revised_at or 0):
        replaced.older += 1
        return event
    replaced.note_time(event, order)
    cents, known = order_cents(event.data), order.cents
    less = 0 if cents is None or known is None else known - cents
    replaced.smaller += less > 0
    replaced.larger += less < 0
    replaced.cents += less
    replaced.unknown += cents is None and known == 0
    of_before = {"order_value": known / 100} if known else {}
    return replace(event, data={"revised_at": iso(now)} | of_before | dict(event.data))
