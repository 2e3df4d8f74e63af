"""The simulated shop's truth is known: probabilities are true there, and no model could order customers much better."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import chain

import numpy as np
import pytest

from churn.domain.customer import CustomerState, observed_kinds
from churn.domain.features import Inputs, inputs_at
from churn.domain.timestamps import to_millis
from churn.ml.metrics import calibration_error, roc_auc
from churn.training import Plan, train
from infra.tools.simulator import SimulatedCustomer, hazard_churn_probability, sample_histories, simulate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = NOW - timedelta(days=548)
PLAN = Plan(search=False)
CUT_OFF = NOW - timedelta(days=PLAN.horizon_days)
HELD_OUT = 20_000
_PART = 1000

Held = tuple[Inputs, float, bool]


def held_out(part: int) -> list[Held]:
    """Return some customers' inputs, their probability given rate and hazard, and whether they churned."""
    customers = (
        _held(customer) for customer in simulate(_PART, seed=1000 + part, start=START, end=NOW, prefix=f"{part}-")
    )
    return [held for held in customers if held is not None]


def _held(customer: SimulatedCustomer) -> Held | None:
    state = CustomerState()
    later = []
    for event in customer.events:
        if event.timestamp < CUT_OFF:
            state.apply(event)
        else:
            later.append(event)
    at = to_millis(CUT_OFF)
    if not state.is_eligible(at, PLAN.lookback_days):
        return None
    inputs = inputs_at(state, CUT_OFF, _OBSERVED)
    for event in later:
        state.apply(event)
    churned = not state.ordered_between(at, to_millis(NOW))
    return inputs, hazard_churn_probability(customer, CUT_OFF, PLAN.horizon_days), churned


_OBSERVED = dict.fromkeys(
    observed_kinds(chain.from_iterable(customer.events for customer in simulate(100, seed=1, start=START, end=NOW))),
    to_millis(START),
)


@pytest.mark.slow
def test_probabilities_are_true_and_the_order_is_nearly_the_best_on_twenty_thousand_customers() -> None:
    model = train(sample_histories(6000, now=NOW, seed=9), now=NOW, plan=PLAN, source="sample").model
    with ProcessPoolExecutor(2) as pool:
        customers = list(chain.from_iterable(pool.map(held_out, range(33))))[:HELD_OUT]
    assert len(customers) == HELD_OUT
    predicted = np.array(model.probabilities([inputs for inputs, _, _ in customers]))
    best = np.array([probability for _, probability, _ in customers])
    churned = np.array([churned for _, _, churned in customers])
    print(f"ECE {calibration_error(predicted, churned):.4f}, AUC {roc_auc(predicted, churned):.4f}")
    print(f"who knows the hazard: ECE {calibration_error(best, churned):.4f}, AUC {roc_auc(best, churned):.4f}")
    assert calibration_error(predicted, churned) <= 0.02
    assert roc_auc(predicted, churned) > roc_auc(best, churned) - 0.02
