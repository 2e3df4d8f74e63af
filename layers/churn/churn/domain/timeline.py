"""The one order of all that happened about a customer, and the part of it that a page shows.

The newest comes first. Of one instant the effect stands before its cause: what somebody noted, what they did with an
alert, the alert, the prediction, the event; within a kind the larger key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any, Literal, get_args

TimelineKind = Literal["note", "action", "alert", "prediction", "event"]
TIMELINE_KINDS: tuple[TimelineKind, ...] = get_args(TimelineKind)
"""In the order that they have at one instant."""

_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the order; `key` is unique within its kind."""

    at: datetime
    kind: TimelineKind
    key: int | str


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a kind's rows that lies between two milliseconds, both included, and after a place in the order.

    `key` set: of the rows at `before` those with a smaller key; else all of them, or none without `has_instant`.
    """

    first: datetime | None = None
    last: datetime | None = None
    before: datetime | None = None
    has_instant: bool = False
    key: int | str | None = None

    def without_first(self) -> "Window":
        """Return the window without its first instant."""
        return replace(self, first=None)

    def bounds(self, *, is_exact: bool) -> tuple[datetime | None, datetime | None, tuple[datetime, int | str] | None]:
        """Return the first and the last instant, both included, and the instant of which keys must be below one.

        `is_exact`: the rows' instants have microseconds, others whole milliseconds.
        """
        ends = [] if self.last is None else [_floor(self.last) + (_MILLISECOND - _MICROSECOND)]
        below = None
        if self.before is not None:
            is_met = is_exact or _floor(self.before) == self.before
            if is_met and self.key is not None:
                below = (self.before, self.key)
            is_excluded = is_met and self.key is None and not self.has_instant
            ends.append(self.before - (_MICROSECOND if is_excluded else timedelta()))
        last = min(ends, default=None)
        return self.first, last if last is None or is_exact else _floor(last), below


def window_after(
    place: Place | None, kind: TimelineKind, first: datetime | None = None, last: datetime | None = None
) -> Window:
    """Return the window of a kind's rows that stand after a place in the order."""
    if place is None:
        return Window(first, last)
    if place.kind == kind:
        return Window(first, last, place.at, has_instant=True, key=place.key)
    return Window(first, last, place.at, has_instant=TIMELINE_KINDS.index(kind) > TIMELINE_KINDS.index(place.kind))


def in_order[Item](
    by_kind: Mapping[TimelineKind, Sequence[tuple[Place, Item]]], limit: int
) -> tuple[list[tuple[Place, Item]], bool]:
    """Return the first `limit` of rows that are each in order within their kind, and whether there are more."""

    def place(entry: tuple[Place, Any]) -> tuple[timedelta, int]:
        return datetime.max.replace(tzinfo=entry[0].at.tzinfo) - entry[0].at, TIMELINE_KINDS.index(entry[0].kind)

    rows: Iterable[tuple[Place, Item]] = merge(*by_kind.values(), key=place)
    found = list(islice(rows, limit + 1))
    return found[:limit], len(found) > limit


def _floor(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
