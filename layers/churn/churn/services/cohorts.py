"""Who ordered again, by the month or week of the first order: from sums that are kept as orders come and go."""

from __future__ import annotations

from collections.abc import Sequence
from copy import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, customers, orders, totals
from churn.adapters.mysql.customers import Customer
from churn.domain.cohorts import CohortPeriod, first_day, pack_days, period_of, sum_name, unpack_days
from churn.domain.timestamps import iso
from churn.services.figure_links import customers_of_cohort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churn.domain.cohort_answers import Cohort, CohortAge, CohortTable

_SHARE_DIGITS = 4


def note_order_days(transaction: Transaction, changed: Sequence[Customer]) -> None:
    """Bring the days with an order of the customers' records up to date with their states.

    Call it once the orders are written: days that neither the state nor the record tells are looked up.
    """
    living = [customer for customer in changed if not customer.record.deleted]
    days = {customer.pk: customer.state.purchases.all_days(_counted(customer)) for customer in living}
    unknown = [pk for pk, own in days.items() if own is None]
    days |= orders.days(transaction, unknown)
    for customer in living:
        customer.record = replace(customer.record, order_days=pack_days(days[customer.pk] or ()))


def cohort_table(database: Database, by: CohortPeriod, number: int, now: datetime) -> CohortTable:
    """Return the newest cohorts, that of `now` included. Raises DatabaseUnavailableError."""
    current = period_of(by, now.astimezone(UTC).date())
    periods = range(current - number + 1, current + 1)

    def work(transaction: Transaction) -> CohortTable:
        sums = totals.read_from(transaction, sum_name(by, first_day(by, periods[0])), f"cohorts:{by}:")
        return {
            "by": by,
            "cohorts": [_cohort(sums, by, period, current, number) for period in periods],
            "is_complete": customers.all_days_counted(transaction),
            "generated_at": iso(now),
        }

    return database.read(work)


def _counted(customer: Customer) -> Sequence[int] | None:
    if customer.is_new:
        return ()
    stored = customer.record.order_days
    return None if stored is None else unpack_days(stored)


def _cohort(sums: Mapping[str, int], by: CohortPeriod, period: int, current: int, number: int) -> Cohort:
    first = first_day(by, period)
    size, span = sums[sum_name(by, first)], _span(by, period)

    def at(age: int) -> CohortAge:
        has_begun = period + age <= current
        customers = sums[sum_name(by, first, age)] if has_begun else None
        return {
            "age": age,
            "first_day": first_day(by, period + age).isoformat(),
            "customers": customers,
            "share": None if customers is None or not size else round(customers / size, _SHARE_DIGITS),
            "is_complete": period + age < current,
            "link": customers_of_cohort(span, _span(by, period + age)) if customers else None,
        }

    return {
        "first_day": first.isoformat(),
        "customers": size,
        "is_complete": period < current,
        "link": customers_of_cohort(span),
        "ages": [at(age) for age in range(number)],
    }


def _span(by: CohortPeriod, period: int) -> tuple[date, date]:
    """Return the first and the last day of a month or week."""
    return first_day(by, period), first_day(by, period + 1) - timedelta(days=1)
