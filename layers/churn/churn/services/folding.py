"""Folding: new events, and stored ones whose time has come, go into the states of customers who are locked.

An event that lies ahead of the server's clock is stored, and folded once its time has come; until then it changes
nothing but the instant that the customer is due at. A state of an older version of the fold is made again first.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime

from churn.adapters.mysql import Transaction
from churn.adapters.mysql import events as history
from churn.adapters.mysql.customers import WRONG_CLOCK, Customer
from churn.adapters.mysql.orders import Ledgers
from churn.domain.customer import FOLD_VERSION, CustomerState, replay
from churn.domain.events import Event
from churn.domain.orders import MemoryLedger
from churn.domain.timestamps import from_millis, hour_of, to_millis

ABOUT_ORDERS = frozenset({"order_placed", "order_cancelled"})


@dataclass(slots=True)
class Folded:
    """What came of a fold, by the customer's key."""

    changed: list[Customer] = field(default_factory=list)
    """The customers whose state or history changed."""
    events: dict[int, list[Event]] = field(default_factory=dict)
    """The events that count from now on."""
    new: dict[int, list[Event]] = field(default_factory=dict)
    """The events to be added to the history."""


def fold(
    ledgers: Ledgers,
    touched: Iterable[Customer],
    new: Mapping[int, Sequence[Event]],
    now: datetime,
    *,
    everybody: bool = False,
) -> Folded:
    """Fold the new events, by their customer's key, and those that are due, into the states of locked customers.

    The clock of a state moves to `now` if something changes, and does not go back. The sweep takes `everybody`: the
    clock of all moves, and a state that a wrong clock made is made again.
    """
    result = Folded()
    ripe: dict[int, list[Event]] = {}
    for customer in touched:
        if customer.damage is not None and not _is_erased(new.get(customer.pk, ())):
            raise customer.damage
        remade = _bring_up_to_date(ledgers, customer, now, heals=everybody)
        ripe[customer.pk] = _ripe(ledgers.transaction, customer, new.get(customer.pk, ()), now)
        if everybody or remade or ripe[customer.pk] or new.get(customer.pk):
            result.changed.append(customer)
    stored = [one.pk for one in result.changed if not one.is_new]
    ledgers.load([(pk, one.order_id) for pk in stored for one in ripe[pk] if one.event_type in ABOUT_ORDERS])
    for customer in result.changed:
        if any(event.is_simulated for event in new.get(customer.pk, ())):
            customer.record = replace(customer.record, of_sample=True)
        if customer.state.advance(ripe[customer.pk], _clock(customer.state, now)):
            customer.is_state_stored = False
        result.events[customer.pk] = ripe[customer.pk]
        result.new[customer.pk] = [*new.get(customer.pk, ())]
    return result


def _bring_up_to_date(ledgers: Ledgers, customer: Customer, now: datetime, *, heals: bool) -> bool:
    """Make a state again that another version of the fold made, or, if it `heals`, a wrong clock; return whether."""
    is_ahead = heals and _is_ahead(customer.state, now)
    if is_ahead and customer.state.pruned_until is not None:
        # What was pruned of a history cannot be folded again: only the clock is set right.
        customer.state.clock, is_ahead = to_millis(now), False
        customer.is_state_stored = False
    if customer.is_outdated or is_ahead:
        _make_again(ledgers, customer, now)
        return True
    return False


def first_late(scored: Sequence[Customer], events: Mapping[int, Sequence[Event]], now: datetime) -> datetime | None:
    """Return the first of the folded events that change the dashboard's figures of an hour that is over.

    Call it before the customers' records are brought up to date.
    """
    hour = hour_of(now)
    instants = [
        event.timestamp
        for customer in scored
        for event in events.get(customer.pk, ())
        if event.timestamp < hour and (event.event_type in ABOUT_ORDERS or _is_first(customer, event))
    ]
    return min(instants, default=None)


def _is_first(customer: Customer, event: Event) -> bool:
    first = customer.record.first_seen_at
    return first is None or event.timestamp < first


def _is_erased(events: Sequence[Event]) -> bool:
    return any(event.event_type == "customer_deleted" for event in events)


def _ripe(transaction: Transaction, customer: Customer, new: Sequence[Event], now: datetime) -> list[Event]:
    """Return the events to fold now, and note when the first of the others is due."""
    clock = _clock(customer.state, now)
    until = from_millis(clock)
    waiting = [event.timestamp for event in new if event.timestamp > until]
    # Erasing is not put off.
    ripe = [event for event in new if event.timestamp <= until or event.event_type == "customer_deleted"]
    due_at = customer.record.due_at
    if due_at is not None and to_millis(due_at) <= clock:
        ripe += history.of_one(
            transaction, customer.pk, customer.record.customer_id, after=customer.state.clock, until=clock
        )
        due_at = history.first_after(transaction, customer.pk, until)
    due_at = min([*waiting, *([due_at] if due_at else [])], default=None)
    if due_at != customer.record.due_at:
        customer.record = replace(customer.record, due_at=due_at)
    return ripe


def _clock(state: CustomerState, now: datetime) -> int:
    return max(to_millis(now), state.clock or 0)


def _is_ahead(state: CustomerState, now: datetime) -> bool:
    return state.clock is not None and state.clock > to_millis(now + WRONG_CLOCK)


def _make_again(ledgers: Ledgers, customer: Customer, now: datetime) -> None:
    """Replay a customer's history, and store its orders in place of those that are stored."""
    transaction, pk = ledgers.transaction, customer.pk
    ledger, memory = ledgers.of(pk), MemoryLedger()
    clock = to_millis(now)
    state = replay(history.of_one(transaction, pk, customer.record.customer_id, until=clock), clock, memory)
    ledgers.replace(pk, memory.by_id.items())
    state.ledger = ledger
    ledger.folded_until = state.clock
    customer.state, customer.is_state_stored = state, False
    customer.record = replace(
        customer.record, fold_version=FOLD_VERSION, due_at=history.first_after(transaction, pk, now)
    )
