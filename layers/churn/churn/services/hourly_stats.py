"""The dashboard's hourly figures, derived from when customers were first seen and from their orders.

A customer is active from an order on until `inactivity_days` have passed without another, or the order is cancelled: a
spell. The figures of an hour are those of its end, whenever they are measured: what came later changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from churn.adapters.mysql import Database, customers, hourly_stats, orders
from churn.domain.dashboard import RATE_DAYS
from churn.domain.orders import Order
from churn.domain.timestamps import DAY, from_millis, hour_of, to_millis
from churn.settings import Settings

_HOUR = timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)
# A year by the month begins with a whole month, and its first rate with the customers of 30 days before.
_LOOK_BACK = timedelta(days=366 + 31 + 30)
# More than so many hours are quicker measured in one pass over all orders.
_MEASURED_SINGLY = 25
# The hour (UTC) in which older hours are measured again that late events have changed.
_NIGHT = 3


Activity = Counter[tuple[datetime, str]]
"""By hour and kind: customers ``seen`` for the first time and ``lapsed``, and by how much who is ``active`` and who is
``active or left`` has changed; what the first hour began with is among its changes."""


class Spell(NamedTuple):
    """From when to when a customer was active, in milliseconds since 1970; the end is not part of it."""

    begin: int
    end: int
    lapsed: bool
    """Whether it ended as the time without an order was up, and not by a cancellation."""


def refresh(database: Database, settings: Settings, now: datetime) -> int:
    """Store the figures of the hours that have not been measured since their end; return how many.

    The hour of `now` is among them: it is measured as of now, and again when it is over. So are hours that events have
    changed which came later, those of more than a day ago in the night. If none is stored yet, those
    of the look-back are calculated. After an upgrade nothing is measured until the sweep has stored the orders of every
    customer; the hours until then are measured later. Raises DatabaseUnavailableError.
    """
    if not database.run(customers.all_folded):
        return 0
    since = first_hour(now)
    first, changed = database.run(
        lambda transaction: (
            hourly_stats.first_open(transaction, since, now),
            # One pass over all orders is for the night, if it is for late events alone.
            hourly_stats.take_change(transaction, long_ago=now.hour == _NIGHT),
        )
    )
    if first is not None and changed is not None:
        first = max(since, min(first, hour_of(changed)))
    if first is None or now - first > _MEASURED_SINGLY * _HOUR:
        return rebuild(database, settings, now, since=first or since)
    return measure_hours(database, settings, hours_between(first, now), now)


def rebuild(database: Database, settings: Settings, now: datetime, since: datetime | None = None) -> int:
    """Calculate the figures from an hour on, or of the whole look-back, from all orders; return the number of hours.

    It is for an import, and for hours that nobody measured; how many were at high risk in these is not known. Raises
    DatabaseUnavailableError.
    """
    first = since or first_hour(now)
    changes = activity(
        customers.first_seen(database),
        orders.histories(database),
        now=now,
        inactivity_days=settings.inactivity_days,
        since=first,
    )
    rows = rows_of(changes, hours_between(first, now))
    database.run(lambda transaction: hourly_stats.put(transaction, rows, now))
    _measure(database, settings, hour_of(now), now)
    return len(rows)


def rows_of(changes: Activity, hours: Iterable[datetime]) -> list[hourly_stats.Figures]:
    """Return the figures of hours, the first of which is that since when `changes` were counted."""
    rows = []
    active = active_or_left = 0
    for hour in hours:
        active += changes[hour, "active"]
        active_or_left += changes[hour, "active or left"]
        rows.append((hour, active, changes[hour, "seen"], changes[hour, "lapsed"], active_or_left - active))
    return rows


def measure_hours(database: Database, settings: Settings, hours: Iterable[datetime], now: datetime) -> int:
    """Store the figures of single hours, each from the orders that were recent then; return how many hours there are.

    Raises DatabaseUnavailableError.
    """
    all_hours = list(hours)
    for hour in all_hours:
        _measure(database, settings, hour, now)
    return len(all_hours)


def activity(
    first_seen: Iterable[datetime],
    histories: Iterable[Iterable[Order]],
    *,
    now: datetime,
    inactivity_days: int,
    since: datetime,
) -> Activity:
    """Return what changed in each hour from `since` to `now`."""
    counts: Activity = Counter()
    at_since, at_now = to_millis(since), to_millis(now)

    def count(spell: Spell, kind: str) -> bool:
        """Count a spell where it begins and ends, and return whether it ends within the hours."""
        if spell.begin <= at_now and spell.end >= at_since:
            # One that ends at the very beginning was active just before it.
            counts[hour_of(from_millis(max(spell.begin, at_since))), kind] += 1
            if spell.end <= at_now:
                counts[hour_of(from_millis(spell.end)), kind] -= 1
                return True
        return False

    counts.update((hour_of(instant), "seen") for instant in first_seen if since <= instant <= now)
    length = inactivity_days * DAY
    # No order lasts from before this until the hours begin.
    first = at_since - length - RATE_DAYS * DAY
    for history in histories:
        placed = [order for order in history if order.placed_at is not None and order.placed_at >= first]
        for spell in spells(placed, length):
            if count(spell, "active") and spell.lapsed:
                counts[hour_of(from_millis(spell.end)), "lapsed"] += 1
        # Whoever lapsed would still be active if an order lasted that much longer.
        for spell in spells(placed, length + RATE_DAYS * DAY):
            count(spell, "active or left")
    return counts


def spells(orders: Iterable[Order], length: int) -> list[Spell]:
    """Return a customer's spells, the oldest first; `length` is how long one order lasts, in milliseconds."""
    found: list[Spell] = []
    for begin, end, lapsed in sorted(_lasting(orders, length)):
        if found and begin <= found[-1].end:
            last = found[-1]
            if end > last.end or (end == last.end and lapsed):
                found[-1] = Spell(last.begin, end, lapsed)
        else:
            found.append(Spell(begin, end, lapsed))
    return found


def _lasting(orders: Iterable[Order], length: int) -> Iterator[tuple[int, int, bool]]:
    """Yield from when to when each order keeps its customer active, and whether its time is up then."""
    for order in orders:
        if order.placed_at is not None and order.cents != 0:
            end = order.placed_at + length
            if order.cancelled_at is None or order.cancelled_at > end:
                yield order.placed_at, end, True
            elif order.cancelled_at > order.placed_at:
                yield order.placed_at, order.cancelled_at, False


def _measure(database: Database, settings: Settings, hour: datetime, now: datetime) -> None:
    at = min(hour + _HOUR - _MILLISECOND, now)
    database.run(lambda transaction: hourly_stats.measure(transaction, hour, at, now, settings.inactivity_days))


def first_hour(now: datetime) -> datetime:
    """Return the first hour whose figures are kept up to date at an instant."""
    return hour_of(now - _LOOK_BACK)


def hours_between(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the hours from that of one instant to that of another."""
    hour = hour_of(first)
    while hour <= last:
        yield hour
        hour += _HOUR
