"""The dashboard's hourly figures, derived from when customers were first seen and when they ordered.

A customer is active from an order on until `inactivity_days` have passed without another: a spell. The number of
active customers at an instant is the number of spells begun less that of spells ended.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from churn.adapters.mysql import Database, customers, hourly_stats, orders
from churn.domain.timestamps import DAY, from_millis, to_millis
from churn.settings import Settings

_HOUR = timedelta(hours=1)
_LOOK_BACK = timedelta(days=366)


def refresh(database: Database, settings: Settings, now: datetime) -> int:
    """Store the figures of the hours since the newest stored one, the current hour included; return how many.

    If none is stored yet, those of the last 366 days are calculated. Raises DatabaseUnavailableError.
    """
    newest = database.run(lambda transaction: hourly_stats.newest(transaction, now))
    if newest is None:
        return rebuild(database, settings, now)
    hours = list(_hours(newest, now))
    for hour in hours:
        database.run(lambda transaction, hour=hour: hourly_stats.measure(transaction, hour, settings.inactivity_days))  # type: ignore[misc]
    return len(hours)


def rebuild(database: Database, settings: Settings, now: datetime) -> int:
    """Recalculate the figures of the last 366 days from all customers, after an import; return the number of hours.

    How many were at high risk is known for this hour alone. Raises DatabaseUnavailableError.
    """
    first = _hour(now - _LOOK_BACK)
    changes = activity(
        customers.first_seen(database),
        orders.placed(database, now),
        now=now,
        inactivity_days=settings.inactivity_days,
        since=first,
    )
    active = 0
    rows = []
    for hour in _hours(first, now):
        begun, ended, seen = (changes[hour, kind] for kind in ("begun", "ended", "seen"))
        active += begun - ended
        rows.append((hour, active, seen, ended))
    database.run(lambda transaction: hourly_stats.replace(transaction, rows))
    database.run(lambda transaction: hourly_stats.measure(transaction, _hour(now), settings.inactivity_days))
    return len(rows)


def activity(
    first_seen: Iterable[datetime],
    placed: Iterable[Sequence[int]],
    *,
    now: datetime,
    inactivity_days: int,
    since: datetime,
) -> Counter[tuple[datetime, str]]:
    """Return how many spells began and ended, and how many customers were first seen, in each hour.

    `placed`: the instants of each customer's orders up to now, in milliseconds since 1970, the oldest first. What lies
    before `since` is counted at `since`, so that running sums are right from then on.
    """
    counts: Counter[tuple[datetime, str]] = Counter()
    at_now, length = to_millis(now), inactivity_days * DAY

    def count(at: int, kind: str) -> None:
        counts[max(_hour(from_millis(at)), since), kind] += 1

    counts.update((_hour(instant), "seen") for instant in first_seen if instant >= since)
    for instants in placed:
        count(instants[0], "begun")
        for previous, following in pairwise(instants):
            if following - previous > length:
                count(previous + length, "ended")
                count(following, "begun")
        if instants[-1] + length <= at_now:
            count(instants[-1] + length, "ended")
    return counts


def _hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hours(first: datetime, last: datetime) -> Iterator[datetime]:
    hour = _hour(first)
    while hour <= last:
        yield hour
        hour += _HOUR
