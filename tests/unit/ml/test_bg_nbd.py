"""The purchase process: its formula, its predictions with their uncertainty and contributions, and its artifact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.features import FEATURE_NAMES
from churn.domain.model import BrokenModelError, Prediction, kind_of
from churn.ml.bg_nbd import PARAMETERS, PurchaseModel, no_order_probability
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.support.forests import small_model

_TRUTH = {"r": 1.0, "alpha": 60.0, "a": 0.8, "b": 2.5}


@lru_cache
def model(spread: float = 0.1) -> PurchaseModel:
    centre = np.log([_TRUTH[name] for name in PARAMETERS])
    draws = np.exp(np.random.default_rng(1).normal(centre, spread, (64, 4)))
    return PurchaseModel.from_draws(
        draws, np.array([3.0, 40.0, 200.0]), {"horizon_days": 90, "trained_at": "2026-01-31T10:15:00Z"}
    )


def test_the_formula_is_what_happens_to_simulated_customers() -> None:
    random = np.random.default_rng(7)
    count, horizon = 200_000, 90.0
    rate = random.gamma(_TRUTH["r"], 1 / _TRUTH["alpha"], count)
    leaving = random.beta(_TRUTH["a"], _TRUTH["b"], count)
    orders, last, at = np.ones(count), np.zeros(count), np.zeros(count)
    active, age = np.ones(count, dtype=bool), 200.0
    silent = np.ones(count, dtype=bool)
    # The first order drops nobody out; after each later one a customer may.
    while active.any():
        at = at + random.exponential(1 / rate)
        seen, after = active & (at <= age), active & (at > age) & (at <= age + horizon)
        silent &= ~after
        orders, last = orders + seen, np.where(seen, at, last)
        active = seen & (random.random(count) >= leaving)
    expected = no_order_probability(orders, age - last, age, [_TRUTH[name] for name in PARAMETERS], horizon)
    for number in (1, 2, 3, 5):
        here = orders == number
        assert expected[here].mean() == pytest.approx(silent[here].mean(), abs=4 * math.sqrt(0.25 / here.sum()))
    riskiest = expected > np.quantile(expected, 0.8)
    assert expected[riskiest].mean() == pytest.approx(silent[riskiest].mean(), abs=0.01)


_ROW = st.fixed_dictionaries(
    {},
    optional={
        "total_orders": st.none() | st.integers(0, 500).map(float),
        "days_since_last_order": st.none() | st.floats(0, 5000),
        "account_age_days": st.none() | st.floats(0, 5000),
        "support_tickets": st.none() | st.floats(0, 9),
    },
)


@given(st.lists(_ROW, min_size=1, max_size=8))
def test_every_customer_has_a_probability_an_interval_and_reasons_that_add_up(
    rows: list[dict[str, float | None]],
) -> None:
    predictions = model().predict(rows)
    assert model().probabilities(rows) == [prediction.churn_probability for prediction in predictions]
    for prediction in predictions:
        low, high = prediction.interval or (math.nan, math.nan)
        assert 0 <= low <= prediction.churn_probability + 0.05
        assert low <= high <= 1
        assert prediction.confidence == pytest.approx(1 - (high - low))
        assert prediction.base + sum(prediction.contributions.values()) == pytest.approx(
            prediction.churn_probability, abs=1e-9
        )
        assert prediction.contributions.keys() == set(FEATURE_NAMES)
        assert (prediction.model_kind, prediction.model_version) == ("purchase_process", model().version)


def predict(row: Mapping[str, float | None], of: PurchaseModel | None = None) -> Prediction:
    (prediction,) = (of or model()).predict([row])
    return prediction


def test_silence_raises_the_risk_and_less_knowledge_the_uncertainty() -> None:
    loyal = {"total_orders": 10.0, "days_since_last_order": 10.0, "account_age_days": 300.0}
    silent = loyal | {"days_since_last_order": 150.0}
    assert predict(loyal).churn_probability < 0.3
    assert predict(silent).churn_probability > 0.6
    assert predict(silent).contributions["days_since_last_order"] > 0.2
    assert predict(silent, model(0.4)).confidence < predict(silent).confidence
    nobody = predict({})
    assert nobody.churn_probability == pytest.approx(nobody.base)
    assert model().predict([]) == []
    assert model().probabilities([]) == []


def test_a_written_model_is_read_as_what_it_was() -> None:
    again = read_model(model().to_bytes())
    assert isinstance(again, PurchaseModel)
    assert (again.version, again.metadata) == (model().version, model().metadata)
    assert kind_of(again.metadata) == "purchase_process"
    row = {"total_orders": 2.0, "days_since_last_order": 60.0, "account_age_days": 100.0}
    assert predict(row, again) == predict(row)
    forest = read_model(small_model().to_bytes())
    assert isinstance(forest, ChurnModel)
    assert kind_of(forest.metadata) == "random_forest"
    assert again.with_metadata(source="history").version != again.version


def test_what_is_no_purchase_process_is_refused() -> None:
    content = model().to_bytes()
    for broken in (b"", content[:-100], content.replace(b"horizon", b"horizom")):
        with pytest.raises(BrokenModelError):
            read_model(broken)
    with pytest.raises(BrokenModelError):
        PurchaseModel.from_draws(np.ones((4, 3)), np.ones(3), model().metadata)
