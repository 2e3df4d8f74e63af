"""Lines of orders, sorted by customer and number, become orders, and each order becomes events."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from churn.domain.events import MAX_FUTURE, Event, InvalidEventError
from churn.domain.timestamps import DAY, from_millis, iso, to_millis
from churn.domain.values import MAX_AMOUNT
from infra.tools.importer.events import Withdrawn, build_event, digest
from infra.tools.importer.faults import DoubtError
from infra.tools.importer.formats import LineKind
from infra.tools.importer.refunds import refund_ids, refund_of_earlier
from infra.tools.importer.staging import Line, Repeated
from infra.tools.importer.tallies import Occurrences

# So many of a customer's events are sorted by time in memory.
_SORTED_AT_ONCE = 20_000
# Among so many orders of several lines, all with one value, a chance is ruled out.
_ENOUGH = 20
_NEARLY_ALL = 0.98
_MOST = 0.9
_HALF_A_CENT = 0.005
_MOST_REFUNDS = 1000
ORPHANS = "refunds or credit notes that name no order"


def line_kind(repeated: Repeated, name_says: LineKind | None) -> LineKind:
    """Return what a line is, by what the orders of several lines have in common.

    `name_says`: what the name of the column with the value says that it is of. Raises DoubtError.
    """
    if not repeated.orders:
        return "order"
    share = repeated.same / repeated.orders
    if name_says == "item":
        return "item"
    if name_says == "total":
        return "total" if share >= _MOST else "item"
    if repeated.orders >= _ENOUGH and share >= _NEARLY_ALL:
        return "total"
    if share < 1:
        return "item"
    raise DoubtError(
        f"{repeated.orders:,} orders have several lines, all with the same value: it is {repeated.once:,.2f} in all "
        f"if each line repeats the order's total (--line=total), or {repeated.added:,.2f} if the lines add up "
        "(--line=item)"
    )


@dataclass(slots=True)
class Figures:
    """What the orders of a file come to."""

    orders: int = 0
    money: float = 0.0
    cancelled: int = 0
    cancelled_money: float = 0.0
    refunded: int = 0
    """Orders of which a part was paid back."""
    refunded_money: float = 0.0
    free: int = 0
    """Orders of value 0, which are kept and count nowhere."""
    unvalued: int = 0
    """Orders of an unknown value, which count."""
    unmatched: int = 0
    """Cancellations of orders that the file does not have."""
    earlier: int = 0
    """Orders that the file does not have, and of which it has refunds."""
    customers: int = 0
    largest: tuple[int, str] = (0, "")
    """The most orders of one customer, and who it is."""
    first: int | None = None
    last: int | None = None
    days: Counter[int] = field(default_factory=Counter)
    """Orders by UTC day (days since 1970)."""
    joined: int = 0
    """Lines that were added to an order before them."""
    not_counted: Counter[str] = field(default_factory=Counter)

    @property
    def months(self) -> Counter[str]:
        """Orders by month, such as ``2026-01``."""
        months: Counter[str] = Counter()
        for day, count in self.days.items():
            months[from_millis(day * DAY).strftime("%Y-%m")] += count
        return months


@dataclass(slots=True)
class _Order:
    """An order as its lines add up."""

    first: Line
    at: int
    value: float | None
    discount: float | bool | None
    items: int | None
    cancelled_at: int | None
    refunded: float
    updated_at: int | None
    repetition: int = 0
    refunds: list[tuple[int, float]] = field(default_factory=list)
    """Instants and amounts of the lines that only pay back, at most _MOST_REFUNDS."""

    @classmethod
    def of(cls, line: Line) -> "_Order":
        order = cls(
            line, line.at, line.value, line.discount, line.items, line.cancelled_at, line.refunded, line.updated_at
        )
        order._note_refund(line)
        return order

    def add(self, line: Line) -> None:
        """Add a further line of the same order."""
        if line.value is not None:
            self.value = (self.value or 0.0) + line.value
        self.refunded += line.refunded
        self._join(line)
        self._note_refund(line)
        if line.items is not None:
            self.items = (self.items or 0) + line.items
        if line.discount is not None:
            both_values = not isinstance(self.discount, bool) and not isinstance(line.discount, bool)
            self.discount = (
                (self.discount or 0.0) + line.discount if both_values else bool(self.discount) or bool(line.discount)
            )

    def replace(self, line: Line) -> None:
        """Take a further line that has the whole order: the last counts."""
        self.value = self.value if line.value is None else line.value
        self.refunded = max(self.refunded, line.refunded)
        self._join(line)

    def _note_refund(self, line: Line) -> None:
        if line.value is None or (line.value > 0 and not line.refunded):
            return
        only_pays_back = line.value < 0 or (line.refunded and not line.value)
        if only_pays_back and len(self.refunds) < _MOST_REFUNDS:
            self.refunds.append((line.at, line.refunded or -line.value))

    def _join(self, line: Line) -> None:
        self.at = min(self.at, line.at)
        if self.cancelled_at is not None and line.cancelled_at is not None:
            self.cancelled_at = min(self.cancelled_at, line.cancelled_at)
        if line.updated_at is not None:
            self.updated_at = max(self.updated_at or 0, line.updated_at)


class Orders:
    """The orders of sorted lines; `figures` are whole once all events were taken."""

    def __init__(self, kind: LineKind, *, now: datetime, allowed: Container[str]) -> None:
        """`kind`: what a line is."""
        self.figures = Figures()
        self._kind = kind
        self._now = now
        self._latest = to_millis(now + MAX_FUTURE)
        self._allowed = allowed

    def events(self, lines: Iterable[Line]) -> Iterator[Event | tuple[Line, str]]:
        """Yield the events of all orders, by customer and, as far as memory allows, by time.

        In place of an order that is none: its first line, and why.
        """
        for customer, own in groupby(lines, key=attrgetter("customer")):
            pending: list[Event] = []
            before = self.figures.orders
            for item in self._of_customer(own):
                if isinstance(item, tuple):
                    yield item
                    continue
                pending.append(item)
                if len(pending) >= _SORTED_AT_ONCE:
                    yield from _by_time(pending)
                    pending = []
            yield from _by_time(pending)
            count = self.figures.orders - before
            self.figures.customers += 1
            self.figures.largest = max(self.figures.largest, (count, customer))

    def _of_customer(self, lines: Iterable[Line]) -> Iterator[Event | tuple[Line, str]]:
        with closing(Occurrences()) as repetitions:
            yield from self._of_numbers(lines, repetitions)

    def _of_numbers(self, lines: Iterable[Line], repetitions: Occurrences) -> Iterator[Event | tuple[Line, str]]:
        for number, of_order in groupby(lines, key=attrgetter("number")):
            if not number:
                for line in of_order:
                    order = _Order.of(line)
                    order.repetition = repetitions.add(hash((line.at, line.value, line.discount, line.cancelled_at)))
                    yield from self._finish([order])
                continue
            yield from self._finish(self._join(of_order))

    def _join(self, lines: Iterator[Line]) -> list[_Order]:
        """Return the order of the lines of one number, and the cancelled one of that number beside it."""
        first, second = next(lines), next(lines, None)
        if second is None:
            return [_Order.of(first)]
        with closing(Occurrences()) as seen:
            return self._join_new(line for line in chain((first, second), lines) if not seen.add(line.content))

    def _join_new(self, lines: Iterable[Line]) -> list[_Order]:
        placed: _Order | None = None
        cancelled: _Order | None = None
        for line in lines:
            first = placed if line.cancelled_at is None else cancelled
            if first is not None:
                self.figures.joined += 1
                if self._kind == "item":
                    first.add(line)
                else:
                    first.replace(line)
            elif line.cancelled_at is None:
                placed = _Order.of(line)
            else:
                cancelled = _Order.of(line)
        if placed is not None and cancelled is not None and self._kind == "item":
            # Some items were cancelled: the order stands with the others.
            return [placed]
        return [order for order in (placed, cancelled) if order is not None]

    def _finish(self, orders: list[_Order]) -> Sequence[Event | tuple[Line, str]]:
        finished: list[Event | tuple[Line, str]] = []
        for order in orders:
            if order.value is not None and (order.value <= -_HALF_A_CENT or (order.refunded and not order.value)):
                finished += self._pay_back_earlier(order)
                continue
            try:
                events = self._events(order, is_cancelled=len(orders) == 2)
            except InvalidEventError as error:
                reason = "; ".join(f"{one.field.removeprefix('data.')}: {one.message}" for one in error.errors)
                finished.append((order.first, reason))
                continue
            self._count(order, is_alone=len(orders) == 1, has_pair=len(orders) == 2)
            finished += events
        return finished

    def _pay_back_earlier(self, order: _Order) -> Iterator[Event]:
        line = order.first
        if not line.number or not order.refunds:
            self.figures.not_counted[ORPHANS] += 1
            return
        self.figures.earlier += 1
        yield refund_of_earlier(line, order.refunds)

    def _events(self, order: _Order, *, is_cancelled: bool) -> list[Event]:
        """Return the order, unless it was cancelled at once, and its cancellation. Raises InvalidEventError.

        `is_cancelled`: whether other lines of the file cancel it.
        """
        self._take_back(order)
        events: list[Event] = []
        line = order.first
        value = None if order.value is None else round(order.value, 2)
        identity = [line.sent_customer, line.sent_number, order.at, value, order.discount, order.repetition]
        order_id = line.sent_number
        if order.cancelled_at is not None and not order_id:
            order_id = "row-" + digest(identity)
        data: dict[str, Any] = {"order_id": order_id} if order_id else {}
        if value is not None:
            data["order_value"] = value
        if order.refunds:
            data["refunds"] = [*refund_ids(line, order.refunds)]
        if order.cancelled_at is None or order.cancelled_at > order.at:
            event_id = "order-" + digest(identity)
            placed = self._event(event_id, "order_placed", order, order.at, data | _details(order))
            events.append(_withdrawn(placed) if is_cancelled or order.cancelled_at is not None else placed)
        if order.cancelled_at is not None:
            event_id = "cancel-" + digest([*identity, order.cancelled_at])
            events.append(self._event(event_id, "order_cancelled", order, order.cancelled_at, data))
        return events

    def _take_back(self, order: _Order) -> None:
        """Subtract what was paid back; an order that was paid back whole is cancelled."""
        if order.cancelled_at is not None or not order.refunded or order.value is None:
            return
        rest = order.value - order.refunded
        if rest < _HALF_A_CENT:
            order.cancelled_at = order.at
            return
        self.figures.refunded += 1
        self.figures.refunded_money += order.refunded
        order.value, order.refunded = rest, 0.0

    def _event(self, event_id: str, event_type: str, order: _Order, at: int, data: dict[str, Any]) -> Event:
        line, timestamp = order.first, from_millis(at)
        value, discount = data.get("order_value", 0), data.get("discount_value", 0)
        if at > self._latest or not 0 <= value <= MAX_AMOUNT or not 0 <= discount <= MAX_AMOUNT:
            # Whatever is wrong is told by the check of all events.
            return build_event(
                event_id, event_type, line.sent_customer, timestamp, data, now=self._now, allowed=self._allowed
            )
        # The line has passed this check already; another would take longer than all else.
        sent = None if line.sent_customer == line.customer else (line.sent_customer, event_id)
        return Event(event_id, event_type, line.customer, timestamp, data, sent)

    def _count(self, order: _Order, *, is_alone: bool, has_pair: bool) -> None:
        figures = self.figures
        if order.cancelled_at is not None:
            figures.cancelled += is_alone or has_pair
            figures.cancelled_money += order.value or 0.0
            figures.unmatched += is_alone and order.cancelled_at <= order.at and not order.refunded
            return
        if order.value is not None and round(order.value, 2) <= 0:
            figures.free += 1
            return
        figures.orders += 1
        figures.unvalued += order.value is None
        figures.money += order.value or 0.0
        figures.first = order.at if figures.first is None else min(figures.first, order.at)
        figures.last = order.at if figures.last is None else max(figures.last, order.at)
        figures.days[order.at // DAY] += 1


def _withdrawn(event: Event) -> Withdrawn:
    return Withdrawn(event.event_id, event.event_type, event.customer_id, event.timestamp, event.data, event.sent_ids)


def _details(order: _Order) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if isinstance(order.discount, bool):
        details["discount_used"] = order.discount
    elif order.discount is not None:
        details["discount_value"] = round(order.discount, 2)
    if order.items is not None:
        details["items_count"] = order.items
    if order.updated_at is not None:
        details["revised_at"] = iso(from_millis(order.updated_at))
    return details


def _by_time(events: list[Event]) -> list[Event]:
    return sorted(events, key=attrgetter("timestamp", "event_id"))
