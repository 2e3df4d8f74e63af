"""What a change of features does to a prediction, and which change did what."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.errors import CustomerNotFoundError
from churn.domain.features import FEATURE_NAMES, Features
from churn.domain.what_if import Question, Scenario, compare, resolve
from tests.support.forests import small_model

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


def scenario(given: dict[str, float | None]) -> Scenario:
    return resolve(Question("CUST-001", given), {"CUST-001": STORED})


@given(_GIVEN)
def test_the_effects_of_the_changes_add_up_to_the_whole(given_features: dict[str, float | None]) -> None:
    asked = scenario(given_features)
    (answer,) = compare(small_model(), [asked])
    assert answer is not None
    before, after = small_model().probabilities([STORED, asked.features])
    assert answer["churn_probability"] == before
    assert answer["change"] == pytest.approx(after - before, abs=1e-12)
    assert sum(change["effect"] for change in answer["changes"]) == pytest.approx(answer["change"], abs=1e-12)
    assert [(change["feature"], change["stored"], change["given"]) for change in answer["changes"]] == [
        (name, STORED[name], given_features[name])
        for name in FEATURE_NAMES
        if name in given_features and given_features[name] != STORED[name]
    ]


def test_up_to_three_changes_have_their_shapley_values() -> None:
    given_features: dict[str, float | None] = {
        "days_since_last_order": 1.0,
        "total_orders": 9.0,
        "support_tickets": 0.0,
    }
    (answer,) = compare(small_model(), [scenario(given_features)])

    def probability(names: tuple[str, ...]) -> float:
        return small_model().probabilities([STORED | {name: given_features[name] for name in names}])[0]

    assert answer is not None
    for change in answer["changes"]:
        steps = []
        for order in permutations(given_features):
            place = order.index(change["feature"])
            steps.append(probability(order[: place + 1]) - probability(order[:place]))
        assert change["effect"] == pytest.approx(sum(steps) / len(steps), abs=1e-12)


def test_only_who_is_stored_and_given_features_of_is_compared() -> None:
    alone = resolve(Question(None, {"total_orders": 3.0}), {})
    as_stored = resolve(Question("CUST-001", {}), {"CUST-001": STORED})
    same = scenario({"total_orders": 4.0})
    first, second, third = compare(small_model(), [alone, as_stored, same])
    assert (first, second) == (None, None)
    assert third is not None
    assert (third["change"], third["changes"]) == (0, [])
    with pytest.raises(CustomerNotFoundError):
        resolve(Question("NOBODY", {"total_orders": 3.0}), {"CUST-001": STORED})
