"""Drift: PSI as its definition has it, verdicts that noise does not reach, and columns that broke."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.ml import drift
from churn.ml.arrays import Floats
from churn.ml.drift import Drift, compare, reference

# Few different values, so that bins with many of one value are usual.
_VALUES = st.lists(
    st.integers(-3, 12).map(float) | st.just(math.nan) | st.floats(-1e6, 1e6), min_size=1, max_size=80
).map(np.array)


def _compared(before: Floats, now: Floats, **more: Any) -> Drift:
    """Return a column beside itself of earlier, while the score stays as it was."""
    then = reference({"column": before}, np.full(len(before), 0.5))
    (_, result) = compare(then, {"column": now}, np.full(len(now), 0.5), **more)
    return result


@given(_VALUES)
def test_what_has_not_changed_is_stable(values: Floats) -> None:
    result = _compared(values, values)
    assert result.psi == pytest.approx(0, abs=1e-12)
    assert result.verdict == "stable"
    assert result.missing == pytest.approx(result.missing_before)


@given(_VALUES, _VALUES, st.randoms(use_true_random=False))
def test_psi_is_never_negative_and_knows_no_order_and_no_unit(before: Floats, now: Floats, chance: Any) -> None:
    result = _compared(before, now)
    assert result.psi >= 0
    shuffled = now.copy()
    chance.shuffle(shuffled)
    assert _compared(before, shuffled) == result
    assert _compared(before * 4, now * 4).psi == pytest.approx(result.psi)


@given(_VALUES, _VALUES)
def test_the_reference_is_the_same_from_json(before: Floats, now: Floats) -> None:
    then = reference({"column": before}, np.linspace(0, 1, len(before)))
    again = json.loads(json.dumps(then, allow_nan=False))
    score = np.linspace(0, 1, len(now))
    assert compare(again, {"column": now}, score) == compare(then, {"column": now}, score)
    assert sum(then["columns"]["column"]["shares"]) + then["columns"]["column"]["missing"] == pytest.approx(1)


def test_psi_is_its_definition() -> None:
    before = np.repeat(np.arange(10.0), 10_000)
    shares = np.array([4, 7, 9, 10, 10, 11, 11, 12, 13, 13]) / 100
    now = np.repeat(np.arange(10.0), (shares * 100_000).astype(int))
    assert _compared(before, now).psi == pytest.approx(np.sum((shares - 0.1) * np.log(shares / 0.1)), rel=1e-3)


def test_the_missing_are_a_bin_of_their_own() -> None:
    random = np.random.default_rng(1)
    before, now = random.random((2, 20_000))
    now[random.random(20_000) < 0.15] = np.nan
    result = _compared(before, now, importance={"column": 1.0})
    assert result.psi > 0.5
    assert result.verdict == "drifted"
    assert (result.missing_before, round(result.missing, 2)) == (0, 0.15)


def test_without_a_change_psi_is_chi_squared_and_noise_is_not_called_a_change() -> None:
    random = np.random.default_rng(2)
    n, m = 4000, 1000
    results = [_compared(*np.split(random.gamma(1.5, 30, n + m), [n])) for _ in range(400)]
    assert np.mean([result.psi for result in results]) == pytest.approx((1 / n + 1 / m) * 9, rel=0.1)
    assert sum(result.psi > result.noise for result in results) <= 2
    # So few customers give a high PSI by chance alone.
    few = [_compared(random.random(2000), random.random(30)) for _ in range(200)]
    assert max(result.psi for result in few) > drift.DRIFTED
    assert {result.verdict for result in few} == {"stable"}


def test_a_change_needs_an_effect_to_be_drift() -> None:
    random = np.random.default_rng(3)
    before, now = random.normal(size=(2, 5000))
    now += 0.8
    assert _compared(before, now).verdict == "shifted"
    assert _compared(before, now, importance={"column": 0.02, "another": 0.98}).verdict == "shifted"
    result = _compared(before, now, importance={"column": 0.2, "another": 0.3})
    assert result.verdict == "drifted"
    assert result.importance == pytest.approx(0.4)
    assert _compared(before, before + 0.4, importance={"column": 1.0}).verdict == "shifted"

    then = reference({"column": before}, random.beta(2, 5, 5000))
    score, column = compare(then, {"column": now, "unknown to it": now}, random.beta(3, 3, 5000))
    assert (score.column, score.verdict, score.importance) == ("score", "drifted", None)
    assert column.verdict == "drifted"


def test_a_column_that_turns_missing_or_constant_is_an_incident_at_once() -> None:
    random = np.random.default_rng(4)
    before = random.poisson(2.0, 5000).astype(float)
    gone = np.where(random.random(5000) < 0.25, np.nan, random.permutation(before))
    assert _compared(before, gone).verdict == "turned_missing"
    assert _compared(gone, before).verdict != "turned_missing"
    assert _compared(before, np.full(5000, np.nan)).verdict == "turned_missing"
    assert _compared(before, np.zeros(5000)).verdict == "turned_constant"
    assert _compared(np.zeros(5000), np.zeros(400)).verdict == "stable"
    # All the same by chance: nine in ten were 0 before.
    rare = np.where(np.arange(5000) % 10 == 0, 1.0, 0.0)
    assert _compared(rare, np.zeros(20)).verdict == "stable"
    assert _compared(rare, np.zeros(2000)).verdict == "turned_constant"
    # Three customers without a value are no incident.
    assert _compared(before, np.array([1.0, 2.0, np.nan])).verdict == "stable"


def test_a_constant_that_becomes_another_is_seen() -> None:
    assert _compared(np.full(2000, 5.0), np.full(2000, 3.0), importance={"column": 1}).verdict == "drifted"
    assert _compared(np.full(2000, 5.0), np.full(2000, 7.0), importance={"column": 1}).verdict == "drifted"


def test_without_customers_or_a_column_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="no customers"):
        reference({}, np.empty(0))
    then = reference({"a": np.ones(3), "b": np.ones(3)}, np.ones(3))
    with pytest.raises(ValueError, match="no customers"):
        compare(then, {"a": np.ones(0), "b": np.ones(0)}, np.ones(0))
    with pytest.raises(ValueError, match="not given: b"):
        compare(then, {"a": np.ones(3)}, np.ones(3))
