"""The sentences that say why."""

from __future__ import annotations

import pytest

from churn.domain.explanations import drivers
from churn.domain.features import FEATURE_NAMES, Features

FEATURES: Features = {
    "total_orders": 7.0,
    "total_spent": 1234.5,
    "avg_order_value": 176.36,
    "days_since_last_order": 61.4,
    "support_tickets": 1.0,
    "product_returns": 0.0,
    "email_engagement": 0.1,
    "login_frequency": 0.0,
    "payment_failures": 2.0,
    "discount_usage": 0.5,
    "loyalty_points": None,
    "account_age_days": 400.0,
}


def contributions(**points: float) -> dict[str, float]:
    return {name: points.get(name, 0.0) for name in FEATURE_NAMES}


def test_the_strongest_come_first_whichever_way_they_point() -> None:
    found = drivers(contributions(total_orders=-0.2, login_frequency=0.3, support_tickets=0.05), FEATURES)
    assert [driver["feature"] for driver in found] == ["login_frequency", "total_orders", "support_tickets"]
    assert [driver["value"] for driver in found] == [0.0, 7.0, 1.0]
    assert found[0]["sentence"] == "No log-ins in the last 30 days: this raises the risk by 30 points."
    assert found[1]["sentence"] == "7 orders so far: this lowers the risk by 20 points."


def test_what_moves_nothing_is_not_told_and_no_more_than_asked_for() -> None:
    assert drivers(contributions(total_orders=0.001), FEATURES) == []
    everything = contributions(**dict.fromkeys(FEATURE_NAMES, 0.03))
    assert len(drivers(everything, FEATURES)) == 5
    assert len(drivers(everything, FEATURES, most=12)) == 12


@pytest.mark.parametrize("value", [None, 0.0, 0.4, 1.0, 250.0])
@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_every_feature_has_a_whole_sentence_for_every_value(name: str, value: float | None) -> None:
    (driver,) = drivers(contributions(**{name: 0.012}), {**FEATURES, name: value})
    assert driver["sentence"].endswith(": this raises the risk by 1 point.")
    assert "{" not in driver["sentence"]
    assert driver["sentence"][0].isupper() or driver["sentence"][0].isdigit()
    assert ("not known" in driver["sentence"]) == (value is None)
