"""Names of segments, and since when a customer is at risk or back."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.customer import CustomerState, replay
from churn.domain.customer_record import CustomerRecord
from churn.domain.features import features_at
from churn.domain.model import Prediction
from churn.domain.risk import RiskRules
from churn.domain.segments import name_key, segment_name
from tests.support.events import NOW, event, order

_RULES = RiskRules()


@given(st.text(max_size=120))
def test_a_name_stays_what_it_is_and_is_found_in_any_case(text: str) -> None:
    try:
        name = segment_name(text)
    except ValueError:
        return
    assert segment_name(name) == name
    assert name_key(name) == name_key(name_key(name)) == name_key(f"  {name} ")
    assert len(name_key(name)) <= 300


@pytest.mark.parametrize("same", ["Käufer von 2026", "KÄUFER  VON 2026", "Ka\u0308ufer von 2026"])
def test_names_that_read_alike_are_one(same: str) -> None:
    assert name_key(same) == name_key("käufer von 2026")


@given(st.lists(st.integers(0, 700), max_size=12), st.integers(1, 200), st.randoms())
def test_a_return_is_the_newest_order_after_a_lapse_in_whatever_order_events_come(
    ages: list[int], inactivity_days: int, chance: Random
) -> None:
    orders = [order(days_ago=age) for age in ages]
    back = [late for early, late in pairwise(sorted(ages, reverse=True)) if early - late > inactivity_days]
    expected = NOW - timedelta(days=back[-1]) if back else None
    chance.shuffle(orders)
    assert replay(orders).returned_at(inactivity_days) == expected


def test_an_order_that_is_cancelled_ends_no_lapse() -> None:
    events = [order(days_ago=300), order(days_ago=5, order_id="x"), event("order_cancelled", order_id="x")]
    assert replay(events).returned_at(180) is None


def _scored(record: CustomerRecord, days: float, probability: float, version: str = "v1") -> CustomerRecord:
    """Return the record after a score so many days after NOW, of somebody who ordered long enough ago."""
    state: CustomerState = replay([order(days_ago=60)])
    at = NOW + timedelta(days=days)
    prediction = Prediction(probability, 0.9, version, {}, 0.0)
    return record.scored(state, features_at(state, at, {}), prediction, as_of=at, now=at, rules=_RULES)


def test_at_risk_dates_from_the_score_that_first_said_so_and_ends_with_it() -> None:
    record = CustomerRecord(id=1, customer_id="C", created_at=NOW, updated_at=NOW)
    record = _scored(record, 0, 0.2)
    assert (record.status, record.at_risk_since) == ("active", None)
    for days in (1, 2, 3):
        record = _scored(record, days, 0.7)
        assert (record.status, record.at_risk_since) == ("at_risk", NOW + timedelta(days=1))
    assert _scored(record, 4, 0.7, "v2").at_risk_since == NOW + timedelta(days=1), "another version changes nothing"
    record = _scored(record, 5, 0.3)
    assert record.at_risk_since is None
    assert _scored(record, 6, 0.9).at_risk_since == NOW + timedelta(days=6)


def test_since_when_is_not_known_of_a_first_score_and_of_another_version() -> None:
    stranger = CustomerRecord(id=1, customer_id="C", created_at=NOW, updated_at=NOW)
    first = _scored(stranger, 0, 0.9)
    moved = _scored(_scored(stranger, 0, 0.2), 1, 0.9, "v2")
    for record in (first, moved, _scored(moved, 2, 0.9, "v2"), replace(first, at_risk_since=None)):
        assert (record.status, record.at_risk_since) == ("at_risk", None)
