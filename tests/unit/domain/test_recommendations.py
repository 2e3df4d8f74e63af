"""What is recommended: it follows the reasons, is worth something, and never contradicts the data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.answers import RecommendedAction
from churn.domain.explanations import reason
from churn.domain.features import FEATURE_NAMES, FEATURES, Features
from churn.domain.recommendations import ACTIONS, recommend
from churn.domain.risk import RiskBands

UNKNOWN: Features = dict.fromkeys(FEATURE_NAMES)
BOUGHT: Features = UNKNOWN | {"total_orders": 10.0, "total_spent": 1000.0, "account_age_days": 100.0}


def _spend(features: Features) -> float | None:
    """Return what such a customer would spend in 90 days at the rate of their life so far."""
    spent, age = features["total_spent"], features["account_age_days"] or 0
    return None if spent is None else spent / max(age, 30) * 90


def recommended(
    features: Features, probability: float = 0.9, contributions: dict[str, float] | None = None
) -> list[RecommendedAction]:
    spend = _spend(features)
    at_risk = None if spend is None else probability * spend
    return recommend(features, probability, contributions or {}, bands=RiskBands(), at_risk=at_risk)


def _values(maximum: float, *, is_count: bool) -> st.SearchStrategy[float | None]:
    most = min(maximum, 500)
    return st.none() | (st.integers(0, int(most)).map(float) if is_count else st.floats(0, most))


def customers() -> st.SearchStrategy[Features]:
    return st.fixed_dictionaries(
        {feature.name: _values(feature.maximum, is_count=feature.is_count) for feature in FEATURES}
    )


@given(
    customers(),
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(FEATURE_NAMES), st.floats(-0.5, 0.5)),
)
def test_every_action_has_its_occasion_in_the_data(
    features: Features, probability: float, contributions: dict[str, float]
) -> None:
    found = recommended(features, probability, contributions)
    codes = [one["code"] for one in found]
    assert ("update_payment_method" in codes) == bool(features["payment_failures"])
    assert ("assign_success_manager" in codes) == ((features["support_tickets"] or 0) >= 3)
    assert ("send_reengagement_email" in codes) == ((features["days_since_last_order"] or 0) >= 30)
    by_code = {action.code: action for action in ACTIONS}
    answered = [by_code[code].feature for code in codes if code in by_code]
    assert all(features[name] is not None for name in answered)
    strengths = [contributions.get(name, 0.0) for name in answered]
    assert strengths == sorted(strengths, reverse=True)
    spend = _spend(features)
    worth = [one["expected_value"] for one in found]
    if spend is None:
        assert not any(one is not None for one in worth)
    else:
        assert all(one is not None and 0 <= one <= probability * spend + 0.01 for one in worth)
    assert len(set(codes)) == len(codes)


def test_the_reason_is_the_drivers_and_the_value_what_the_action_should_save() -> None:
    features = BOUGHT | {"payment_failures": 2.0, "days_since_last_order": 40.0}
    email, payment = recommended(
        features, 0.5, {"days_since_last_order": 0.2, "payment_failures": 0.1, "total_orders": -0.1}
    )
    assert (email["code"], email["text"]) == ("send_reengagement_email", "Send re-engagement email campaign")
    assert email["reason"] == "The last order was 40 days ago: this raises the risk by 20 points."
    # 1,000 in 100 days are 900 in the horizon, half of it at stake.
    assert email["expected_value"] == pytest.approx(450 * 0.05)
    assert payment["expected_value"] == pytest.approx(450 * 0.3)
    assert payment["reason"] == reason("payment_failures", 2.0, 0.1)


def test_a_high_risk_without_any_occasion_calls_for_a_call() -> None:
    (call,) = recommended(BOUGHT, 0.7)
    assert call["code"] == "call_customer"
    assert "risk is high" in call["reason"]
    assert recommended(BOUGHT, 0.5) == []
