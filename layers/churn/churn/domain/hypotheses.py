"""Stored customers other than they are: events that did not happen, a later instant, other values of features.

What can happen is folded into a copy of the customer's state as an event is, so that everything moves with it that
would move. Only what cannot happen (fewer orders, another share of discounts) replaces a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal, cast

from churn.domain.customer import EVENT_TYPES_OF_KIND, CustomerState, observed_kinds
from churn.domain.events import Event
from churn.domain.features import BY_NAME, FEATURE_NAMES, Features, Inputs, Observed, features_at, inputs_at, overridden
from churn.domain.timestamps import to_millis
from churn.domain.values import MAX_AMOUNT

MOST_EVENTS = 100
"""So many events may be asked for at once."""

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
_FINENESS = 64
"""On the way to a silence each day is looked at; after twice so many, steps of one such part of the way."""


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """A customer as stored, read at an instant; `observed` says since when the shop sends each kind of event.

    `typical_cents` is the median value of the customer's orders, in hundredths; None without one of a known
    value, and where nothing asks for it. `of_sample`: whether the sample shop wrote an event of the customer.
    """

    state: CustomerState
    at: datetime
    observed: Observed = field(default_factory=dict)
    typical_cents: int | None = None
    of_sample: bool = False

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


_Values = Mapping[str, float | None]
_Events = Sequence[HypotheticalEvent]


@dataclass(frozen=True, slots=True)
class Way:
    """The inputs with changes made; those on the way there, and the next ones beyond, where the way is one in time."""

    before: list[Inputs]
    there: Inputs
    beyond: list[Inputs]

    @property
    def rows(self) -> list[Inputs]:
        """All of them, in this order."""
        return [*self.before, self.there, *self.beyond]

    def never_falling(self, risks: Iterator[float]) -> tuple[float, float]:
        """Return the risk `there` by the risks of `rows`: as it is, and so that it never falls along the way.

        It is then the highest until here, but not above what the next ones reach.
        """
        highest = max(islice(risks, len(self.before)), default=0.0)
        there = next(risks)
        most = max(islice(risks, len(self.beyond)), default=1.0)
        return there, max(highest, min(there, most))


class Hypothesis:
    """A stored customer with changes, of which any part can be made.

    `given` are the values that are other than stored, and those as stored that the other changes would move: what is
    asked holds. The latter are `kept`. `replaced` are those of them that nothing can bring about.
    """

    def __init__(
        self,
        stored: StoredCustomer,
        given: Mapping[str, float | None],
        events: Sequence[HypotheticalEvent] = (),
    ) -> None:
        """Take what is asked: what is given just as stored, as far as clients see it, is no change by itself."""
        self._customer = stored
        self.stored = stored.inputs
        self.events = [_valued(event, stored, self.stored) for event in events]
        self._numbers = range(len(events))
        asked = {name: given[name] for name in FEATURE_NAMES if name in given}
        self._values, self.replaced = self._asked(asked)
        self.given = {name: asked[name] for name in self._values}
        self.kept = frozenset(name for name in self.given if BY_NAME[name].is_same(asked[name], self.stored[name]))
        self.changes: tuple[Change, ...] = (*self.given, *self._numbers)

    @property
    def is_as_stored(self) -> bool:
        """Whether without a change the model is told what it is told of the customer as stored."""
        return not self.replaced

    @property
    def days_later(self) -> float:
        """How many days after now the instant lies that the changes make the question about."""
        begin = _silent_before(self.stored, self._values)
        return 0.0 if begin is None else (self._values[SILENCE] or 0.0) - begin

    def inputs(self, made: frozenset[Change]) -> Inputs:
        """Return the inputs with some of the changes made.

        Once a value is replaced, the model is told the 12 features alone, also without the change: what the stored
        orders tell besides may not fit the new value.
        """
        return self._inputs(self._part(made), self._happened_of(made))

    def way(self, made: frozenset[Change]) -> Way:
        """Return the inputs with some of the changes made, and those on the way there.

        The way to a longer silence is a shorter one, that to an order of some days ago is the same order placed later.
        """
        given, events = self._part(made), self._happened_of(made)
        later, much_later = self._later_orders(events)
        begin, much_longer = self._steps(given)
        before = [self._inputs(part, events) for part in begin] + [self._inputs(given, part) for part in later]
        beyond = [self._inputs(part, events) for part in much_longer]
        beyond += [self._inputs(given, part) for part in much_later]
        return Way(before, self._inputs(given, events), beyond)

    def _asked(self, asked: _Values) -> tuple[_Values, frozenset[str]]:
        """Return the values to bring about, in the features' order, and those of them that nothing can bring about."""
        values = {name: value for name, value in asked.items() if not BY_NAME[name].is_same(value, self.stored[name])}
        while True:
            happened = self._happened(values, self.events)
            self.replaced = frozenset(
                name for name, value in values.items() if not BY_NAME[name].is_same(value, happened[name])
            )
            after = self._told(values, happened)
            # One at a time: where no order is to come, the spend stays as well.
            moved = next((name for name in asked if name not in values and not self._is_as_stored(name, after)), None)
            if moved is None:
                return {name: values[name] for name in asked if name in values}, self.replaced
            values[moved] = self.stored[moved]

    def _is_as_stored(self, name: str, inputs: Inputs) -> bool:
        return BY_NAME[name].is_same(self.stored[name], inputs[name])

    def _part(self, made: frozenset[Change]) -> _Values:
        return {name: value for name, value in self._values.items() if name in made}

    def _happened_of(self, made: frozenset[Change]) -> _Events:
        return [event for number, event in zip(self._numbers, self.events, strict=True) if number in made]

    def _steps(self, given: _Values) -> tuple[list[_Values], list[_Values]]:
        """Return what is given with each part of a longer silence, or of a shorter one from none at all; and beyond."""
        silence, begin = given.get(SILENCE), _silent_before(self.stored, given)
        if not silence:
            return [], []
        if begin is not None:
            start = {name: value for name, value in given.items() if name != SILENCE}
            before, beyond = _days(begin, silence)
            known = self.stored[SILENCE]
            if known is not None and begin < known:
                # Up to the stored silence new orders lie so many days ago: the last of these is on the way, too.
                before.append(known)
        else:
            start = {**given, SILENCE: 0.0}
            before, beyond = _days(0.0, silence, self.stored[SILENCE])
        return [start, *({**given, SILENCE: days} for days in before)], [{**given, SILENCE: days} for days in beyond]

    def _later_orders(self, events: _Events) -> tuple[list[_Events], list[_Events]]:
        """Return the events with the newest order placed later, if it is one since the last stored one; and beyond."""
        placed = [number for number, event in enumerate(events) if event.event_type == "order_placed"]
        newest = min(placed, key=lambda number: events[number].days_ago, default=0)
        days_ago, last = events[newest].days_ago if placed else 0.0, self.stored[SILENCE]
        if not days_ago or (last is not None and days_ago > last):
            return [], []

        def ago(days: float) -> _Events:
            return [*events[:newest], replace(events[newest], days_ago=days), *events[newest + 1 :]]

        before, beyond = _days(0.0, days_ago, last)
        return [ago(days) for days in (0.0, *before)], [ago(days) for days in beyond]

    def _inputs(self, given: _Values, events: _Events) -> Inputs:
        return self._told(given, self._happened(given, events))

    def _told(self, given: _Values, happened: Inputs) -> Inputs:
        if self.is_as_stored:
            return happened
        replaced = {name: value for name, value in given.items() if name in self.replaced}
        return _fitting(overridden({name: happened[name] for name in FEATURE_NAMES}, replaced), given)

    def _happened(self, given: _Values, events: _Events) -> Inputs:
        """Return the inputs after what can have happened of the changes."""
        if events:
            return _folded(self._customer, events, self._customer.at)
        return _as_given(self._customer, self.stored, given) if given else self.stored


def fits(orders: float, spent: float, mean: float) -> bool:
    """Return whether orders, the spend and the mean value are of one customer, as far as people round them."""
    return abs(orders * mean - spent) <= max(spent / 100, 0.01 * (orders + 1))


def _fitting(row: Inputs, given: _Values) -> Inputs:
    """Return a row whose spend and mean value of an order fit its orders, if one of the three is given.

    What is given stays; else the mean stays where orders are given, and the spend follows.
    """
    orders, spent, mean = row["total_orders"], row["total_spent"], row["avg_order_value"]
    are_given = [name in given for name in ("total_orders", "total_spent", "avg_order_value")]
    if orders is None or spent is None or mean is None or not any(are_given) or fits(orders, spent, mean):
        return row
    if not are_given[1]:
        return {**row, "total_spent": orders * mean}
    return {**row, "avg_order_value": spent / orders} if orders and not are_given[2] else row


def _days(begin: float, end: float, limit: float | None = None) -> tuple[list[float], list[float]]:
    """Return days after `begin` and before `end`; and the next, or the limit before it, if `end` is neither.

    They are the hours of the first day and whole days. Each later end has the same: whatever lies on the way to one
    silence lies on the way to each longer one.
    """
    days, between = _grid(begin), []
    while (day := next(days)) < end:
        between.append(day)
    beyond = day if limit is None else min(day, limit)
    return between, [beyond] if beyond > end else []


def _grid(begin: float) -> Iterator[float]:
    yield from (hour / 24 for hour in range(int(begin * 24) + 1, 24))
    first, passed = int(begin) + 1, 0
    while True:
        yield float(first + passed)
        passed += max(1, passed // _FINENESS)


def _more(known: float | None, given: _Values, name: str) -> int:
    """Return how many events make a count what is given; 0 where none can."""
    more = (given.get(name) or 0) - (known or 0)
    return int(more) if known is not None and more > 0 and more == int(more) else 0


def _valued(event: HypotheticalEvent, customer: StoredCustomer, stored: Features) -> HypotheticalEvent:
    cents = _usual_cents(customer, stored) if event.needs_value else None
    return event if cents is None else replace(event, data={**event.data, "order_value": cents / 100})


def _usual_cents(customer: StoredCustomer, stored: Features) -> int | None:
    """Return the value of a usual order in hundredths; None without one, and where the spend is unknown."""
    return None if stored["total_spent"] is None else customer.typical_cents


def _silent_before(stored: Features, given: Mapping[str, float | None]) -> float | None:
    """Return how many days of a longer silence have passed by now: none if new orders come before it.

    None where no longer one is given.
    """
    silence, known = given.get(SILENCE), stored[SILENCE]
    if silence is None or known is None or silence <= known:
        return None
    return 0.0 if _more(stored["total_orders"], given, "total_orders") else known


def _as_given(customer: StoredCustomer, stored: Features, given: Mapping[str, float | None]) -> Inputs:
    """Return the inputs after the events that bring a customer closest to the values given.

    Fewer days since the last order are an order so many days ago, unless as many orders as stored are asked for; more
    are a later instant without orders. Higher counts are events of the instant that is asked about; more orders come
    before the silence, if there is one, and on its first day where it is kept as stored.
    """
    silence, begin = given.get(SILENCE), _silent_before(stored, given)
    at = customer.at if silence is None or begin is None else customer.at + timedelta(days=silence - begin)
    orders = _more(stored["total_orders"], given, "total_orders")
    if silence is not None and begin is None and "total_orders" not in given:
        orders = 0 if silence == stored[SILENCE] else 1
    placed = _Orders(silence or 0.0, orders, _cents(customer, stored, given, orders)) if orders else None
    inputs = _folded(customer, (), at, placed)
    counts = [name for name in _COUNTS if name in given and _more(_counted(customer, inputs, name, at), given, name)]
    if not counts:
        return inputs
    # One event of a kind shows that the shop sends it; more of them move nothing but their count.
    first = [HypotheticalEvent(cast("HypotheticalType", EVENT_TYPES_OF_KIND[name]), 0) for name in counts]
    return {**_folded(customer, first, at, placed), **{name: given[name] for name in counts}}


def _counted(customer: StoredCustomer, inputs: Inputs, name: str, at: datetime) -> float | None:
    """Return a count, also of what the shop does not send."""
    return features_at(customer.state, at, {name: 0})[name] if inputs[name] is None else inputs[name]


def _cents(customer: StoredCustomer, stored: Features, given: Mapping[str, float | None], orders: int) -> int | None:
    """Return the value of new orders in hundredths: what reaches the spend or the mean given, else the typical one.

    It is unknown where the spend is, and where there is no typical one.
    """
    if stored["total_spent"] is None:
        return None
    spent, count = round(stored["total_spent"] * 100), stored["total_orders"] or 0
    total, mean = given.get("total_spent"), given.get("avg_order_value")
    added = 0
    if total is not None:
        added = round(total * 100) - spent
    elif mean is not None:
        added = round(mean * (count + orders) * 100) - spent
    if orders <= added <= MAX_AMOUNT * 100:
        return added
    usual = _usual_cents(customer, stored)
    return usual * orders if usual else None


@dataclass(frozen=True, slots=True)
class _Orders:
    """Orders of one instant, and what they are worth together; None if that is unknown."""

    days_ago: float
    count: int
    cents: int | None


def _folded(
    customer: StoredCustomer, happened: Sequence[HypotheticalEvent], at: datetime, placed: _Orders | None = None
) -> Inputs:
    """Return the inputs at an instant after hypothetical events; nothing of the customer changes."""
    if placed is not None:
        first = None if placed.cents is None else placed.cents - placed.cents // placed.count * (placed.count - 1)
        data = {} if first is None else {"order_value": first / 100}
        happened = [HypotheticalEvent("order_placed", placed.days_ago, data), *happened]
    events = [
        Event(f"hypothetical-{number}", one.event_type, "", at - timedelta(days=one.days_ago), one.data)
        for number, one in enumerate(happened)
    ]
    state = customer.state.copy()
    state.advance(events, to_millis(at))
    if placed is not None and placed.count > 1:
        each = None if placed.cents is None else placed.cents // placed.count
        state.purchases.repeat(events[0].at, each, placed.count - 1)
    # The first event of a kind shows that the shop sends it.
    new = {kind: since for kind, since in observed_kinds(events).items() if kind not in customer.observed}
    return inputs_at(state, at, {**new, **customer.observed})
