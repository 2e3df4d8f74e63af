"""The 12 features, and that they do not depend on how the events arrive."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.customer import EVENT_TYPES_OF_KIND, replay
from churn.domain.events import Event
from churn.domain.features import (
    FEATURE_NAMES,
    INPUT_NAMES,
    KIND_OF_FEATURE,
    FeatureValues,
    features_at,
    inputs_at,
    overridden,
    shown,
)
from churn.domain.timestamps import to_millis
from tests.support.events import NOW, event, order
from tests.support.histories import ALL_OBSERVED, any_event


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
    assert features_at(state, NOW, ALL_OBSERVED) == {
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


@pytest.mark.parametrize("feature", KIND_OF_FEATURE)
def test_a_feature_is_unknown_for_want_of_its_kind_and_of_no_other(feature: str) -> None:
    # Who has points has a balance, whatever the shop sends of others.
    kinds = set(KIND_OF_FEATURE.values()) - {KIND_OF_FEATURE["loyalty_points"]}
    sent = [event(EVENT_TYPES_OF_KIND[kind], days_ago=1) for kind in kinds]
    state = replay([event("customer_registered", days_ago=2), *sent])
    assert features_at(state, NOW, ALL_OBSERVED)[feature] is not None
    without = {kind: at for kind, at in ALL_OBSERVED.items() if kind != KIND_OF_FEATURE[feature]}
    assert [name for name in KIND_OF_FEATURE if features_at(state, NOW, without)[name] is None] == [feature]


def test_a_cancelled_order_leaves_recency_too() -> None:
    state = replay([order(days_ago=30, value=10), order(days_ago=5, order_id="late", value=99)])
    state.apply(event("order_cancelled", days_ago=4, order_id="late"))
    features = features_at(state, NOW, {})
    assert (features["total_orders"], features["total_spent"], features["days_since_last_order"]) == (1, 10, 30)


def test_features_as_of_a_day_in_the_past_know_nothing_of_what_came_later() -> None:
    events = [
        order(days_ago=30, order_id="first"),
        order(days_ago=5),
        event("order_cancelled", days_ago=4, order_id="first"),
    ]
    then = NOW - timedelta(days=10)
    before = features_at(replay(events, to_millis(then)), then, {})
    assert (before["total_orders"], before["days_since_last_order"], before["account_age_days"]) == (1, 20, 20)


def test_a_late_event_does_not_move_recency() -> None:
    state = replay([order(days_ago=5), order(days_ago=50)])
    assert features_at(state, NOW, {})["days_since_last_order"] == 5


def test_windows_move_with_the_clock() -> None:
    state = replay([event("payment_failed", days_ago=80)])
    assert features_at(state, NOW, ALL_OBSERVED)["payment_failures"] == 1
    assert features_at(state, NOW + timedelta(days=11), ALL_OBSERVED)["payment_failures"] == 0


def test_clients_see_counts_as_whole_numbers() -> None:
    seen = shown(features_at(replay([order(days_ago=3, value=12.5)]), NOW, ALL_OBSERVED))
    assert str(seen["total_orders"]) == "1"
    assert str(seen["payment_failures"]) == "0"
    assert (seen["total_spent"], seen["email_engagement"]) == (12.5, None)


@given(st.lists(any_event(), max_size=25), st.integers(-100, 10))
def test_features_are_in_the_models_order_and_in_range(events: list[Event], days: int) -> None:
    as_of = NOW + timedelta(days=days)
    features = features_at(replay(events, to_millis(as_of)), as_of, ALL_OBSERVED)
    assert tuple(features) == FEATURE_NAMES
    assert all(value is None or value >= 0 for value in features.values())
    assert all((features[name] or 0) <= 1 for name in ("email_engagement", "discount_usage"))


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
