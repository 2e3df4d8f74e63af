"""What a list of customers is asked for, and what is found: a filter, a page, a place in the list."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from churn.adapters.mysql.database import Row


@dataclass(frozen=True, slots=True)
class Bound:
    """Between which values, both included, a column lies; None leaves that end open."""

    column: str
    least: object | None = None
    most: object | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """The days (UTC) between two, both included; None leaves that end open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """A choice of customers: of one of the levels and statuses (all without any), and found by every one of `words`.

    `ordered_after` and `ordered_until`: between which instants the last order lies. `bounds`: of other columns as well.
    `ordered_again`: spans in each of which they ordered on another day than that of their first order.
    """

    risk_levels: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    ordered_after: datetime | None = None
    ordered_until: datetime | None = None
    words: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()
    has_open_alert: bool | None = None
    ordered_again: tuple[Days, ...] = ()
    is_nobody: bool = False
    """Whether the filter contradicts itself, so that nobody can match."""

    def narrowed_by(self, other: "CustomerFilter") -> "CustomerFilter":
        """Return the choice of those whom both filters match."""
        levels = _common(self.risk_levels, other.risk_levels)
        statuses = _common(self.statuses, other.statuses)
        alerts = {self.has_open_alert, other.has_open_alert} - {None}
        after = [instant for instant in (self.ordered_after, other.ordered_after) if instant is not None]
        until = [instant for instant in (self.ordered_until, other.ordered_until) if instant is not None]
        return CustomerFilter(
            levels or (),
            statuses or (),
            max(after, default=None),
            min(until, default=None),
            (*self.words, *other.words),
            (*self.bounds, *other.bounds),
            next(iter(alerts), None),
            (*self.ordered_again, *other.ordered_again),
            is_nobody=self.is_nobody or other.is_nobody or levels is None or statuses is None or len(alerts) > 1,
        )

    @property
    def has_window(self) -> bool:
        """Whether the instant of the last order is bounded."""
        return self.ordered_after is not None or self.ordered_until is not None

    @property
    def is_summed(self) -> bool:
        """Whether the totals have the number of customers that match."""
        return not self.words and not self.has_window and not self.is_narrowed

    @property
    def is_narrowed(self) -> bool:
        """Whether something is asked for that is looked at customer by customer, unless they are few and known."""
        return bool(self.bounds or self.ordered_again) or self.has_open_alert is not None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: the value and key of the last row before it; `value` None among those without one.

    `passed`: how many rows the pages before it had.
    """

    value: Any
    key: int
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list of customers: `limit` customers after `offset` others or after a position.

    `with_states`: whether their states and reasons are read as well.
    """

    column: str
    descending: bool
    limit: int
    offset: int = 0
    after: Position | None = None
    with_states: bool = True

    @property
    def passed(self) -> int:
        """How many customers of the list come before the page."""
        return self.offset if self.after is None else self.after.passed

    def place(self, row: Row) -> Position:
        """Return where a row stands in the list."""
        return Position(row[self.column], row["id"])

    @property
    def key(self) -> str:
        """The column that orders customers with the same value."""
        return "customer_id" if self.column == "customer_id" else "id"

    @property
    def direction(self) -> str:
        """The SQL keyword of the order."""
        return "DESC" if self.descending else "ASC"

    @property
    def beyond(self) -> str:
        """The operator that compares a row with those before it."""
        return "<" if self.descending else ">"


@dataclass(frozen=True, slots=True)
class Found:
    """Customers of a list, and where the next page begins, None at the end.

    `has_more`: whether somebody after that place is known to match.
    """

    rows: list[Row]
    after: Position | None
    has_more: bool = False


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what two choices have in common, each of which is empty for any value; None for nothing."""
    if not first or not second:
        return first or second
    return tuple(value for value in first if value in second) or None
