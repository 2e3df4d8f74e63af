"""Cohorts: customers by the month or week of their first order, and in which of the following ones they ordered again.

Orders of one customer on one UTC day are one occasion to buy, so cohorts are made of days. Months and weeks have
numbers in a row: months from the year 0 on, weeks (ISO 8601) from that of 1970-01-01, which is 0.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from functools import lru_cache
from struct import pack, unpack
from typing import Literal, get_args

CohortPeriod = Literal["month", "week"]

COHORT_PERIODS: tuple[CohortPeriod, ...] = get_args(CohortPeriod)

_EPOCH = date(1970, 1, 1)
# 1970 began on a Thursday.
_MONDAY_BEFORE = _EPOCH - timedelta(days=_EPOCH.weekday())


def pack_days(days: Collection[int]) -> bytes:
    """Return days (since 1970) as they are stored: two bytes each, in order, which reaches to the year 2149."""
    return pack(f">{len(days)}H", *sorted(days))


def unpack_days(stored: bytes) -> tuple[int, ...]:
    """Return the days that `pack_days` wrote, in order."""
    return unpack(f">{len(stored) // 2}H", stored)


def period_of(by: CohortPeriod, day: date) -> int:
    """Return the number of the month or week of a day."""
    return day.year * 12 + day.month - 1 if by == "month" else (day - _MONDAY_BEFORE).days // 7


def first_day(by: CohortPeriod, period: int) -> date:
    """Return the first day of a month or week."""
    if by == "month":
        return date(period // 12, period % 12 + 1, 1)
    return _MONDAY_BEFORE + timedelta(weeks=period)


@lru_cache(maxsize=32_768)
def sum_name(by: CohortPeriod, first: date, age: int | None = None) -> str:
    """Return the name of a sum: the customers of a cohort, or those of them who ordered again at an age."""
    return f"cohorts:{by}:{first}" + ("" if age is None else f":{age:04d}")


@lru_cache(maxsize=4096)
def share_of_cohorts(stored: bytes) -> Mapping[str, int]:
    """Return what a customer with these days of orders adds to the sums, by their names.

    They ordered again at age 0 if the first month or week has another day with an order, and at a later age if that
    month or week has any.
    """
    days = unpack_days(stored)
    share: dict[str, int] = {}
    for by in COHORT_PERIODS if days else ():
        first, *others = [_period_of_day(by, day) for day in days]
        begun = first_day(by, first)
        share[sum_name(by, begun)] = 1
        # The first order is not one of ordering again.
        share.update(dict.fromkeys([sum_name(by, begun, period - first) for period in {*others}], 1))
    return share


@lru_cache(maxsize=32_768)
def _period_of_day(by: CohortPeriod, day: int) -> int:
    """Return the number of the month or week of a day since 1970."""
    return period_of(by, _EPOCH + timedelta(days=day))
