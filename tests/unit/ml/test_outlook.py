"""What to expect of a customer: against simulated customers of known parameters, and for every row that may come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.model import Outlook
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import no_order_probability
from churn.ml.outlook import is_possible, outlook

_PROCESS = {"r": 1.0, "alpha": 60.0, "a": 0.8, "b": 2.5, "horizon_days": 90.0}
_SPENDING = {"p": 6.0, "q": 4.0, "gamma": 15.0}
_METADATA = {"current_process": _PROCESS, "spending": _SPENDING}
_AGE = 200.0


def expect(row: Mapping[str, float | None], **spending: object) -> Outlook:
    found = outlook(row, {"current_process": _PROCESS, "spending": {**_SPENDING, **spending}})
    assert found is not None
    return found


def row_of(orders: float, recency: float, age: float, spent: float) -> dict[str, float | None]:
    return {"total_orders": orders, "days_since_last_order": recency, "account_age_days": age, "total_spent": spent}


@lru_cache
def simulated(customers: int = 200_000) -> tuple[Floats, ...]:
    """Return, of customers watched for 200 days and 90 more: orders, last, spent; orders and spend of the 90."""
    random = np.random.default_rng(3)
    rate, leaving = random.gamma(1.0, 1 / 60.0, customers), random.beta(0.8, 2.5, customers)
    # Gamma-Gamma: an order's value is gamma(p) times a scale whose inverse is gamma(q) / gamma.
    scale = _SPENDING["gamma"] / random.gamma(_SPENDING["q"], 1.0, customers)

    def value() -> Floats:
        return random.gamma(_SPENDING["p"], 1.0, customers) * scale

    orders, last, at, spent = np.ones(customers), np.zeros(customers), np.zeros(customers), value()
    later, spent_later = np.zeros(customers), np.zeros(customers)
    active = np.ones(customers, dtype=np.bool_)
    while active.any():
        at = at + random.exponential(1 / rate)
        before, after = active & (at <= _AGE), active & (at > _AGE) & (at <= _AGE + 90)
        worth = value()
        orders, last, spent = orders + before, np.where(before, at, last), spent + worth * before
        later, spent_later = later + after, spent_later + worth * after
        active = (before | after) & (random.random(customers) >= leaving)
    return orders, last, spent, later, spent_later


def test_orders_and_spend_are_those_of_simulated_customers() -> None:
    orders, last, spent, later, spent_later = simulated()
    for number in (1, 2, 4):
        here = np.flatnonzero(orders == number)[:4000]
        expected = [expect(row_of(number, _AGE - last[one], _AGE, spent[one])) for one in here.tolist()]
        error = later[here].std() / math.sqrt(len(here))
        assert np.mean([one.orders for one in expected]) == pytest.approx(later[here].mean(), abs=4 * error)
        error = spent_later[here].std() / math.sqrt(len(here))
        assert np.mean([one.spend for one in expected]) == pytest.approx(spent_later[here].mean(), abs=4 * error)


_ORDERS = st.floats(1, 1e6)
_DAYS = st.floats(0, 36500)


@given(_ORDERS, _DAYS, _DAYS, st.floats(0, 1e12), st.floats(0.05, 50), st.floats(0.01, 20), st.floats(1, 3650))
def test_what_is_expected_is_finite_and_hangs_together(
    orders: float, recency: float, age: float, spent: float, r: float, a: float, horizon: float
) -> None:
    process = {"r": r, "alpha": 30.0, "a": a, "b": 2.5, "horizon_days": horizon}
    found = outlook(row_of(orders, recency, age, spent), {"current_process": process, "spending": _SPENDING})
    assert found is not None
    assert math.isfinite(found.orders)
    assert found.orders >= 0
    assert found.spend is not None
    assert found.spend_if_ordering is not None
    assert 0 <= found.spend <= found.spend_if_ordering * (1 + 1e-9) + 1e-9
    assert found.usual_gap_days > 0
    none = float(
        no_order_probability(orders, recency, age, [process[name] for name in ("r", "alpha", "a", "b")], horizon)
    )
    # Whoever orders at all orders once or more.
    assert found.orders >= (1 - none) * (1 - 1e-6) - 1e-9
    if found.next_order_days is not None and found.next_order_days <= horizon:
        assert none <= 0.5 + 1e-6


_ANY = st.floats(-12, 12).map(lambda power: 10.0**power)


@given(st.builds(row_of, _ORDERS, _DAYS, _DAYS, st.floats(0, 1e12)), st.tuples(_ANY, _ANY, _ANY, _ANY), _ANY)
def test_whatever_the_parameters_are_nothing_but_numbers_is_expected(
    row: dict[str, float | None], parameters: tuple[float, ...], p: float
) -> None:
    process = {**dict(zip(("r", "alpha", "a", "b"), parameters, strict=True)), "horizon_days": 90.0}
    found = outlook(row, {"current_process": process, "spending": {**_SPENDING, "p": p}})
    assert found is None or is_possible(found)


def test_silence_makes_later_and_less_likely_orders() -> None:
    regular = expect(row_of(20, 10, 400, 1000))
    silent = expect(row_of(20, 200, 400, 1000))
    assert regular.orders > 2 > silent.orders
    assert regular.next_order_days is not None
    assert regular.next_order_days < 30
    assert silent.next_order_days is None
    assert silent.usual_gap_days < regular.usual_gap_days
    assert regular.spend is not None
    assert regular.spend_if_ordering is not None
    assert regular.spend_if_ordering > regular.spend


def test_days_with_an_order_count_where_they_are_known() -> None:
    by_orders = expect(row_of(20, 10, 400, 1000))
    by_days = expect(row_of(20, 10, 400, 1000) | {"purchase_days": 5.0})
    assert by_days.orders < by_orders.orders


def test_the_interval_lies_between_the_steps_that_were_learned() -> None:
    interval = {"expected": [10.0, 20.0], "low": [0.0, 4.0], "high": [30.0, 50.0]}
    plain = row_of(5, 20, 300, 250)
    spend = expect(plain).spend
    assert spend is not None
    assert expect(plain).interval is None

    def scaled(to: float) -> tuple[float, float]:
        found = expect(
            plain | {"total_spent": 250 * to / spend}, gamma=_SPENDING["gamma"] * to / spend, interval=interval
        )
        assert found.spend == pytest.approx(to)
        assert found.interval is not None
        return found.interval

    assert scaled(15) == pytest.approx((2, 40))
    assert scaled(5) == pytest.approx((0, 15))
    assert scaled(40) == pytest.approx((8, 100))


@pytest.mark.parametrize("unknown", ["total_orders", "days_since_last_order", "account_age_days"])
def test_what_is_not_known_of_a_customer_leaves_nothing_to_expect(unknown: str) -> None:
    for value in (None, math.nan):
        assert outlook(row_of(3, 10, 100, 50) | {unknown: value}, _METADATA) is None
    assert outlook(row_of(0, 10, 100, 50), _METADATA) is None


def test_a_version_published_before_expects_orders_and_no_money() -> None:
    before = outlook(row_of(3, 10, 100, 50), {"purchase_process": _PROCESS})
    assert before is not None
    assert (before.orders, before.spend) == (expect(row_of(3, 10, 100, 50)).orders, None)
    without_horizon = {name: value for name, value in _PROCESS.items() if name != "horizon_days"}
    assert outlook(row_of(3, 10, 100, 50), {"purchase_process": without_horizon}) is None
    assert outlook(row_of(3, 10, 100, 50), {}) is None


def test_where_the_spend_is_unknown_orders_are_expected_and_no_money() -> None:
    known = expect(row_of(3, 10, 100, 50))
    shop_without_values = outlook(row_of(3, 10, 100, 50), {**_METADATA, "spending": None})
    customer_without_values = outlook(row_of(3, 10, 100, 50) | {"total_spent": None}, _METADATA)
    for found in (shop_without_values, customer_without_values):
        assert found is not None
        assert (found.orders, found.next_order_days) == (known.orders, known.next_order_days)
        assert (found.spend, found.spend_if_ordering, found.interval) == (None, None, None)
