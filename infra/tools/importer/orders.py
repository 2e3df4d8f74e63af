"""Lines of orders, sorted by customer and number, become orders, and each order becomes events."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, groupby
from json.encoder import encode_basestring_ascii
from operator import attrgetter, itemgetter
from typing import Any

from churn.domain.events import MAX_FUTURE, Event, InvalidEventError
from churn.domain.timestamps import DAY, from_millis, iso, to_millis
from churn.domain.values import MAX_AMOUNT
from infra.tools.importer.events import Credit, Withdrawn, build_event, digest, digest_of_text
from infra.tools.importer.export_format import LineKind
from infra.tools.importer.joined_lines import FAR_APART, HALF_A_CENT, Order
from infra.tools.importer.refunds import VOID, refund_ids, refund_of_earlier, void_of_earlier
from infra.tools.importer.staging import Line
from infra.tools.importer.tallies import Occurrences
from infra.tools.importer.total_lines import is_total_word

# So many of a customer's events are sorted by time in memory.
_SORTED_AT_ONCE = 20_000
# What a line may tell besides customer, number, instant and value, and that of a line that tells nothing of it.
_details_of = itemgetter(slice(Line._fields.index("discount"), None))
_NO_DETAILS = (None, None, None, 0.0, None, False)
ORPHANS = "refunds or credit notes that name no order"


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
    equal_refunds: int = 0
    """Of those, orders with the same refund on each of several lines, which may be the order's."""
    partly: int = 0
    """Orders that stand, some lines of which are cancelled."""
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
    totals: str = ""
    """A customer who is called what lines of totals are."""
    first: int | None = None
    last: int | None = None
    are_whole: bool = True
    """Whether all values are whole numbers."""
    ahead: int = 0
    """Orders that are placed more than a day from now."""
    days: Counter[int] = field(default_factory=Counter)
    """Orders by UTC day (days since 1970)."""
    joined: int = 0
    """Lines that were added to an order before them."""
    equal: int = 0
    """Lines that equal another of their order."""
    versions: int = 0
    """Lines that are another version of an order, by the time of its last change."""
    far_apart: int = 0
    """Orders with lines that were placed more than FAR_APART from each other."""
    example_far_apart: str = ""
    """The number of one of them."""
    not_counted: Counter[str] = field(default_factory=Counter)

    @property
    def months(self) -> Counter[str]:
        """Orders by month, such as ``2026-01``."""
        months: Counter[str] = Counter()
        for day, count in self.days.items():
            months[from_millis(day * DAY).strftime("%Y-%m")] += count
        return months


class Orders:
    """The orders of sorted lines; `figures` are whole once all events were taken."""

    def __init__(self, kind: LineKind, *, now: datetime, allowed: Container[str], refunds_repeat: bool = False) -> None:
        """`kind`: what a line is; `refunds_repeat`: whether each line of an order tells the refund of all."""
        self.figures = Figures()
        self._kind = kind
        self._refunds_repeat = refunds_repeat
        self._now = now
        self._latest = to_millis(now + MAX_FUTURE)
        self._tomorrow = to_millis(now) + DAY
        self._allowed = allowed
        self._never_as_of = -1
        """Of one number: when a line that it never was an order was changed."""

    def events(self, lines: Iterable[Line]) -> Iterator[Event | tuple[Line, str]]:
        """Yield the events of all orders, by customer and, as far as memory allows, by time.

        In place of an order that is none: its first line, and why.
        """
        for customer, own in groupby(lines, key=attrgetter("customer")):
            pending: list[Event] = []
            before, has_orders = self.figures.orders, False
            for item in self._of_customer(own):
                if isinstance(item, tuple):
                    yield item
                    continue
                pending.append(item)
                has_orders = has_orders or item.event_type != VOID
                if len(pending) >= _SORTED_AT_ONCE:
                    yield from _by_time(pending)
                    pending = []
            yield from _by_time(pending)
            count = self.figures.orders - before
            self.figures.customers += has_orders
            self.figures.largest = max(self.figures.largest, (count, customer))
            if count and is_total_word(customer):
                self.figures.totals = customer

    def _of_customer(self, lines: Iterable[Line]) -> Iterator[Event | tuple[Line, str]]:
        with closing(Occurrences()) as repetitions:
            yield from self._of_numbers(lines, repetitions)

    def _of_numbers(self, lines: Iterable[Line], repetitions: Occurrences) -> Iterator[Event | tuple[Line, str]]:
        for number, of_order in groupby(lines, key=attrgetter("number")):
            if not number:
                for line in of_order:
                    order = Order.of(line)
                    order.repetition = repetitions.add(hash((line.at, line.value, line.discount, line.cancelled_at)))
                    yield from self._finish([order])
                continue
            yield from self._of_number(of_order)

    def _of_number(self, lines: Iterator[Line]) -> Sequence[Event | tuple[Line, str]]:
        first, second = next(lines), next(lines, None)
        if second is not None:
            orders = self._join(chain((first, second), lines))
            return self._finish(orders) if orders else [void_of_earlier(first)]
        if first.is_void:
            return [void_of_earlier(first)]
        if _details_of(first) == _NO_DETAILS and 0 < (first.value or 0.0) <= MAX_AMOUNT and first.at <= self._latest:
            return [self._plain(first, first.value or 0.0)]
        return self._finish([Order.of(first)])

    def _plain(self, line: Line, value: float) -> Event:
        """Return the event of an order of one line that has a value and nothing else, as most are: see `_events`."""
        value = round(value, 2)
        customer, number = encode_basestring_ascii(line.sent_customer), encode_basestring_ascii(line.sent_number)
        event_id = "order-" + digest_of_text(f"[{customer},{number},{line.at},{value!r},null,0]")
        self._count_placed(line.at, line.value)
        sent = None if line.sent_customer == line.customer else (line.sent_customer, event_id)
        data = {"order_id": line.sent_number, "order_value": value}
        return Event(event_id, "order_placed", line.customer, from_millis(line.at), data, sent)

    def _join(self, lines: Iterator[Line]) -> list[Order]:
        """Return the order of the lines of one number, and the cancelled one of that number beside it.

        None if all lines, or the newest of versions, say that it never was one.
        """
        self._never_as_of = -1
        with closing(Occurrences()) as seen:
            orders = self._join_new(self._different(lines, seen))
        was_never_one = all(-1 < (order.updated_at or -1) < self._never_as_of for order in orders)
        return [] if self._kind == "total" and was_never_one else orders

    def _different(self, lines: Iterable[Line], seen: Occurrences) -> Iterator[Line]:
        for line in lines:
            if line.is_void:
                self._never_as_of = max(self._never_as_of, line.updated_at or -1)
                continue
            if seen.add(line.content):
                self.figures.equal += 1
            else:
                yield line

    def _join_new(self, lines: Iterable[Line]) -> list[Order]:
        placed: Order | None = None
        cancelled: Order | None = None
        is_far_apart = False
        for line in lines:
            first = placed if line.cancelled_at is None else cancelled
            if first is not None:
                self.figures.joined += 1
                adds = line.cancelled_at is None and (line.value is None or line.value > 0)
                is_far_apart = is_far_apart or (adds and abs(line.at - first.first.at) > FAR_APART)
                if self._kind == "item" or (self._kind == "order" and line.cancelled_at is not None):
                    first.add(line)
                else:
                    self.figures.versions += first.is_of_another_time(line)
                    first.replace(line)
            elif line.cancelled_at is None:
                placed = Order.of(line)
            else:
                cancelled = Order.of(line)
        if is_far_apart and placed is not None:
            self.figures.far_apart += 1
            self.figures.example_far_apart = self.figures.example_far_apart or placed.first.number
        if placed is None or cancelled is None or placed.is_taken_back_by(cancelled, self._kind):
            return [order for order in (placed, cancelled) if order is not None]
        # A part was taken back, or some items were cancelled: the order stands with the others.
        self.figures.partly += 1
        placed.refunded += cancelled.taken_off
        placed.refunds += cancelled.refunds
        return [placed]

    def _finish(self, orders: list[Order]) -> Sequence[Event | tuple[Line, str]]:
        finished: list[Event | tuple[Line, str]] = []
        for order in orders:
            if order.value is not None and (order.value <= -HALF_A_CENT or order.only_pays_back):
                finished += self._pay_back_earlier(order)
                continue
            try:
                events = self._events(order, is_cancelled=len(orders) == 2)
            except InvalidEventError as error:
                reason = "; ".join(f"{one.field.removeprefix('data.')}: {one.message}" for one in error.errors)
                finished.append((order.first, reason))
                continue
            self._count(order, is_alone=len(orders) == 1)
            finished += events
        return finished

    def _pay_back_earlier(self, order: Order) -> Iterator[Event]:
        line = order.first
        if not line.number or not order.refunds:
            self.figures.not_counted[ORPHANS] += 1
            return
        self.figures.earlier += 1
        yield refund_of_earlier(line, order.refunds)

    def _events(self, order: Order, *, is_cancelled: bool) -> list[Event]:
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
        if order.refunds and not order.taken_off:
            data["refunds"] = [*refund_ids(line, order.refunds)]
        if order.cancelled_at is None or order.cancelled_at > order.at:
            event_id = "order-" + digest(identity)
            placed = self._event(event_id, "order_placed", order, order.at, data | _details(order))
            events.append(_marked(placed, Withdrawn) if is_cancelled or order.cancelled_at is not None else placed)
        if order.cancelled_at is not None:
            event_id = "cancel-" + digest([*identity, order.cancelled_at])
            taken_back = self._event(event_id, "order_cancelled", order, order.cancelled_at, data)
            is_credit = order.taken_off > 0 and order_id and not is_cancelled
            events.append(_marked(taken_back, Credit) if is_credit else taken_back)
        return events

    def _take_back(self, order: Order) -> None:
        """Subtract what was paid back; an order that was paid back whole is cancelled."""
        if order.cancelled_at is not None or not order.refunded or order.value is None:
            return
        if order.refunded_on_each and order.refunded_on_each < order.refunded < order.value:
            self.figures.equal_refunds += not self._refunds_repeat
        if order.refunded_on_each and (self._refunds_repeat or order.refunded > order.value + HALF_A_CENT):
            order.refunded = order.refunded_on_each
        # More than was taken cannot be given back.
        order.refunded = max(order.refunded, 0.0)
        if not order.refunded:
            return
        rest = order.value - order.refunded
        if rest < HALF_A_CENT:
            order.cancelled_at = order.at
            return
        self.figures.refunded += 1
        self.figures.refunded_money += order.refunded
        order.value, order.refunded = rest, 0.0

    def _event(self, event_id: str, event_type: str, order: Order, at: int, data: dict[str, Any]) -> Event:
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

    def _count(self, order: Order, *, is_alone: bool) -> None:
        figures = self.figures
        if order.cancelled_at is None and not is_alone:
            # The file takes it back.
            return
        if order.cancelled_at is not None:
            figures.cancelled += 1
            figures.cancelled_money += order.value or 0.0
            figures.unmatched += is_alone and order.cancelled_at <= order.at and not order.refunded
            return
        self._count_placed(order.at, order.value)

    def _count_placed(self, at: int, value: float | None) -> None:
        figures = self.figures
        if value is not None and round(value, 2) <= 0:
            figures.free += 1
            return
        figures.orders += 1
        figures.unvalued += value is None
        figures.money += value or 0.0
        figures.are_whole = figures.are_whole and (value is None or value % 1 == 0)
        if figures.first is None or at < figures.first:
            figures.first = at
        if figures.last is None or at > figures.last:
            figures.last = at
        figures.ahead += at > self._tomorrow
        figures.days[at // DAY] += 1


def _marked(event: Event, kind: type[Event]) -> Event:
    return kind(event.event_id, event.event_type, event.customer_id, event.timestamp, event.data, event.sent_ids)


def _details(order: Order) -> dict[str, Any]:
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
