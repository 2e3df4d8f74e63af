"""What a change of features does to a prediction, and which change did what."""

import json
from decimal import Decimal
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from churn.domain.errors import CustomerNotFoundError, CustomerUnreadableError
from churn.domain.features import FEATURE_NAMES, FEATURES, INPUT_NAMES, STATE_COLUMNS, Feature, Features, Inputs
from churn.domain.model import Predictor
from churn.domain.risk import RiskBands
from churn.domain.what_if import Question, Scenario, predict, resolve
from tests.support.forests import small_model, state_model

if TYPE_CHECKING:
    from churn.domain.answers import WhatIf

STORED: Features = {
    "total_orders": 4.0,
    "total_spent": 200.0,
    "avg_order_value": 50.0,
    "days_since_last_order": 90.0,
    "support_tickets": 2.0,
    "product_returns": 0.0,
    "email_engagement": 0.2,
    "login_frequency": 1.0,
    "payment_failures": 1.0,
    "discount_usage": None,
    "loyalty_points": 20.0,
    "account_age_days": 300.0,
}
_GIVEN = st.dictionaries(
    st.sampled_from(FEATURE_NAMES), st.none() | st.floats(0, 1) | st.floats(0, 400), min_size=1, max_size=11
)


_CUSTOMERS = st.fixed_dictionaries({name: st.floats(0, 400) for name in INPUT_NAMES}).map(
    lambda values: {**dict[str, float | None](values), "total_orders": float(int(values["total_orders"]))}
)


def scenario(given: dict[str, float | None]) -> Scenario:
    return resolve(Question("CUST-001", given), {"CUST-001": STORED})


def compared(asked: Scenario, model: Predictor | None = None) -> "tuple[float, WhatIf | None]":
    """Return the probability of the answer, and what it compares with."""
    (answer,) = predict(model or small_model(), [asked], bands=RiskBands(), horizon_days=90)
    return answer["churn_probability"], answer.get("what_if")


@given(_GIVEN)
def test_the_effects_of_the_changes_add_up_to_the_whole(given_features: dict[str, float | None]) -> None:
    asked = scenario(given_features)
    probability, answer = compared(asked)
    assert answer is not None
    before, after = small_model().probabilities([STORED, asked.features])
    assert answer["churn_probability"] == pytest.approx(before, abs=1e-6)
    assert probability == pytest.approx(after, abs=1e-6)
    assert [(change["feature"], change["stored"], change["given"]) for change in answer["changes"]] == [
        (feature.name, STORED[feature.name], given_features[feature.name])
        for feature in FEATURES
        if feature.name in given_features and not feature.is_same(given_features[feature.name], STORED[feature.name])
    ]


@settings(max_examples=300)
@given(_CUSTOMERS, st.dictionaries(st.sampled_from(FEATURE_NAMES), st.none() | st.floats(0, 400)))
def test_digit_by_digit_the_answer_is_what_was_before_and_the_change(
    stored: Inputs, given_features: dict[str, float | None]
) -> None:
    # Where every feature is said to be unknown, nothing is known, and the question is refused.
    assume(len(given_features) < len(FEATURES) or set(given_features.values()) != {None})
    probability, answer = compared(resolve(Question("CUST-001", given_features), {"CUST-001": stored}), state_model())
    if not given_features:
        assert answer is None
        return
    assert answer is not None
    assert exactly(answer["churn_probability"]) + exactly(answer["change"]) == exactly(probability)
    assert sum((exactly(change["effect"]) for change in answer["changes"]), Decimal()) == exactly(answer["change"])


@settings(max_examples=300)
@given(_CUSTOMERS, st.sets(st.sampled_from(FEATURES), min_size=1), st.floats(-1, 1))
def test_what_is_given_just_as_stored_changes_nothing(stored: Inputs, same: set[Feature], off: float) -> None:
    as_stored, _ = compared(resolve(Question("CUST-001", {}), {"CUST-001": stored}), state_model())
    # As it is stored, and as it is shown: rounded, or some minutes ago.
    for distance in (0.0, off):
        sent = {one.name: _moved(stored[one.name], distance * one.resolution) for one in same}
        probability, answer = compared(resolve(Question("CUST-001", sent), {"CUST-001": stored}), state_model())
        assert answer is not None
        assert (probability, answer) == (as_stored, {"churn_probability": as_stored, "change": 0.0, "changes": []})


def test_all_features_of_a_customer_are_compared_with_what_is_stored() -> None:
    stored: Inputs = STORED | dict.fromkeys(STATE_COLUMNS, 3.0)
    asked = resolve(Question("CUST-001", STORED), {"CUST-001": stored})
    assert (asked.features, asked.changes) == (stored, ())
    # Who is not stored, or cannot be read, is what is given.
    assert resolve(Question("CUST-001", STORED), {}) == Scenario("CUST-001", STORED)
    unreadable = CustomerUnreadableError("")
    assert resolve(Question("CUST-001", STORED), {"CUST-001": unreadable}) == Scenario("CUST-001", STORED)
    with pytest.raises(CustomerUnreadableError):
        resolve(Question("CUST-001", {}), {"CUST-001": unreadable})


def _moved(value: float | None, by: float) -> float | None:
    return None if value is None else value + by


def exactly(number: float) -> Decimal:
    """Return the number that the answer writes."""
    return Decimal(json.dumps(number))


def test_up_to_three_changes_have_their_shapley_values() -> None:
    given_features: dict[str, float | None] = {
        "days_since_last_order": 1.0,
        "total_orders": 9.0,
        "support_tickets": 0.0,
    }
    _, answer = compared(scenario(given_features))

    def probability(names: tuple[str, ...]) -> float:
        return small_model().probabilities([STORED | {name: given_features[name] for name in names}])[0]

    assert answer is not None
    for change in answer["changes"]:
        steps = []
        for order in permutations(given_features):
            place = order.index(change["feature"])
            steps.append(probability(order[: place + 1]) - probability(order[:place]))
        assert change["effect"] == pytest.approx(sum(steps) / len(steps), abs=3e-6)


def test_only_who_is_stored_and_given_features_of_is_compared() -> None:
    alone = resolve(Question(None, {"total_orders": 3.0}), {})
    as_stored = resolve(Question("CUST-001", {}), {"CUST-001": STORED})
    same = scenario({"total_orders": 4.0})
    first, second, third = (compared(one)[1] for one in (alone, as_stored, same))
    assert (first, second) == (None, None)
    assert third is not None
    assert (third["change"], third["changes"]) == (0, [])
    with pytest.raises(CustomerNotFoundError):
        resolve(Question("NOBODY", {"total_orders": 3.0}), {"CUST-001": STORED})
