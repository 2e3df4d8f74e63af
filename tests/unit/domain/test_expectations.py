"""What-ifs keep the directions that everybody takes for granted, and say where the model goes against one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.domain.features import FEATURE_NAMES, Features
from churn.domain.hypotheses import HypotheticalEvent, StoredCustomer
from churn.domain.model import Estimate, Prediction
from churn.domain.risk import RiskBands
from churn.domain.what_if import Question, predict, resolve
from tests.support.contradictions import (
    IN_ORDER,
    TAKEN_FOR_GRANTED,
    contradictions,
    contradictions_in_order,
)
from tests.support.events import order
from tests.support.forests import blend_of, state_model
from tests.unit.domain.test_what_if import CUSTOMER, stored_customer

if TYPE_CHECKING:
    from churn.domain.answers import PredictionAnswer, WhatIf


class _Model:
    """A model of one formula; its reasons lie in the feature that is named."""

    version = "formula-1"
    metadata: dict[str, Any] = {}  # noqa: RUF012  (a protocol's attribute)

    def __init__(self, formula: Callable[[Features], float], feature: str) -> None:
        self._formula, self._feature = formula, feature

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        return [
            Prediction(p, 0.9, self.version, dict.fromkeys(FEATURE_NAMES, 0.0) | {self._feature: p - 0.2}, 0.2)
            for p in self.probabilities(rows)
        ]

    def estimate(self, rows: Sequence[Features]) -> list[Estimate]:
        return [*self.predict(rows)]

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        return [self._formula(row) for row in rows]


def _ask(
    model: _Model, *events: HypotheticalEvent, stored: StoredCustomer = CUSTOMER, **features: float
) -> "tuple[PredictionAnswer, WhatIf]":
    return _ask_of(model, stored, features, *events)


def _ask_of(
    model: _Model, stored: StoredCustomer, features: dict[str, float], *events: HypotheticalEvent
) -> "tuple[PredictionAnswer, WhatIf]":
    scenario = resolve(Question("X", features, events), {"X": stored})
    (answer,) = predict(model, [scenario], bands=RiskBands())
    compared = answer["what_if"]
    assert compared is not None
    return answer, compared


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 50),
    st.lists(st.integers(5, 400), min_size=1, max_size=8),
    st.sampled_from([*TAKEN_FOR_GRANTED]),
    st.booleans(),
    st.sampled_from([(1.0, 0.0, 0.0), (0.2, 0.6, 0.2)]),
)
def test_models_made_at_random_never_contradict(
    seed: int, days: list[int], name: str, is_told: bool, weights: tuple[float, float, float]
) -> None:
    ask, direction = TAKEN_FOR_GRANTED[name]
    stored = stored_customer(*(order(days_ago=one, value=30) for one in days))
    stored = stored if is_told else replace(stored, observed={})
    forest = state_model(seed % 3 + 1)
    model = forest if weights[0] == 1 else blend_of(forest, weights, seed=seed)
    found = contradictions(model, [stored], ask, direction)
    assert (found.asked, found.against) == (1, 0)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.integers(5, 400), min_size=1, max_size=6),
    st.sampled_from([*IN_ORDER]),
    st.booleans(),
)
def test_models_made_at_random_never_fall_with_silence(seed: int, days: list[int], name: str, is_blend: bool) -> None:
    stored = stored_customer(*(order(days_ago=one, value=30) for one in days))
    model = blend_of(state_model(seed), (0.2, 0.6, 0.2), seed=seed) if is_blend else state_model(seed)
    found = contradictions_in_order(model, [stored], IN_ORDER[name])
    assert (found.asked, found.against) == (1, 0)


def _bump(row: Features) -> float:
    silence = row["days_since_last_order"] or 0
    return 0.3 + 0.4 * (100 <= silence < 120)


def test_a_longer_silence_is_the_highest_risk_on_the_way() -> None:
    bump = _Model(_bump, "days_since_last_order")
    for days, expected in ((95.0, 0.3), (110.0, 0.7), (150.0, 0.7), (151.5, 0.7)):
        answer, compared = _ask(bump, days_since_last_order=days)
        assert (compared["churn_probability"], answer["churn_probability"]) == (0.3, expected)
        total = sum(driver["contribution"] for driver in answer["drivers"]) + answer["other_contributions"]
        assert answer["base_probability"] + total == pytest.approx(expected, abs=1e-9)
    assert compared["surprise"] is not None
    assert compared["surprise"].startswith(
        "The answer keeps the direction that everybody expects; the model alone says 30%."
    )


def _by_pause(row: Features) -> float:
    return 0.1 + 0.003 * (row["last_gap_days"] or 0) + 0.3 * ((row["days_since_last_order"] or 0) > 60)


def test_an_order_is_no_safer_the_longer_ago_it_was() -> None:
    # The pause that an order ends counts, and for two months the days since then do not.
    pause = _Model(_by_pause, "days_since_last_order")
    now, _ = _ask(pause, days_since_last_order=0.0)
    before, compared = _ask(pause, days_since_last_order=30.0)
    assert now["churn_probability"] == before["churn_probability"]
    assert compared["surprise"] == (
        "The same order placed later would end a longer silence, at a higher risk, and an order is not taken for safer "
        "the longer ago it is; the model alone says 28%."
    )
    event, _ = _ask(pause, HypotheticalEvent("order_placed", 30, {"order_value": 40}))
    assert event["churn_probability"] == before["churn_probability"]
    assert compared["change"] < 0


def test_silence_after_new_orders_is_no_safer_than_the_longest_that_lies_before_them() -> None:
    known = CUSTOMER.inputs["days_since_last_order"] or 0.0
    # Between two whole days, where the way by the day does not come past.
    near = _Model(lambda row: 0.3 + 0.4 * (abs((row["days_since_last_order"] or 0) - known) < 0.1), "total_orders")
    orders = (CUSTOMER.inputs["total_orders"] or 0) + 2
    risks = [
        _ask(near, total_orders=orders, days_since_last_order=known + more)[0]["churn_probability"]
        for more in (-0.3, 0.0, 0.2, 0.7, 40.0)
    ]
    assert risks == sorted(risks)
    assert risks[1] == 0.7


def test_an_order_failed_payment_or_ticket_never_goes_the_wrong_way() -> None:
    orders = _Model(lambda row: 0.05 * (row["total_orders"] or 0), "total_orders")
    newer = HypotheticalEvent("order_placed", 1, {"order_value": 40})
    answer, compared = _ask(orders, newer)
    assert (answer["churn_probability"], compared["change"]) == (0.2, 0)
    assert compared["surprise"] == (
        "The answer keeps the direction that everybody expects; the model alone says 25%. "
        "5 orders so far (before: 4): this adds 5 points more to the risk than before."
    )
    # An order before the last one ends no silence: the model's word stands, with a sentence.
    assert _ask(orders, HypotheticalEvent("order_placed", 95, {"order_value": 40}))[1]["change"] == 0.05
    for kind, feature in (("payment_failed", "payment_failures"), ("support_ticket_created", "support_tickets")):
        falls = _Model(lambda row, name=feature: 0.9 - 0.1 * (row[name] or 0), feature)  # type: ignore[misc]
        assert _ask(falls, HypotheticalEvent(kind, 0))[1]["change"] == 0  # type: ignore[arg-type]
        assert _ask_of(falls, CUSTOMER, {feature: 5.0})[1]["change"] == 0
        rises = _Model(lambda row, name=feature: 0.1 * (row[name] or 0), feature)  # type: ignore[misc]
        assert _ask(rises, HypotheticalEvent(kind, 0))[1]["change"] == 0.1  # type: ignore[arg-type]


def test_what_goes_against_intuition_and_is_not_held_is_told() -> None:
    spend = _Model(lambda row: 0.4 + (0.1 if (row["total_spent"] or 0) > 500 else 0), "total_spent")
    answer, compared = _ask(spend, total_spent=900.0)
    assert (answer["churn_probability"], compared["change"]) == (0.5, 0.1)
    assert compared["surprise"] == (
        "The risk rises, though one would expect the opposite. 900.00 spent so far (before: 200.00): this adds 10 "
        "points more to the risk than before."
    )
    regular = stored_customer(*(order(days_ago=days, value=10) for days in range(40, 160, 10)))
    assert str(_ask(spend, stored=regular, total_spent=900.0)[1]["surprise"]).endswith(
        "Who ordered every 10 days and is silent for 40 has more likely left than somebody who orders seldom."
    )
    fewer = _Model(lambda row: 0.1 * (row["total_orders"] or 0), "total_orders")
    _, compared = _ask(fewer, total_orders=2)
    assert compared["change"] == -0.2
    assert compared["surprise"] == (
        "The risk falls, though one would expect the opposite. 2 orders so far (before: 4): this adds 20 points fewer "
        "to the risk than before."
    )
    assert str(_ask(fewer, stored=regular, total_orders=2)[1]["surprise"]).endswith(
        "Who ordered every 10 days and is silent for 40 has more likely left than somebody who orders seldom."
    )
    # What is expected, or has no direction, is not told.
    assert (
        _ask(_Model(lambda row: 0.9 - 0.1 * (row["total_orders"] or 0), "total_orders"), total_orders=2)[1]["surprise"]
        is None
    )
    assert _ask(spend, discount_usage=0.5)[1]["surprise"] is None


def test_of_changes_in_opposite_directions_each_is_told_that_goes_against_its_own() -> None:
    silent = {"total_orders": 6.0, "days_since_last_order": 100.0}
    expected = _Model(lambda row: 0.2 + 0.001 * (row["days_since_last_order"] or 0), "days_since_last_order")
    assert _ask_of(expected, CUSTOMER, silent)[1]["surprise"] is None
    _, compared = _ask_of(_Model(lambda row: 0.05 * (row["total_orders"] or 0), "total_orders"), CUSTOMER, silent)
    assert [one["effect"] for one in compared["changes"]] == [0.05, 0.05]
    assert compared["surprise"] == (
        "6 orders so far (before: 4): this change alone raises the risk by 5 points, though one would expect the "
        "opposite."
    )


def test_the_way_to_a_longer_silence_holds_beside_other_changes_and_says_so() -> None:
    _, compared = _ask(_Model(_bump, "days_since_last_order"), days_since_last_order=150.0, total_orders=6.0)
    assert compared["surprise"] == "No answer lowers the risk for a longer silence; the model alone says 30%."
