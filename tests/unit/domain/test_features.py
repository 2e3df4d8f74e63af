"""The 12 features, and that they do not depend on how the events arrive."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.customer import CustomerState, observed_kinds, replay
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES, INPUT_NAMES, FeatureValues, features_at, inputs_at, overridden, shown
from churn.domain.timestamps import to_millis
from tests.support.events import NOW, event, order

_ALL_OBSERVED = dict.fromkeys(
    [
        "support_tickets",
        "product_returns",
        "payment_failures",
        "login_frequency",
        "email_sent",
        "email_opened",
        "email_clicked",
        "loyalty_points",
    ],
    0,
)


def test_the_twelve_of_a_customer() -> None:
    state = replay(
        [
            event("customer_registered", days_ago=400, name="Ann", loyalty_points=10),
            order(days_ago=50, value=100, discount_value=5),
            order(days_ago=20, value=50, discount_used=False),
            event("support_ticket_created", days_ago=89),
            event("support_ticket_created", days_ago=91),
            event("order_returned", days_ago=10),
            event("payment_failed", days_ago=1),
            event("email_sent", days_ago=5),
            event("email_sent", days_ago=6),
            event("email_opened", days_ago=4),
            event("login", days_ago=3),
            event("login", days_ago=2, success=False),
            event("login", days_ago=31),
            event("loyalty_points_changed", days_ago=3, points=7),
        ]
    )
    assert features_at(state, NOW, _ALL_OBSERVED) == {
        "total_orders": 2,
        "total_spent": 150,
        "avg_order_value": 75,
        "days_since_last_order": 20,
        "support_tickets": 1,
        "product_returns": 1,
        "email_engagement": 0.5,
        "login_frequency": 1,
        "payment_failures": 1,
        "discount_usage": 0.5,
        "loyalty_points": 17,
        "account_age_days": 400,
    }


def test_what_the_shop_does_not_send_is_not_known_rather_than_nought() -> None:
    features = features_at(replay([order(days_ago=3)]), NOW, {})
    unknown = {name for name, value in features.items() if value is None}
    assert unknown == {
        "support_tickets",
        "product_returns",
        "email_engagement",
        "login_frequency",
        "payment_failures",
        "discount_usage",
        "loyalty_points",
    }


def test_a_cancelled_order_leaves_recency_too() -> None:
    state = replay([order(days_ago=30, value=10), order(days_ago=5, order_id="late", value=99)])
    state.apply(event("order_cancelled", days_ago=4, order_id="late"))
    features = features_at(state, NOW, {})
    assert (features["total_orders"], features["total_spent"], features["days_since_last_order"]) == (1, 10, 30)


def test_features_as_of_a_day_in_the_past_know_nothing_of_what_came_later() -> None:
    state = replay([order(days_ago=30, order_id="first"), order(days_ago=5)])
    state.apply(event("order_cancelled", days_ago=4, order_id="first"))
    before = features_at(state, NOW - timedelta(days=10), {})
    assert (before["total_orders"], before["days_since_last_order"], before["account_age_days"]) == (1, 20, 20)


def test_a_late_event_does_not_move_recency() -> None:
    state = replay([order(days_ago=5), order(days_ago=50)])
    assert features_at(state, NOW, {})["days_since_last_order"] == 5


def test_windows_move_with_the_clock() -> None:
    state = replay([event("payment_failed", days_ago=80)])
    assert features_at(state, NOW, _ALL_OBSERVED)["payment_failures"] == 1
    assert features_at(state, NOW + timedelta(days=11), _ALL_OBSERVED)["payment_failures"] == 0


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


def test_clients_see_counts_as_whole_numbers() -> None:
    seen = shown(features_at(replay([order(days_ago=3, value=12.5)]), NOW, _ALL_OBSERVED))
    assert str(seen["total_orders"]) == "1"
    assert str(seen["payment_failures"]) == "0"
    assert (seen["total_spent"], seen["email_engagement"]) == (12.5, None)


_TYPES = [
    "customer_registered",
    "profile_updated",
    "order_placed",
    "order_cancelled",
    "order_returned",
    "payment_failed",
    "support_ticket_created",
    "email_sent",
    "email_opened",
    "login",
    "loyalty_points_changed",
    "subscription_cancelled",
    "product_viewed",
    "a_type_of_tomorrow",
]


@st.composite
def _events(draw: st.DrawFn) -> Event:
    event_type = draw(st.sampled_from([*_TYPES, *_TYPES, "customer_deleted"]))
    data: dict[str, Any] = {"order_id": draw(st.sampled_from(["o1", "o2", "o3"])), "order_value": draw(_AMOUNTS)}
    if event_type == "loyalty_points_changed":
        data = draw(st.fixed_dictionaries({"points": st.integers(-50, 50)}, optional={"balance": _AMOUNTS}))
    elif event_type in {"customer_registered", "profile_updated"}:
        data = draw(st.fixed_dictionaries({}, optional={"name": st.text(max_size=3), "loyalty_points": _AMOUNTS}))
    elif event_type == "order_placed" and draw(st.booleans()):
        data["discount_value"] = draw(_AMOUNTS)
    minutes = draw(st.integers(0, 60 * 24 * 120) | st.sampled_from([0, 1440, 1441]))
    return Event(draw(st.uuids()).hex, event_type, "CUST-001", NOW - timedelta(minutes=minutes), data)


_AMOUNTS = st.decimals(0, 1000, places=2).map(float)


@given(st.lists(_events(), max_size=25), st.randoms(use_true_random=False), st.integers(-100, 10))
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
        streamed = CustomerState.from_json(streamed.to_json())
    assert streamed.to_json() == once.to_json()
    as_of: datetime = NOW + timedelta(days=days)
    assert features_at(streamed, as_of, observed_kinds(events)) == features_at(once, as_of, observed_kinds(events))


@given(st.lists(_events(), max_size=25), st.integers(-100, 10))
def test_features_are_in_the_models_order_and_in_range(events: list[Event], days: int) -> None:
    features = features_at(replay(events), NOW + timedelta(days=days), _ALL_OBSERVED)
    assert tuple(features) == FEATURE_NAMES
    assert all(value is None or value >= 0 for value in features.values())
    assert all((features[name] or 0) <= 1 for name in ("email_engagement", "discount_usage"))


def test_counts_saturate_so_that_a_state_stays_small() -> None:
    state = replay([event("login", days_ago=minute / 1440) for minute in range(1000)])
    assert features_at(state, NOW, _ALL_OBSERVED)["login_frequency"] == pytest.approx(200)
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


def test_what_the_stored_orders_tell_beyond_the_twelve() -> None:
    state = replay([order(days_ago=days, value=10 * number) for number, days in enumerate((200, 100, 80, 20), 1)])
    inputs = inputs_at(state, NOW, {})
    assert tuple(inputs) == INPUT_NAMES
    assert {name: inputs[name] for name in FEATURE_NAMES} == features_at(state, NOW, {})
    assert inputs["spent_30_days"] == 40
    assert inputs["spent_90_days"] == 70
    assert inputs["spent_180_days"] == 90
    assert inputs["last_gap_days"] == inputs["typical_gap_days"] == 60
    assert inputs["gap_deviation_days"] == pytest.approx(((100 - 60) ** 2 * 2 / 3) ** 0.5)
    assert inputs["silence_in_typical_gaps"] == pytest.approx(20 / 60)


def test_a_single_order_has_no_gaps_and_none_has_spent_nothing() -> None:
    one, none = (inputs_at(replay(events), NOW, {}) for events in ([order(days_ago=3, value=5)], []))
    gaps = ("last_gap_days", "typical_gap_days", "gap_deviation_days", "silence_in_typical_gaps")
    assert all(inputs[name] is None for inputs in (one, none) for name in gaps)
    assert (one["spent_30_days"], none["spent_30_days"]) == (5, 0)


def test_other_purchases_than_the_stored_ones_leave_gaps_and_windows_unknown() -> None:
    stored = inputs_at(replay([order(days_ago=30), order(days_ago=10)]), NOW, {})
    assert overridden(stored, {}) == stored
    assert overridden(stored, {"support_tickets": 4.0}) == stored | {"support_tickets": 4.0}
    assert overridden(stored, {"total_orders": 9.0}) == {name: stored[name] for name in FEATURE_NAMES} | {
        "total_orders": 9.0
    }


def test_answers_have_a_field_for_every_feature() -> None:
    assert tuple(FeatureValues.__annotations__) == FEATURE_NAMES
