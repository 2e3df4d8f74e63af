"""Orders: the ledger that holds every order of a customer, and the bounded sums that a customer's state carries.

An order counts, wherever orders are counted, when it stands (was placed and not cancelled) and its value is not 0. One
of an unknown value counts: the spend is unknown then.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self

from churn.domain.timestamps import DAY

MAX_RECENT = 200
"""So many of the newest orders are kept by their instants: gaps between orders are those of these."""

SPEND_DAYS = 181
"""So many days of spend are kept, today included: the longest window of spend, and the day that it begins on."""


class Order(NamedTuple):
    """One order. Instants in milliseconds since 1970, value in hundredths of the currency's unit, None if unknown."""

    placed_at: int | None = None
    cents: int | None = 0
    discounted: bool | None = None
    cancelled_at: int | None = None
    revised_at: int | None = None
    """When this version was made, where its event says so; else when it was placed."""
    reinstated_at: int | None = None
    """Since when the order stands again: cancellations that were known before count no more."""
    cancelled_as_of: int | None = None
    """When the newest cancellation was known, where that is not `cancelled_at`."""

    @property
    def counts(self) -> bool:
        """Whether the order counts, all its events considered."""
        return self.placed_at is not None and self.cents != 0 and self.cancelled_at is None

    def counts_at(self, at: int) -> bool:
        """Return whether the order counted at that instant."""
        return (
            self.placed_at is not None
            and self.cents != 0
            and self.placed_at <= at
            and (self.cancelled_at is None or self.cancelled_at > at)
        )

    def placed(self, at: int, cents: int | None, discounted: bool | None, revised_at: int | None = None) -> Self:
        """Return the order after it was placed, or sent again as a correction: the newest version counts.

        A version is as old as `revised_at` says, else as the order itself; the larger of two that are equally
        old counts, and an unknown value is the smallest.
        """
        version = type(self)(
            at, cents, discounted, self.cancelled_at, revised_at, self.reinstated_at, self.cancelled_as_of
        )
        return self if self.placed_at is not None and self.age >= version.age else version

    @property
    def age(self) -> tuple[int, ...]:
        """Versions of an order compare by this: the newest counts."""
        placed_at = -1 if self.placed_at is None else self.placed_at
        revised_at = placed_at if self.revised_at is None else self.revised_at
        cents = -1 if self.cents is None else self.cents
        return revised_at, cents, _rank(self.discounted), placed_at, self.revised_at is not None

    def cancelled(self, at: int, as_of: int | None = None) -> Self:
        """Return the order after a cancellation, which may come before the order itself; the earliest counts.

        Of an order that was reinstated only a cancellation counts that was known later: `as_of`, else `at`.
        """
        known = at if as_of is None else as_of
        newest = known if self._newest is None else max(self._newest, known)
        if self.reinstated_at is not None:
            return self if known < self.reinstated_at else self._taken_back(newest, newest)
        return self._taken_back(at if self.cancelled_at is None else min(self.cancelled_at, at), newest)

    def reinstated(self, at: int) -> Self:
        """Return the order that stands again since an instant; cancellations that are known since then still count."""
        since = at if self.reinstated_at is None else max(self.reinstated_at, at)
        newest = None if self._newest is None or self._newest < since else self._newest
        return type(self)(self.placed_at, self.cents, self.discounted, newest, self.revised_at, since)

    @property
    def _newest(self) -> int | None:
        """When the newest cancellation was known."""
        return self.cancelled_at if self.cancelled_as_of is None else self.cancelled_as_of

    def _taken_back(self, at: int, newest: int) -> Self:
        as_of = None if newest == at else newest
        return type(self)(self.placed_at, self.cents, self.discounted, at, self.revised_at, self.reinstated_at, as_of)


class Ledger(Protocol):
    """What a customer's state looks up and does not carry: every order, and changes of loyalty points that are old."""

    def get(self, order_id: str) -> Order | None:
        """Return an order by its id."""

    def put(self, order_id: str, order: Order) -> None:
        """Store an order under its id."""

    def orders(self) -> Iterable[Order]:
        """Return all orders."""

    def newest(self, most: int) -> list[int]:
        """Return the instants of the newest orders that count, the oldest first."""

    def counts_on(self, day: int, without: str) -> bool:
        """Return whether an order other than `without` counts that was placed on a UTC day (days since 1970)."""

    def point_changes(self, after: int) -> list[tuple[int, int]]:
        """Return the folded changes of loyalty points after an instant: (instant, millionths of a point)."""

    def add_point_change(self, at: int, micros: int) -> None:
        """Note a change of loyalty points that has been folded."""

    def clear(self) -> None:
        """Forget everything."""


class MemoryLedger:
    """A ledger in memory, for histories that are replayed; what it is asked for costs the same however long it is."""

    def __init__(self, orders: dict[str, Order] | None = None) -> None:
        """Take orders by their ids."""
        self.by_id: dict[str, Order] = {}
        self._placed: list[int] = []
        self._on_day: Counter[int] = Counter()
        self._points: list[tuple[int, int]] = []
        for order_id, order in sorted((orders or {}).items(), key=lambda one: one[1].placed_at or 0):
            self.put(order_id, order)

    def get(self, order_id: str) -> Order | None:
        """Return an order by its id."""
        return self.by_id.get(order_id)

    def put(self, order_id: str, order: Order) -> None:
        """Store an order under its id."""
        before = self.by_id.get(order_id)
        if before is not None and before.counts:
            at = before.placed_at or 0
            del self._placed[bisect_left(self._placed, at)]
            self._on_day[at // DAY] -= 1
        self.by_id[order_id] = order
        if order.counts:
            at = order.placed_at or 0
            insort(self._placed, at)
            self._on_day[at // DAY] += 1

    def orders(self) -> Iterable[Order]:
        """Return all orders."""
        return self.by_id.values()

    def newest(self, most: int) -> list[int]:
        """Return the instants of the newest orders that count, the oldest first."""
        return self._placed[-most:]

    def counts_on(self, day: int, without: str) -> bool:
        """Return whether an order other than `without` counts that was placed on a UTC day (days since 1970)."""
        own = self.by_id.get(without)
        is_own = own is not None and own.counts and (own.placed_at or 0) // DAY == day
        return self._on_day[day] > is_own

    def point_changes(self, after: int) -> list[tuple[int, int]]:
        """Return the folded changes of loyalty points after an instant: (instant, millionths of a point)."""
        return [change for change in self._points if change[0] > after]

    def add_point_change(self, at: int, micros: int) -> None:
        """Note a change of loyalty points that has been folded."""
        self._points.append((at, micros))

    def clear(self) -> None:
        """Forget everything."""
        self.by_id.clear()
        self._placed.clear()
        self._on_day.clear()
        self._points.clear()


@dataclass(slots=True)
class Purchases:
    """The sums over all orders of a customer that count, exact under corrections, cancellations and late orders."""

    orders: int = 0
    cents: int = 0
    """The value of those of them whose value is known."""
    discounted: int = 0
    discount_known: int = 0
    days: int = 0
    """UTC days with an order: orders of one day are one occasion to buy."""
    recent: list[int] = field(default_factory=list)
    """The instants of the newest MAX_RECENT orders, the oldest first."""
    spent: dict[int, int] = field(default_factory=dict)
    """Hundredths spent by UTC day (days since 1970), of the last SPEND_DAYS days."""
    unvalued: int = 0
    """Orders whose value is unknown."""
    changed_days: dict[int, bool] = field(default_factory=dict, compare=False)
    """The UTC days that have changed since the sums were made or read, and whether they have an order now."""

    def replace(self, order_id: str, before: Order, after: Order, ledger: Ledger) -> None:
        """Exchange an order for its new version, in the sums and in the ledger."""
        if before == after:
            return
        if before.counts:
            self._subtract(order_id, before, ledger)
        if after.counts:
            self._add(order_id, after, ledger)
        ledger.put(order_id, after)
        if len(self.recent) < min(self.orders, MAX_RECENT):
            self.recent = ledger.newest(MAX_RECENT)

    def repeat(self, at: int, cents: int | None, times: int) -> None:
        """Count so many more orders of the instant of one that is counted, each of such a value.

        The sums are those of so many orders; the recent ones keep one for them all, which is all that an occasion to
        buy is. No order can be exchanged afterwards.
        """
        day, worth = at // DAY, (cents or 0) * times
        self.orders += times
        self.cents += worth
        self.unvalued += times * (cents is None)
        self.spent[day] = self.spent.get(day, 0) + worth

    def forget_spend_before(self, clock: int) -> bool:
        """Drop the days of spend that no window at `clock` (milliseconds since 1970) or later reaches.

        Return whether there were any.
        """
        first, before = clock // DAY - SPEND_DAYS + 1, len(self.spent)
        self.spent = {day: cents for day, cents in self.spent.items() if day >= first}
        return len(self.spent) < before

    @property
    def total_cents(self) -> int | None:
        """The hundredths of all orders; None if the value of one is unknown."""
        return None if self.unvalued else self.cents

    @property
    def mean_cents(self) -> float | None:
        """The mean hundredths of the orders whose value is known; None without one."""
        valued = self.orders - self.unvalued
        return self.cents / valued if valued else None

    def spent_since(self, day: int) -> int | None:
        """Return the hundredths spent on that UTC day and after; None if the value of an order is unknown."""
        return None if self.unvalued else sum(cents for other, cents in self.spent.items() if other >= day)

    def all_days(self, before: Iterable[int] | None) -> set[int] | None:
        """Return all UTC days with an order (days since 1970), None where the sums do not tell.

        `before` are those before the changes since the sums were made or read, None if they are not known.
        """
        if len(self.recent) == self.orders:
            return {at // DAY for at in self.recent}
        if before is None:
            return None
        lost = {day for day, has_order in self.changed_days.items() if not has_order}
        days = {*before, *self.changed_days} - lost
        # Whoever knows nothing of these days has changed the orders meanwhile, if it is not as many.
        return days if len(days) == self.days else None

    def occasions(self) -> list[int]:
        """Return the instants of the occasions among the newest orders: of each UTC day the newest order."""
        return list({at // DAY: at for at in self.recent}.values())

    def to_json(self) -> list[Any]:
        """Return the sums as JSON values; equal sums give equal values."""
        spent = sorted(self.spent.items())
        sums = [self.orders, self.cents, self.discounted, self.discount_known, self.days, self.recent, spent]
        # Only where there are any: states of before have none, and stay as they are.
        return [*sums, self.unvalued] if self.unvalued else sums

    @classmethod
    def from_json(cls, raw: list[Any]) -> Self:
        """Return the sums that `to_json` wrote."""
        orders, cents, discounted, discount_known, days, recent, spent, *unvalued = raw
        return cls(orders, cents, discounted, discount_known, days, recent, dict(spent), *unvalued)

    def _add(self, order_id: str, order: Order, ledger: Ledger) -> None:
        at = order.placed_at or 0
        day = at // DAY
        if not self._counts_on(day, order_id, ledger):
            self.days += 1
            self.changed_days[day] = True
        # Another order may have left the recent ones just now: only what is newer than one of them surely belongs here.
        if len(self.recent) == self.orders or (self.recent and at > self.recent[0]):
            insort(self.recent, at)
            del self.recent[:-MAX_RECENT]
        self._sum(order, 1)

    def _subtract(self, order_id: str, order: Order, ledger: Ledger) -> None:
        at = order.placed_at or 0
        if self.recent and at >= self.recent[0]:
            del self.recent[bisect_left(self.recent, at)]
        self._sum(order, -1)
        if not self._counts_on(at // DAY, order_id, ledger):
            self.days -= 1
            self.changed_days[at // DAY] = False

    def _counts_on(self, day: int, without: str, ledger: Ledger) -> bool:
        """Return whether an order other than `without`, which is not among the recent ones, counts on a day."""
        if self.recent and self.recent[-1] < day * DAY:
            # None is newer than the recent ones.
            return False
        if bisect_left(self.recent, day * DAY) < bisect_right(self.recent, day * DAY + DAY - 1):
            return True
        # The recent ones are all that there are, or reach back beyond the day.
        if len(self.recent) == self.orders or (self.recent and self.recent[0] // DAY < day):
            return False
        return ledger.counts_on(day, without)

    def _sum(self, order: Order, sign: int) -> None:
        self.orders += sign
        cents = order.cents or 0
        self.cents += sign * cents
        self.unvalued += sign * (order.cents is None)
        self.discount_known += sign * (order.discounted is not None)
        self.discounted += sign * bool(order.discounted)
        day = (order.placed_at or 0) // DAY
        self.spent[day] = self.spent.get(day, 0) + sign * cents
        if not self.spent[day]:
            del self.spent[day]


def ordered_between(orders: Iterable[Order], start: int, end: int) -> bool:
    """Return whether an order of `start` to before `end` (milliseconds since 1970) counted at `end`.

    This is the label that models learn, and the outcome of a prediction.
    """
    return any(_counts_between(order, start, end) for order in orders)


def bought_between(orders: Iterable[Order], start: int, end: int) -> tuple[int, int | None]:
    """Return on how many UTC days orders as `ordered_between` counts them were placed, and their hundredths.

    The hundredths are None if the value of one of them is unknown.
    """
    bought = [order for order in orders if _counts_between(order, start, end)]
    known = [order.cents for order in bought if order.cents is not None]
    cents = sum(known) if len(known) == len(bought) else None
    return len({(order.placed_at or 0) // DAY for order in bought}), cents


def _counts_between(order: Order, start: int, end: int) -> bool:
    return order.placed_at is not None and start <= order.placed_at < end and order.counts_at(end)


def _rank(discounted: bool | None) -> int:
    return -1 if discounted is None else int(discounted)
