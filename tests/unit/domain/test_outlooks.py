"""Money to come: one definition of the expected spend and the value at risk, and what is shown of a stored outlook."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from churn.domain.model import Outlook, Prediction
from churn.domain.outlooks import expected_money, outlook_columns
from churn.domain.risk import Money, money_of, stored_value_at_risk

_AT = datetime(2026, 11, 26, 9, tzinfo=UTC)
_OUTLOOK = Outlook(
    orders=1.5, spend=60.0, spend_if_ordering=80.0, interval=(0.0, 210.0), usual_gap_days=20.0, next_order_days=12.0
)


def predicted(outlook: Outlook | None) -> Prediction:
    return Prediction(0.25, 0.9, "v1", {}, 0.5, outlook=outlook)


def test_value_at_risk_is_the_chance_of_leaving_times_the_spend_of_who_orders() -> None:
    money = money_of(predicted(_OUTLOOK))
    assert (money.expected_spend, money.value_at_risk) == (60.0, 20.0)


def test_without_an_outlook_and_without_values_the_spend_is_unknown() -> None:
    assert money_of(predicted(None)) == Money(None, None)
    no_values = replace(_OUTLOOK, spend=None, spend_if_ordering=None, interval=None)
    assert money_of(predicted(no_values)) == Money(None, None)


@pytest.mark.parametrize(("stored", "shown"), [(20.0, 20.0), (None, 15.0)])
def test_rows_without_a_stored_value_at_risk_have_it_from_their_spend(stored: float | None, shown: float) -> None:
    row = {"churn_probability": 0.25, "value_at_risk": stored, "expected_spend": 60.0}
    assert stored_value_at_risk(row) == shown
    assert stored_value_at_risk(row | {"churn_probability": None}) is None
    assert stored_value_at_risk(row | {"value_at_risk": None, "expected_spend": None}) is None


def test_a_stored_outlook_is_shown_as_of_its_score_and_the_silence_as_of_now() -> None:
    assert expected_money({**outlook_columns(_OUTLOOK, _AT), "expected_spend": 60.0}, 50.0) == {
        "expected_orders": 1.5,
        "expected_spend": 60.0,
        "expected_spend_basis": "purchase_process",
        "expected_spend_interval": {"low": 0.0, "high": 210.0},
        "next_order_expected_at": "2026-12-08T09:00:00Z",
        "overdue_factor": 2.5,
    }


def test_what_is_not_known_is_null() -> None:
    nothing = expected_money({**outlook_columns(None, _AT), "expected_spend": None}, 50.0)
    assert {*nothing.values()} == {None}
    young = Outlook(0.1, 4.0, 30.0, None, 20.0, None)
    shown = expected_money({**outlook_columns(young, _AT), "expected_spend": 4.0}, None)
    assert (shown["expected_spend_interval"], shown["next_order_expected_at"], shown["overdue_factor"]) == (None,) * 3
