"""Stored customers other than they are: events that did not happen, a later instant, other values of features.

What can happen is folded into a copy of the customer's state as an event is, so that everything moves with it that
would move. Only what cannot happen (fewer orders, another share of discounts) replaces a value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from churn.domain.customer import EVENT_TYPES_OF_KIND, CustomerState, observed_kinds
from churn.domain.events import Event
from churn.domain.features import BY_NAME, FEATURE_NAMES, Features, Inputs, Observed, inputs_at, overridden
from churn.domain.timestamps import to_millis
from churn.domain.values import MAX_AMOUNT

MOST_EVENTS = 100
"""So many events are folded in for one feature; a feature that would need more is replaced."""

HypotheticalType = Literal[
    "email_clicked",
    "email_opened",
    "email_sent",
    "login",
    "loyalty_points_changed",
    "order_placed",
    "order_returned",
    "payment_failed",
    "support_ticket_created",
]
"""The types of events that a hypothesis may have: those that move a feature and need nothing that is stored."""

SILENCE = "days_since_last_order"
"""The feature that an order ends, and that time alone makes larger."""

Change = str | int
"""A change of a hypothesis: the name of a feature, or the number of an event."""

_COUNTS = ("support_tickets", "product_returns", "payment_failures", "login_frequency")
_MOST_STEPS = 32


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """A customer as stored, read at an instant; `observed` says since when the shop sends each kind of event.

    `typical_cents` is the median value of the customer's orders, in hundredths; None without one of a known
    value, and where nothing asks for it.
    """

    state: CustomerState
    at: datetime
    observed: Observed = field(default_factory=dict)
    typical_cents: int | None = None

    @property
    def inputs(self) -> Inputs:
        """A model's inputs at the instant."""
        return inputs_at(self.state, self.at, self.observed)


@dataclass(frozen=True, slots=True)
class HypotheticalEvent:
    """An event that did not happen, so many days before the question.

    An order without a value has that of a usual order of the customer.
    """

    event_type: HypotheticalType
    days_ago: float
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_value(self) -> bool:
        """Whether it is an order without a value."""
        return self.event_type == "order_placed" and "order_value" not in self.data


class Hypothesis:
    """A stored customer with changes, of which any part can be made.

    `given` and `replaced` are the values that are other than stored, and those of them that nothing can bring about.
    """

    def __init__(
        self,
        stored: StoredCustomer,
        given: Mapping[str, float | None],
        events: Sequence[HypotheticalEvent] = (),
    ) -> None:
        """Take values other than stored: what is given just as stored, as far as clients see it, is no change."""
        self._customer = stored
        self.stored = stored.inputs
        self.events = [_valued(event, stored, self.stored) for event in events]
        self.given = {
            name: given[name]
            for name in FEATURE_NAMES
            if name in given and not BY_NAME[name].is_same(given[name], self.stored[name])
        }
        self.changes: tuple[Change, ...] = (*self.given, *range(len(events)))
        everything = self._happened(frozenset(self.changes), self.given)
        self.replaced = {
            name: value for name, value in self.given.items() if not BY_NAME[name].is_same(value, everything[name])
        }

    @property
    def is_as_stored(self) -> bool:
        """Whether without a change the model is told what it is told of the customer as stored."""
        return not self.replaced

    @property
    def days_later(self) -> float:
        """How many days after now the instant lies that the changes make the question about."""
        begin = _silent_before(self._customer, self.stored, self.given)
        return 0.0 if begin is None else (self.given[SILENCE] or 0.0) - begin

    def inputs(self, made: frozenset[Change]) -> Inputs:
        """Return the inputs with some of the changes made.

        Once a value is replaced, the model is told the 12 features alone, also without the change: what the stored
        orders tell besides may not fit the new value.
        """
        return self._told(self._happened(made, self._given(made)), made)

    def way(self, made: frozenset[Change]) -> list[Inputs]:
        """Return the inputs with some of the changes made, and before them those on the way to a longer silence."""
        return [self._told(self._happened(made, part), made) for part in self._steps(self._given(made))]

    def _given(self, made: frozenset[Change]) -> dict[str, float | None]:
        return {name: value for name, value in self.given.items() if name in made}

    def _steps(self, given: dict[str, float | None]) -> list[dict[str, float | None]]:
        """Return what is given, and before it the same after each part of a longer silence."""
        silence, begin = given.get(SILENCE), _silent_before(self._customer, self.stored, given)
        if silence is None or begin is None:
            return [given]
        rest = {name: value for name, value in given.items() if name != SILENCE}
        step = 1
        while (silence - begin) / step > _MOST_STEPS:
            step *= 2
        between = range(int(begin // step + 1) * step, math.ceil(silence), step)
        return [rest, *({**given, SILENCE: float(days)} for days in between), given]

    def _told(self, inputs: Inputs, made: frozenset[Change]) -> Inputs:
        if self.is_as_stored:
            return inputs
        replaced = {name: value for name, value in self.replaced.items() if name in made}
        return overridden({name: inputs[name] for name in FEATURE_NAMES}, replaced)

    def _happened(self, made: frozenset[Change], given: Mapping[str, float | None]) -> Inputs:
        """Return the inputs after what can have happened of the changes."""
        chosen = [event for number, event in enumerate(self.events) if number in made]
        if chosen:
            return _folded(self._customer, chosen, self._customer.at)
        return _as_given(self._customer, self.stored, given) if given else self.stored


def _more(known: float | None, wanted: float | None) -> int:
    """Return how many events make a count what is wanted; 0 where none can."""
    more = (wanted or 0) - (known or 0)
    return int(more) if known is not None and 0 < more <= MOST_EVENTS and more == int(more) else 0


def _valued(event: HypotheticalEvent, customer: StoredCustomer, stored: Features) -> HypotheticalEvent:
    cents = _usual_cents(customer, stored) if event.needs_value else None
    return event if cents is None else replace(event, data={**event.data, "order_value": cents / 100})


def _usual_cents(customer: StoredCustomer, stored: Features) -> int | None:
    """Return the value of a usual order in hundredths; None without one, and where the spend is unknown."""
    return None if stored["total_spent"] is None else customer.typical_cents


def _silent_before(customer: StoredCustomer, stored: Features, given: Mapping[str, float | None]) -> float | None:
    """Return how many days of a longer silence have passed by now: none if new orders come before it.

    None where no longer one is given.
    """
    silence, known = given.get(SILENCE), stored[SILENCE]
    if silence is None or known is None or silence <= known:
        return None
    orders = _more(stored["total_orders"], given.get("total_orders"))
    return 0.0 if _values(customer, stored, given, orders) else known


def _as_given(customer: StoredCustomer, stored: Features, given: Mapping[str, float | None]) -> Inputs:
    """Return the inputs after the events that bring a customer closest to the values given.

    Fewer days since the last order are an order so many days ago; more are a later instant without orders. Higher
    counts are events of the instant that is asked about; more orders come before the silence, if there is one.
    """
    silence, begin = given.get(SILENCE), _silent_before(customer, stored, given)
    is_shorter = silence is not None and begin is None
    at = customer.at if silence is None or begin is None else customer.at + timedelta(days=silence - begin)
    orders = max(_more(stored["total_orders"], given.get("total_orders")), int(is_shorter))
    placed = [
        HypotheticalEvent("order_placed", silence or 0.0, {} if cents is None else {"order_value": cents / 100})
        for cents in _values(customer, stored, given, orders)
    ]
    inputs = _folded(customer, placed, at)
    counted = [
        HypotheticalEvent(cast("HypotheticalType", EVENT_TYPES_OF_KIND[name]), 0)
        for name in _COUNTS
        for _ in range(_more(inputs[name], given.get(name)))
    ]
    return _folded(customer, [*placed, *counted], at) if counted else inputs


def _values(
    customer: StoredCustomer, stored: Features, given: Mapping[str, float | None], orders: int
) -> list[int | None]:
    """Return the values of new orders in hundredths: what reaches the spend or the mean given, else the typical one.

    They are unknown where the spend is.
    """
    if not orders:
        return []
    if stored["total_spent"] is None:
        return [None] * orders
    spent, count = round(stored["total_spent"] * 100), stored["total_orders"] or 0
    total, mean = given.get("total_spent"), given.get("avg_order_value")
    added = 0
    if total is not None:
        added = round(total * 100) - spent
    elif mean is not None:
        added = round(mean * (count + orders) * 100) - spent
    if not orders <= added <= MAX_AMOUNT * 100:
        added = (_usual_cents(customer, stored) or 0) * orders
    if added < orders:
        return []
    each, rest = divmod(added, orders)
    return [each + rest, *[each] * (orders - 1)]


def _folded(customer: StoredCustomer, happened: Sequence[HypotheticalEvent], at: datetime) -> Inputs:
    """Return the inputs at an instant after hypothetical events; nothing of the customer changes."""
    events = [
        Event(f"hypothetical-{number}", one.event_type, "", at - timedelta(days=one.days_ago), one.data)
        for number, one in enumerate(happened)
    ]
    state = customer.state.copy()
    state.advance(events, to_millis(at))
    # The first event of a kind shows that the shop sends it.
    new = {kind: since for kind, since in observed_kinds(events).items() if kind not in customer.observed}
    return inputs_at(state, at, {**new, **customer.observed})
