"""The sums over orders that a state carries: exact, whatever leaves the newest orders and comes back among them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain import customer as customers
from churn.domain import orders
from churn.domain.customer import CustomerState, replay
from churn.domain.events import Event
from churn.domain.features import features_at, inputs_at
from churn.domain.orders import SPEND_DAYS, MemoryLedger, Purchases
from churn.domain.timestamps import DAY, to_millis
from tests.support.events import NOW, event, order
from tests.support.histories import ALL_OBSERVED

_ids = st.sampled_from([f"o{number}" for number in range(12)])
_days_ago = st.integers(0, 40).map(lambda hours: hours / 4)


@st.composite
def _about_orders(draw: st.DrawFn) -> Event:
    if draw(st.integers(0, 3)) == 0:
        return event("order_cancelled", days_ago=draw(_days_ago), order_id=draw(_ids))
    value, discounted = draw(st.sampled_from([None, 0, 0.01, 5, 19.99])), draw(st.none() | st.booleans())
    return order(days_ago=draw(_days_ago), value=value, order_id=draw(_ids), discount_used=discounted)


@st.composite
def _about_points(draw: st.DrawFn) -> Event:
    told: list[dict[str, Any]] = [{"points": 5}, {"points": -2.5}, {"points": 0.1}, {"balance": 40}, {"balance": 7}]
    return event("loyalty_points_changed", days_ago=draw(_days_ago), **draw(st.sampled_from(told)))


def _recounted(ledger: MemoryLedger) -> Purchases:
    counted = [one for one in ledger.orders() if one.counts]
    placed = sorted(one.placed_at or 0 for one in counted)
    spent: dict[int, int] = {}
    for one in counted:
        day = (one.placed_at or 0) // DAY
        spent[day] = spent.get(day, 0) + (one.cents or 0)
    return Purchases(
        len(counted),
        sum(one.cents or 0 for one in counted),
        sum(bool(one.discounted) for one in counted),
        sum(one.discounted is not None for one in counted),
        len({at // DAY for at in placed}),
        placed[-orders.MAX_RECENT :],
        {day: cents for day, cents in spent.items() if cents},
        sum(one.cents is None for one in counted),
    )


@pytest.mark.parametrize("most", [1, 3, 200])
@given(events=st.lists(_about_orders(), max_size=30))
def test_sums_equal_a_recount_after_every_event(most: int, events: list[Event]) -> None:
    ledger = MemoryLedger()
    state = CustomerState(ledger)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "MAX_RECENT", most)
        for one in events:
            state.apply(one)
            assert state.purchases == _recounted(ledger)


@pytest.mark.parametrize("most", [1, 3, 200])
@given(batches=st.lists(st.lists(_about_orders(), max_size=6), max_size=8))
def test_the_days_with_an_order_follow_from_those_before_and_are_looked_up_once(
    most: int, batches: list[list[Event]]
) -> None:
    ledger, purchases = MemoryLedger(), Purchases()
    known: set[int] | None = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "MAX_RECENT", most)
        for batch in batches:
            # As it is read from where it is stored.
            state = CustomerState(ledger, purchases=Purchases.from_json(purchases.to_json()))
            for one in batch:
                state.apply(one)
            purchases = state.purchases
            counted = {(one.placed_at or 0) // DAY for one in ledger.orders() if one.counts}
            assert purchases.all_days(None) in (None, counted)
            days = purchases.all_days(known)
            assert days == counted or (days is None and known is None)
            known = counted


def test_days_of_before_that_somebody_else_has_changed_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MAX_RECENT", 2)
    state = replay([order(days_ago=days) for days in (50, 40, 30, 20)])
    days = {to_millis(NOW) // DAY - days for days in (50, 40, 30, 20)}
    assert Purchases.from_json(state.purchases.to_json()).all_days(days) == days
    assert Purchases.from_json(state.purchases.to_json()).all_days(days - {min(days)}) is None


@pytest.mark.parametrize("most", [1, 3, 200])
@given(events=st.lists(_about_points(), max_size=20), chance=st.randoms(use_true_random=False))
def test_points_are_exact_whatever_is_folded_into_the_sum_of_older_changes(
    most: int, events: list[Event], chance: Any
) -> None:
    told = [(one.at, one.data) for one in events]
    since, base = max(((at, data["balance"]) for at, data in told if "balance" in data), default=(-1, 0))
    points = base + sum(data["points"] for at, data in told if "points" in data and at > since)
    chance.shuffle(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customers, "MAX_INSTANTS", most)
        state = replay(events)
        assert features_at(state, NOW, ALL_OBSERVED)["loyalty_points"] == pytest.approx(max(0, points), abs=1e-9)
        assert len(state.loyalty.changes) <= most


@given(
    events=st.lists(_about_orders() | _about_points(), max_size=25),
    chance=st.randoms(use_true_random=False),
    days=st.integers(0, 12),
)
def test_any_split_gives_the_same_state_with_events_ahead_of_the_clock(
    events: list[Event], chance: Any, days: int
) -> None:
    clock = to_millis(NOW - timedelta(days=days))
    past = [one for one in events if one.at <= clock]
    chance.shuffle(past)
    state = CustomerState(MemoryLedger())
    while past:
        batch, past = past[: (size := chance.randint(1, 5))], past[size:]
        state.advance(batch, clock)
    state.advance([], clock)
    assert state.to_json() == replay(events, clock).to_json()


def test_an_account_of_a_hundred_thousand_orders_has_a_small_state() -> None:
    events = [order(days_ago=number / 300, value=10.01, discount_used=number % 2 == 0) for number in range(100_000)]
    events += [event("loyalty_points_changed", days_ago=number / 300, points=0.1) for number in range(10_000)]
    # Cancelled in the order of their numbers, the oldest last: each is looked up, and none is looked for.
    taken_back = [event("order_cancelled", order_id=str(events[number].data["order_id"])) for number in range(5000)]
    assert replay([*events, *taken_back], to_millis(NOW)).purchases.orders == 95_000
    state = replay(events, to_millis(NOW))
    features = features_at(state, NOW, ALL_OBSERVED)
    assert len(state.to_json()) < 100_000
    assert (features["total_orders"], features["total_spent"]) == (100_000, 1_001_000)
    assert (features["discount_usage"], features["loyalty_points"]) == (0.5, 1000)
    assert inputs_at(state, NOW, {})["spent_180_days"] == pytest.approx(10.01 * (180.5 * 300 + 1))


def test_a_late_order_between_the_newest_is_found_on_the_day_that_it_was_placed() -> None:
    state = replay([order(days_ago=days) for days in (10, 8, 8, 3)])
    assert state.purchases.days == 3
    state.apply(order(days_ago=8))
    assert (state.purchases.orders, state.purchases.days) == (5, 3)


def test_an_order_without_value_counts_nowhere() -> None:
    state = replay([order(days_ago=20, value=10), order(days_ago=5, value=0)])
    inputs = inputs_at(state, NOW, {})
    assert (inputs["total_orders"], inputs["days_since_last_order"], inputs["purchase_days"]) == (1, 20, 1)
    assert inputs["last_gap_days"] is None
    assert not state.is_eligible(to_millis(NOW), 10)


def test_orders_of_one_day_are_one_purchase() -> None:
    burst = [order(days_ago=10 - minute / 1440, value=5) for minute in range(6)]
    inputs = inputs_at(replay([*burst, order(days_ago=4)]), NOW, {})
    assert (inputs["total_orders"], inputs["purchase_days"]) == (7, 2)
    assert inputs["typical_gap_days"] == pytest.approx(6, abs=0.01)


def test_spend_is_kept_by_day_as_long_as_a_window_reaches_it() -> None:
    state = replay([order(days_ago=days, value=1) for days in range(400)], to_millis(NOW))
    assert len(state.purchases.spent) == SPEND_DAYS
    state.advance([], to_millis(NOW + timedelta(days=100)))
    assert len(state.purchases.spent) == SPEND_DAYS - 100
