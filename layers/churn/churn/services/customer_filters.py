"""Which customers are asked for: the one definition of the filters of lists and segments, and how they are kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Self

from churn.adapters.mysql import Transaction, customer_search, segments, totals
from churn.adapters.mysql.customer_pages import Bound, CustomerFilter, Days
from churn.adapters.mysql.database import Row
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.risk import ACTIVE_STATUSES, RISK_LEVELS, CustomerStatus, RiskLevel
from churn.domain.search_terms import words_of
from churn.domain.timestamps import iso, parse_day, parse_timestamp

_INSTANTS = frozenset({"lapsed_since", "lapsed_until", "changed_since"})
_DAYS = frozenset({"first_order_from", "first_order_to", "ordered_again_from", "ordered_again_to"})


class UnknownSegmentError(InvalidInputError):
    """A list is asked for customers of a segment that does not exist."""


@dataclass(frozen=True, slots=True)
class CustomerFilters:
    """A choice of customers, as clients ask for it: None where a field says nothing."""

    risk_level: tuple[RiskLevel, ...] | None = None
    status: tuple[CustomerStatus, ...] | None = None
    lapsed_since: datetime | None = None
    lapsed_until: datetime | None = None
    first_order_from: date | None = None
    first_order_to: date | None = None
    ordered_again_from: date | None = None
    ordered_again_to: date | None = None
    search: str | None = None
    has_open_alert: bool | None = None
    changed_since: datetime | None = None
    min_churn_probability: float | None = None
    max_churn_probability: float | None = None
    min_value_at_risk: float | None = None
    max_value_at_risk: float | None = None
    min_value_ratio: float | None = None
    min_total_spent: float | None = None
    max_total_spent: float | None = None
    min_total_orders: int | None = None
    max_total_orders: int | None = None
    min_days_since_last_order: float | None = None
    max_days_since_last_order: float | None = None
    min_account_age_days: float | None = None
    max_account_age_days: float | None = None
    min_days_at_risk: float | None = None
    max_days_at_risk: float | None = None
    min_days_since_return: float | None = None
    max_days_since_return: float | None = None

    @classmethod
    def from_json(cls, asked: Mapping[str, Any]) -> Self:
        """Return the filters that `to_json` gave. Raises what is in DATA_ERRORS for others."""
        return cls(**{name: _read(name, value) for name, value in asked.items()})

    def to_json(self) -> dict[str, Any]:
        """Return the fields that say something, as JSON values under the names that clients send."""
        asked = {field.name: getattr(self, field.name) for field in fields(CustomerFilters)}
        return {name: _written(value) for name, value in asked.items() if value is not None}

    def at(self, now: datetime, inactivity_days: int, mean_value: float = 0) -> CustomerFilter:
        """Return what the filters mean at an instant: of instants and of columns.

        `mean_value`: the mean value at risk, of which `min_value_ratio` is a multiple.
        """
        words = tuple(words_of(self.search or ""))
        # Who lapsed at an instant had the last order so long before it.
        since, until = (
            instant and instant - timedelta(days=inactivity_days) for instant in (self.lapsed_since, self.lapsed_until)
        )
        return CustomerFilter(
            self.risk_level or (),
            self.status or (),
            since,
            until,
            words,
            self._bounds(now, mean_value),
            self.has_open_alert,
            ordered_again=self._ordered_again(),
            is_nobody=self.search is not None and not words,
        )

    def _ordered_again(self) -> tuple[Days, ...]:
        days = Days(self.ordered_again_from, self.ordered_again_to)
        return () if days == Days() else (days,)

    def _bounds(self, now: datetime, mean_value: float) -> tuple[Bound, ...]:
        """Return the bounds of columns; who has an age of so many days at `now` dates from so long before it."""
        ages = (
            ("last_order_at", self.min_days_since_last_order, self.max_days_since_last_order),
            ("first_seen_at", self.min_account_age_days, self.max_account_age_days),
            ("at_risk_since", self.min_days_at_risk, self.max_days_at_risk),
            ("returned_at", self.min_days_since_return, self.max_days_since_return),
        )
        bounds = (
            Bound("churn_probability", self.min_churn_probability, self.max_churn_probability),
            Bound("value_at_risk", self.min_value_at_risk, self.max_value_at_risk),
            Bound("value_at_risk", None if self.min_value_ratio is None else self.min_value_ratio * mean_value),
            Bound("total_spent", self.min_total_spent, self.max_total_spent),
            Bound("total_orders", self.min_total_orders, self.max_total_orders),
            Bound("stored_at", self.changed_since),
            Bound("first_order_day", self.first_order_from, self.first_order_to),
            *(Bound(column, _before(now, most), _before(now, least)) for column, least, most in ages),
        )
        return tuple(bound for bound in bounds if bound.least is not None or bound.most is not None)


def filter_at(
    transaction: Transaction, asked: CustomerFilters, now: datetime, inactivity_days: int, segment: str | None = None
) -> CustomerFilter:
    """Return what filters mean at an instant, for customers of a segment, by its id or name, where one is given.

    Raises UnknownSegmentError.
    """
    found = _at(transaction, asked, now, inactivity_days)
    if segment is None:
        return found
    row = segment_called(transaction, segment)
    return found.narrowed_by(_at(transaction, CustomerFilters.from_json(row["filter"]), now, inactivity_days))


def segment_called(transaction: Transaction, segment: str) -> Row:
    """Return the segment with an id or a name. Raises UnknownSegmentError."""
    row = segments.by_reference(transaction, segment)
    if row is None:
        raise UnknownSegmentError(FieldError("segment", "is neither the id nor the name of a segment"))
    return row


def members(
    transaction: Transaction, segment: int, customer_ids: Iterable[str], now: datetime, inactivity_days: int
) -> set[str]:
    """Return which of some customers are in a segment at an instant, nobody if it has been deleted.

    Raises what is in DATA_ERRORS if its filter cannot be read.
    """
    row = segments.by_reference(transaction, str(segment))
    if row is None:
        return set()
    wanted = _at(transaction, CustomerFilters.from_json(row["filter"]), now, inactivity_days)
    return customer_search.among(transaction, wanted, customer_ids)


def _at(transaction: Transaction, asked: CustomerFilters, now: datetime, inactivity_days: int) -> CustomerFilter:
    mean_value = 0.0 if asked.min_value_ratio is None else _mean_value_at_risk(transaction)
    return asked.at(now, inactivity_days, mean_value)


def _mean_value_at_risk(transaction: Transaction) -> float:
    """Return the mean value at risk of the current customers who are scored, 0 without any."""
    scored = totals.read_pairs(transaction, "customers", ACTIVE_STATUSES, RISK_LEVELS)
    cents = totals.read(transaction, "revenue_at_risk")["revenue_at_risk"]
    return cents / 100 / scored if scored else 0.0


def _before(now: datetime, days: float | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


def _read(name: str, value: Any) -> Any:
    if name in _INSTANTS:
        return parse_timestamp(value)
    if name in _DAYS:
        return parse_day(value)
    return tuple(value) if isinstance(value, list) else value


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
