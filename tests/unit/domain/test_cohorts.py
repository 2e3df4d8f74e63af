"""What one customer adds to the sums of cohorts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.cohorts import (
    COHORT_PERIODS,
    CohortPeriod,
    first_day,
    pack_days,
    period_of,
    share_of_cohorts,
    unpack_days,
)
from churn.domain.orders import Order
from churn.domain.timestamps import DAY, from_millis
from tests.support.stored import recounted_cohorts

_days = st.sets(st.integers(365, 60_000) | st.integers(20_000, 20_100), max_size=12)


@given(days=_days)
def test_the_share_is_that_of_a_recount_from_the_orders(days: set[int]) -> None:
    orders = [Order(day * DAY + hour, 100) for day in days for hour in (0, DAY - 1)]
    assert Counter(share_of_cohorts(pack_days(days))) == recounted_cohorts([orders])


@given(days=_days)
def test_days_are_stored_as_they_are(days: set[int]) -> None:
    assert unpack_days(pack_days(days)) == tuple(sorted(days))


@pytest.mark.parametrize("by", COHORT_PERIODS)
@given(day=st.integers(0, 60_000))
def test_every_day_lies_in_the_period_that_begins_before_it_and_ends_after_it(by: CohortPeriod, day: int) -> None:
    date = from_millis(day * DAY).date()
    period = period_of(by, date)
    assert first_day(by, period) <= date < first_day(by, period + 1)


def test_an_order_on_the_last_day_of_a_year_and_one_on_the_next_lie_in_one_week_and_two_months() -> None:
    # 2025-12-31 is a Wednesday.
    share = share_of_cohorts(pack_days([20_453, 20_454]))
    assert share == {
        "cohorts:month:2025-12-01": 1,
        "cohorts:month:2025-12-01:0001": 1,
        "cohorts:week:2025-12-29": 1,
        "cohorts:week:2025-12-29:0000": 1,
    }
