"""A customer's state: the fold of their events, and what it answers."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.customer import CustomerState, observed_kinds, replay
from churn.domain.events import Event
from churn.domain.features import features_at
from churn.domain.timestamps import to_millis
from tests.support.events import NOW, event, order
from tests.support.histories import ALL_OBSERVED, any_event


def test_an_account_stands_again_after_a_new_order() -> None:
    state = replay([event("subscription_cancelled", days_ago=10)])
    assert not state.is_active
    state.apply(order(days_ago=2))
    assert state.is_active


def test_a_deleted_customer_leaves_nothing_and_stays_deleted() -> None:
    state = replay([event("customer_registered", days_ago=5, name="Ann"), order(), event("customer_deleted")])
    state.apply(event("profile_updated", name="Ann"))
    assert state.deleted
    assert "Ann" not in state.to_json()


@given(st.lists(any_event(), max_size=25), st.randoms(use_true_random=False), st.integers(-100, 10))
def test_any_order_repetition_and_split_gives_the_same_state(events: list[Event], chance: Any, days: int) -> None:
    once = replay(events)
    shuffled = events + [event for event in events if chance.random() < 0.3]
    chance.shuffle(shuffled)
    known: set[str] = set()
    streamed = CustomerState()
    while shuffled:
        batch, shuffled = shuffled[: (size := chance.randint(1, 5))], shuffled[size:]
        for one in batch:
            if one.event_id not in known:
                streamed.apply(one)
                known.add(one.event_id)
        # Between two batches the state is written and read.
        streamed = CustomerState.from_json(streamed.to_json(), streamed.ledger)
    assert streamed.to_json() == once.to_json()
    as_of: datetime = NOW + timedelta(days=days)
    assert features_at(streamed, as_of, observed_kinds(events)) == features_at(once, as_of, observed_kinds(events))


def test_counts_saturate_so_that_a_state_stays_small() -> None:
    state = replay([event("login", days_ago=minute / 1440) for minute in range(1000)])
    assert features_at(state, NOW, ALL_OBSERVED)["login_frequency"] == pytest.approx(200)
    assert len(state.to_json()) < 4000


def test_an_order_counts_as_one_until_it_is_taken_back_and_only_if_it_had_a_value() -> None:
    state = replay(
        [
            order(days_ago=50, value=10, order_id="kept"),
            order(days_ago=20, value=10, order_id="taken-back"),
            event("order_cancelled", days_ago=15, order_id="taken-back"),
            order(days_ago=5, value=0, order_id="gift"),
        ]
    )

    def ordered(first: float, last: float) -> bool:
        return state.ordered_between(at(first), at(last))

    def at(days_ago: float) -> int:
        return to_millis(NOW - timedelta(days=days_ago))

    assert ordered(51, 49)
    assert ordered(50, 49)
    assert not ordered(60, 50)
    assert ordered(25, 16), "it was taken back later"
    assert not ordered(25, 10)
    assert not ordered(10, 0)


@given(
    orders=st.lists(st.tuples(st.integers(0, 60), st.none() | st.integers(-60, 60)), max_size=5),
    left=st.none() | st.integers(-10, 60),
    cut_off=st.integers(0, 40),
)
def test_who_is_eligible_in_hindsight_is_who_was_then(
    orders: list[tuple[int, int | None]], left: int | None, cut_off: int
) -> None:
    events = [event("customer_registered", days_ago=100)]
    for number, (placed, cancelled) in enumerate(orders):
        events.append(order(days_ago=placed + 0.5, order_id=f"o{number}"))
        if cancelled is not None:
            events.append(event("order_cancelled", days_ago=cancelled + 0.25, order_id=f"o{number}"))
    if left is not None:
        events.append(event("subscription_cancelled", days_ago=left))
    at = NOW - timedelta(days=cut_off)
    then = replay([one for one in events if one.timestamp <= at])
    silence = features_at(then, at, {})["days_since_last_order"]
    was = silence is not None and silence <= 20 and then.is_active
    assert replay(events).is_eligible(to_millis(at), 20) == was
    assert not replay([*events, event("customer_deleted")]).is_eligible(to_millis(at), 20)
