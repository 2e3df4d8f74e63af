"""What a change of a customer does to a prediction, and which change did what."""

import json
from decimal import Decimal
from itertools import permutations
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.domain.customer import CustomerState, replay
from churn.domain.errors import CustomerNotFoundError, CustomerUnreadableError
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES, FEATURES, Features, inputs_at
from churn.domain.hypotheses import HypotheticalEvent, StoredCustomer
from churn.domain.model import Predictor
from churn.domain.risk import RiskBands
from churn.domain.timestamps import to_millis
from churn.domain.what_if import (
    BeforeAccountError,
    ContradictoryError,
    Question,
    Scenario,
    predict,
    resolve,
    stored_customers,
)
from churn.ml.outlook import outlook
from tests.support.events import NOW, event, order
from tests.support.forests import PURCHASE_PROCESS, small_model, state_model
from tests.support.histories import ALL_OBSERVED, any_event

if TYPE_CHECKING:
    from churn.domain.answers import FeatureChange, PredictionAnswer, WhatIf


def stored_customer(*events: Event) -> StoredCustomer:
    return StoredCustomer(replay(events, to_millis(NOW)), NOW, ALL_OBSERVED, 5_000)


CUSTOMER = stored_customer(
    event("customer_registered", days_ago=300),
    *(order(days_ago=days, value=value) for days, value in ((250, 30), (160, 70), (90, 50), (89.5, 50))),
    *(event("support_ticket_created", days_ago=days) for days in (3, 20)),
    event("payment_failed", days_ago=10),
    event("login", days_ago=10),
)
_ORDER = HypotheticalEvent("order_placed", 0, {"order_value": 40})
_GIVEN = st.dictionaries(
    st.sampled_from(FEATURE_NAMES), st.none() | st.floats(0, 1) | st.integers(0, 400).map(float), max_size=11
)
_CUSTOMERS = st.lists(any_event().filter(lambda one: one.event_type != "customer_deleted"), max_size=12).map(
    lambda events: stored_customer(order(days_ago=130), *events)
)


def asked(stored: StoredCustomer = CUSTOMER, *events: HypotheticalEvent, **features: float | None) -> Scenario:
    return about(stored, features, *events)


def about(stored: StoredCustomer, features: Features, *events: HypotheticalEvent) -> Scenario:
    return resolve(Question("CUST-001", features, events), {"CUST-001": stored})


def answered(scenario: Scenario, model: Predictor | None = None) -> "tuple[PredictionAnswer, WhatIf]":
    """Return an answer, and what it compares with."""
    (answer,) = predict(model or small_model(), [scenario], bands=RiskBands())
    compared = answer["what_if"]
    assert compared is not None
    return answer, compared


def exactly(number: float) -> Decimal:
    """Return the number that the answer writes."""
    return Decimal(json.dumps(number))


@settings(max_examples=200, deadline=None)
@given(_CUSTOMERS, _GIVEN)
def test_digit_by_digit_the_answer_is_what_was_before_and_the_change(
    stored: StoredCustomer, features: dict[str, float | None]
) -> None:
    if not features:
        return
    try:
        scenario = about(stored, features)
    except ContradictoryError:
        return
    answer, compared = answered(scenario, state_model())
    assert exactly(compared["churn_probability"]) + exactly(compared["change"]) == exactly(answer["churn_probability"])
    assert sum((exactly(one["effect"]) for one in compared["changes"]), Decimal()) == exactly(compared["change"])
    reasons = [answer["base_probability"], answer["other_contributions"]]
    total = sum(map(exactly, [*reasons, *(driver["contribution"] for driver in answer["drivers"])]))
    assert total == exactly(answer["churn_probability"])
    inputs = stored.inputs
    other = [one for one in FEATURES if one.name in features and not one.is_same(features[one.name], inputs[one.name])]
    asked = [one["feature"] for one in cast("list[FeatureChange]", compared["changes"])]
    assert {*asked} >= {one.name for one in other}
    # What is asked holds, also what is as stored.
    becomes = {one["feature"] for one in compared["implied"]}
    assert not becomes & features.keys()


@settings(max_examples=100, deadline=None)
@given(_CUSTOMERS, st.sets(st.sampled_from(FEATURES), min_size=1), st.floats(-1, 1))
def test_what_is_given_just_as_stored_changes_nothing(stored: StoredCustomer, same: set[object], off: float) -> None:
    inputs = stored.inputs
    (as_stored,) = predict(state_model(), [asked(stored)], bands=RiskBands())
    # As it is stored, and as it is shown: rounded, or some minutes ago.
    for distance in (0.0, off):
        sent = {one.name: _moved(inputs[one.name], distance * one.resolution) for one in FEATURES if one in same}
        answer, compared = answered(about(stored, sent), state_model())
        assert answer["churn_probability"] == compared["churn_probability"] == as_stored["churn_probability"]
        assert (compared["change"], compared["changes"], compared["implied"]) == (0, [], [])


def _moved(value: float | None, by: float) -> float | None:
    return None if value is None else value + by


@settings(max_examples=100, deadline=None)
@given(_CUSTOMERS, st.integers(0, 30))
def test_a_hypothetical_order_is_folded_in_as_a_real_one(stored: StoredCustomer, days: int) -> None:
    real = replay([order(days_ago=days, value=40)], to_millis(NOW))
    state = stored.state.copy()
    before = state.to_json()
    scenario = asked(stored, HypotheticalEvent("order_placed", days, {"order_value": 40}))
    assert stored.state.to_json() == before
    state.advance([order(days_ago=days, value=40)], to_millis(NOW))
    assert real.purchases.orders == 1
    assert scenario.features == inputs_at(state, NOW, ALL_OBSERVED)


def test_fewer_days_are_an_order_of_the_usual_value() -> None:
    answer, compared = answered(asked(days_since_last_order=2), state_model())
    features = asked(days_since_last_order=2).features
    assert (features["total_orders"], features["total_spent"], features["purchase_days"]) == (5, 250, 5)
    assert features["days_since_last_order"] == pytest.approx(2)
    assert [(one["feature"], one["stored"], one["becomes"]) for one in compared["implied"]] == [
        ("total_orders", 4, 5),
        ("total_spent", 200, 250),
    ]
    # The model is told all that it knows of the customer, so nothing but the order differs.
    assert compared["stored_probability"] is None
    assert compared["churn_probability"] == round(state_model().probabilities([CUSTOMER.inputs])[0], 6)
    assert answer["churn_probability"] <= compared["churn_probability"]


def test_more_days_are_a_later_instant() -> None:
    features = asked(days_since_last_order=169.5).features
    assert features["account_age_days"] == pytest.approx(380)
    # What lay in the windows has left them, but for a ticket of three days before.
    assert (features["support_tickets"], features["login_frequency"], features["spent_90_days"]) == (1, 0, 0)
    assert features["silence_in_typical_gaps"] == pytest.approx(169.5 / 70)
    later = asked(days_since_last_order=180.0, support_tickets=3.0).features
    assert later["support_tickets"] == 3


def test_higher_counts_are_events_and_more_orders_come_before_the_silence() -> None:
    features = asked(support_tickets=5, payment_failures=2, login_frequency=9, product_returns=1).features
    names = ("support_tickets", "payment_failures", "login_frequency", "product_returns")
    assert [features[name] for name in names] == [5, 2, 9, 1]
    assert features["purchase_days"] == CUSTOMER.inputs["purchase_days"]
    spent = asked(total_orders=7.0, total_spent=300.0).features
    assert (spent["total_orders"], spent["total_spent"], spent["days_since_last_order"]) == (7, 300, 0)
    assert spent["purchase_days"] == CUSTOMER.inputs["purchase_days"] + 1  # type: ignore[operator]
    silent = asked(total_orders=6.0, days_since_last_order=100.0).features
    assert silent["total_orders"] == 6
    assert silent["days_since_last_order"] == pytest.approx(100)
    mean = asked(total_orders=6.0, avg_order_value=60.0).features
    assert (mean["total_spent"], mean["avg_order_value"]) == (360, 60)


@pytest.mark.parametrize(
    "features",
    [
        {"discount_usage": 0.5},
        {"total_orders": 3.0, "total_spent": 150.0},
        {"total_orders": 4.0, "avg_order_value": 25.0, "total_spent": 100.0},
        {"support_tickets": 0.0},
        {"account_age_days": 500.0},
        {"login_frequency": None},
    ],
)
def test_what_cannot_happen_is_replaced_and_asked_of_the_12_features_before_and_after(
    features: dict[str, float | None],
) -> None:
    answer, compared = answered(about(CUSTOMER, features), state_model())
    stored = CUSTOMER.inputs
    plain = {name: stored[name] for name in FEATURE_NAMES}
    before, after = state_model().probabilities([plain, plain | features])
    if "support_tickets" not in features:
        assert answer["churn_probability"] == pytest.approx(after, abs=1e-6)
    assert compared["churn_probability"] == pytest.approx(before, abs=1e-6)
    assert compared["stored_probability"] == pytest.approx(state_model().probabilities([stored])[0], abs=1e-6)
    assert compared["implied"] == []


@pytest.mark.parametrize(
    ("features", "moved"),
    [
        ({"avg_order_value": 80.0}, ("total_spent", 200, 320)),
        ({"total_spent": 300.0}, ("avg_order_value", 50, 75)),
        ({"total_orders": 2.0}, ("total_spent", 200, 100)),
        ({"total_orders": 2.0, "total_spent": 200.0}, ("avg_order_value", 50, 100)),
        ({"total_orders": 2.0, "avg_order_value": 80.0}, ("total_spent", 200, 160)),
    ],
)
def test_orders_spend_and_mean_value_stay_of_one_customer(features: Features, moved: tuple[str, int, int]) -> None:
    _, compared = answered(about(CUSTOMER, features), state_model())
    assert [(one["feature"], one["stored"], one["becomes"]) for one in compared["implied"]] == [moved]


def test_a_spend_and_a_mean_value_that_do_not_fit_are_refused() -> None:
    for spent, mean in ((400.0, 50.0), (200.0, 90.0)):
        with pytest.raises(ContradictoryError) as refused:
            asked(total_spent=spent, avg_order_value=mean)
        assert [error.field for error in refused.value.errors] == ["avg_order_value"]
    assert asked(total_spent=400.0, avg_order_value=50.0, total_orders=8.0).features["total_orders"] == 8
    whole = {**{name: CUSTOMER.inputs[name] for name in FEATURE_NAMES}, "avg_order_value": 90.0}
    assert about(CUSTOMER, whole).features["avg_order_value"] == 90


@pytest.mark.parametrize(
    "given", [{"account_age_days": 50.0}, {"account_age_days": 200.0, "days_since_last_order": 250.0}]
)
def test_an_account_that_is_younger_than_the_last_order_is_refused(given: Features) -> None:
    with pytest.raises(ContradictoryError) as refused:
        about(CUSTOMER, given)
    assert [error.field for error in refused.value.errors] == ["account_age_days"]
    assert "days since the last order" in refused.value.errors[0].message


def test_what_is_asked_as_stored_holds_where_another_change_would_move_it() -> None:
    silence = CUSTOMER.inputs["days_since_last_order"]
    assert silence == 89.5
    scenario = asked(total_orders=5.0, days_since_last_order=silence)
    assert (scenario.features["total_orders"], scenario.features["days_since_last_order"]) == (5, silence)
    answer, compared = answered(scenario, state_model())
    assert compared["days_later"] == 0
    assert [one["feature"] for one in cast("list[FeatureChange]", compared["changes"])] == [
        "total_orders",
        "days_since_last_order",
    ]
    assert answer["churn_probability"] <= compared["churn_probability"]
    # No order is added to as many as stored: the silence alone is another.
    features = asked(total_orders=4.0, days_since_last_order=2.0).features
    plain = {name: CUSTOMER.inputs[name] for name in FEATURE_NAMES}
    assert features == plain | {"days_since_last_order": 2.0}
    later = asked(support_tickets=2.0, account_age_days=300.0, days_since_last_order=189.5).features
    assert (later["support_tickets"], later["account_age_days"]) == (2, 300)


def test_any_number_of_events_is_folded_in() -> None:
    tickets = asked(support_tickets=500.0).features
    assert tickets == asked(support_tickets=3.0).features | {"support_tickets": 500}
    hundred, more = (asked(total_orders=4.0 + number).features for number in (100, 101))
    assert (more["total_orders"], more["total_spent"], more["purchase_days"]) == (105, 5250, 5)
    assert more["days_since_last_order"] == 0
    assert {name for name in more if more[name] != hundred[name]} == {
        "total_orders",
        "total_spent",
        "spent_30_days",
        "spent_90_days",
        "spent_180_days",
    }
    one_by_one = asked(CUSTOMER, *(HypotheticalEvent("order_placed", 0, {"order_value": 50}) for _ in range(100)))
    assert one_by_one.features == hundred
    unknown = asked(stored_customer(order(days_ago=9, value=None)), total_orders=500.0).features
    assert (unknown["total_orders"], unknown["total_spent"], unknown["avg_order_value"]) == (500, None, None)


def test_features_that_the_shop_does_not_send_and_first_orders_are_the_same_as_their_events() -> None:
    unobserved = StoredCustomer(stored_customer(order(days_ago=40), order(days_ago=90)).state, NOW, {}, 5_000)
    for feature, event_type in (("support_tickets", "support_ticket_created"), ("payment_failures", "payment_failed")):
        events = [HypotheticalEvent(event_type, 0)] * 2  # type: ignore[arg-type]
        scenario = about(unobserved, {feature: 2.0})
        assert scenario.features == asked(unobserved, *events).features
        _, compared = answered(scenario, state_model())
        assert compared["stored_probability"] is None
        assert compared["change"] >= 0
    nobody = StoredCustomer(stored_customer(event("login", days_ago=50)).state, NOW, {})
    by_event = asked(nobody, HypotheticalEvent("order_placed", 3))
    for orders in ({}, {"total_orders": 1.0}):
        scenario = asked(nobody, days_since_last_order=3.0, **orders)
        assert scenario.features == by_event.features
        assert (
            answered(scenario, state_model())[0]["churn_probability"]
            == (answered(by_event, state_model())[0]["churn_probability"])
        )
    with pytest.raises(BeforeAccountError) as refused:
        asked(nobody, days_since_last_order=60.0)
    assert [error.field for error in refused.value.errors] == ["days_since_last_order"]


def test_each_event_is_a_change_with_its_effect() -> None:
    events = (
        _ORDER,
        HypotheticalEvent("payment_failed", 1),
        HypotheticalEvent("loyalty_points_changed", 0, {"points": 9}),
    )
    _, compared = answered(asked(CUSTOMER, *events))
    assert [(one["event_type"], one["days_ago"]) for one in compared["changes"]] == [  # type: ignore[typeddict-item]
        ("order_placed", 0),
        ("payment_failed", 1),
        ("loyalty_points_changed", 0),
    ]
    assert {"total_orders", "payment_failures", "loyalty_points"} <= {one["feature"] for one in compared["implied"]}
    assert sum(exactly(one["effect"]) for one in compared["changes"]) == exactly(compared["change"])
    # The first event of a kind shows that the shop sends it.
    unobserved = StoredCustomer(CUSTOMER.state, NOW, {}, 5_000)
    assert asked(unobserved).features["payment_failures"] is None
    assert asked(unobserved, HypotheticalEvent("payment_failed", 0)).features["payment_failures"] == 2


def test_an_order_without_a_value_is_of_the_usual_one() -> None:
    order_now = HypotheticalEvent("order_placed", 0)
    _, compared = answered(asked(CUSTOMER, order_now))
    spent = next(one for one in compared["implied"] if one["feature"] == "total_spent")
    assert (spent["stored"], spent["becomes"]) == (200, 250)
    needed = Question("CUST-001", {}, (order_now,)), Question("CUST-002", {}, (_ORDER,))

    def load(wanted: set[str], with_values: set[str]) -> dict[str, StoredCustomer]:
        assert (wanted, with_values) == ({"CUST-001", "CUST-002"}, {"CUST-001"})
        return {"CUST-001": CUSTOMER}

    assert stored_customers(needed, load) == {"CUST-001": CUSTOMER}
    # It is not known where the shop tells none, and of who never ordered.
    silent = stored_customer(order(days_ago=9, value=None), order(days_ago=30, value=40))
    nobody = StoredCustomer(stored_customer(event("login")).state, NOW, {})
    for stored, orders in ((silent, 3), (nobody, 1)):
        features = asked(stored, order_now).features
        assert (features["total_orders"], features["total_spent"]) == (orders, None)


def test_no_event_lies_before_the_customer_was_known() -> None:
    for days in (300, 300.05):
        assert asked(CUSTOMER, HypotheticalEvent("login", days)).features["total_orders"] == 4
    events = (_ORDER, HypotheticalEvent("login", 301), HypotheticalEvent("order_placed", 400))
    with pytest.raises(BeforeAccountError) as refused:
        asked(CUSTOMER, *events)
    assert [error.field for error in refused.value.errors] == ["events.1.days_ago", "events.2.days_ago"]
    assert refused.value.errors[0].message == "is before the customer was first known, 300 days ago"
    # Of whom nothing is known, anything may have been.
    assert asked(StoredCustomer(CustomerState(), NOW, {}), events[2]).features["total_orders"] == 1


@pytest.mark.parametrize(
    ("features", "days"),
    [
        ({"days_since_last_order": 100.0}, 10.5),
        ({"days_since_last_order": 100.0, "total_orders": 6.0}, 100),
        ({"days_since_last_order": 100.0, "total_orders": 3.0}, 10.5),
        ({"days_since_last_order": 3.0, "total_orders": 6.0}, 0),
        ({"total_orders": 6.0}, 0),
    ],
)
def test_an_answer_says_how_many_days_from_now_it_is_of(features: Features, days: float) -> None:
    scenario = about(CUSTOMER, features)
    assert answered(scenario)[1]["days_later"] == days
    assert scenario.features["account_age_days"] == pytest.approx(300 + days)


def test_up_to_three_changes_have_their_shapley_values() -> None:
    features: Features = {"discount_usage": 0.9, "loyalty_points": 70.0, "email_engagement": 0.3}
    _, compared = answered(about(CUSTOMER, features))
    plain = {name: CUSTOMER.inputs[name] for name in FEATURE_NAMES}

    def probability(names: tuple[str, ...]) -> float:
        return small_model().probabilities([plain | {name: features[name] for name in names}])[0]

    for change in cast("list[FeatureChange]", compared["changes"]):
        steps = []
        for one in permutations(features):
            place = one.index(change["feature"])
            steps.append(probability(one[: place + 1]) - probability(one[:place]))
        assert change["effect"] == pytest.approx(sum(steps) / len(steps), abs=3e-6)


def test_only_who_is_stored_and_asked_about_is_compared() -> None:
    alone = resolve(Question(None, {"total_orders": 3.0}), {})
    answers = predict(small_model(), [alone, asked()], bands=RiskBands())
    assert ["what_if" in answer for answer in answers] == [False, False]
    _, same = answered(asked(total_orders=4.0))
    assert (same["change"], same["changes"]) == (0, [])
    with pytest.raises(CustomerNotFoundError):
        resolve(Question("NOBODY", {"total_orders": 3.0}), {"CUST-001": CUSTOMER})


def test_whoever_is_not_stored_or_cannot_be_read_is_what_is_given() -> None:
    whole: Features = dict.fromkeys(FEATURE_NAMES, 1.0)
    assert resolve(Question("CUST-001", whole), {}) == Scenario("CUST-001", whole)
    unreadable = CustomerUnreadableError("")
    assert resolve(Question("CUST-001", whole), {"CUST-001": unreadable}) == Scenario("CUST-001", whole)
    with pytest.raises(CustomerUnreadableError):
        resolve(Question("CUST-001", {}), {"CUST-001": unreadable})
    # Who has no event and nothing else is asked as they are.
    nobody = StoredCustomer(CustomerState(), NOW, {})
    assert asked(nobody).features["total_orders"] == 0


def test_an_answer_tells_the_orders_and_the_spend_to_expect_also_with_a_change() -> None:
    model = state_model().with_metadata(current_process=PURCHASE_PROCESS, spending={"p": 6.0, "q": 4.0, "gamma": 15.0})
    (stored,) = predict(model, [asked()], bands=RiskBands())
    (changed,) = predict(model, [asked(CUSTOMER, _ORDER)], bands=RiskBands())
    expected = outlook(CUSTOMER.inputs, model.metadata)
    assert expected is not None
    assert expected.spend is not None
    assert stored["expected_orders"] == round(expected.orders, 3)
    assert stored["expected_spend"] == round(expected.spend, 2)
    assert (stored["expected_spend_basis"], stored["expected_spend_interval"]) == ("purchase_process", None)
    assert (changed["expected_orders"] or 0) > (stored["expected_orders"] or 0)
