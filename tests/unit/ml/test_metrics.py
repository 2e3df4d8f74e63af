"""The figures of a model, what they are expected to be, and the intervals around them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.ml import metrics as ml_metrics
from churn.ml.arrays import Flags, Floats

Rows = list[tuple[float, bool]]
# Few different values, so that ties are usual.
_ROWS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=2, max_size=60)
_BOTH_KINDS = _ROWS.filter(lambda rows: len({churned for _, churned in rows}) == 2)


def _arrays(rows: Rows) -> tuple[Floats, Flags]:
    return np.array([p for p, _ in rows]), np.array([churned for _, churned in rows])


@given(_ROWS)
def test_where_all_are_of_one_kind_what_compares_two_is_not_a_number(rows: Rows) -> None:
    p, _ = _arrays(rows)
    figures = ml_metrics.measure(p, np.ones(len(p), dtype=bool))
    assert math.isnan(figures["auc"])
    assert math.isnan(figures["brier_skill"])
    assert figures["top_decile_lift"] == 1
    assert ml_metrics.measure(p, np.zeros(len(p), dtype=bool)).keys() == ml_metrics.MEASURES.keys()


@given(st.lists(st.integers(1, 19).map(lambda n: n / 20), min_size=2, max_size=8))
def test_what_is_expected_is_the_mean_over_all_that_may_happen(values: list[float]) -> None:
    p = np.array(values)
    chances: list[float] = []
    possible: list[dict[str, float]] = []
    for happened in itertools.product([False, True], repeat=len(p)):
        churned = np.array(happened)
        chances.append(float(np.prod(np.where(churned, p, 1 - p))))
        possible.append({name: ml_metrics.MEASURES[name](p, churned) for name in ("accuracy", "brier", "log_loss")})
    expected = ml_metrics.expected(p)
    for name in ("accuracy", "brier", "log_loss"):
        assert expected[name] == pytest.approx(sum(c * f[name] for c, f in zip(chances, possible, strict=True)))
    # The chance that of a churner and a stayer, drawn as likely as they are, the churner has the higher probability.
    pairs = [(a * (1 - b), 1.0 if a > b else 0.5 * (a == b)) for a, b in itertools.product(values, values)]
    assert expected["auc"] == pytest.approx(sum(w * right for w, right in pairs) / sum(w for w, _ in pairs))


def test_what_calibrated_probabilities_let_expect_comes_about() -> None:
    random = np.random.default_rng(8)
    p = random.beta(2, 3, 50_000)
    churned = random.random(50_000) < p
    realised = ml_metrics.measure(p, churned)
    for name, value in ml_metrics.expected(p).items():
        assert realised[name] == pytest.approx(value, rel=0.02), name
    # Of probabilities that are too sure of themselves it promises too much.
    sure = np.clip(0.5 + 2 * (p - 0.5), 0.01, 0.99)
    assert ml_metrics.expected(sure)["auc"] > ml_metrics.roc_auc(sure, churned) + 0.05


def test_calibrated_probabilities_have_a_small_error_and_others_a_large_one() -> None:
    random = np.random.default_rng(3)
    p = random.random(50_000)
    churned = random.random(50_000) < p
    assert ml_metrics.calibration_error(p, churned) < 0.02
    assert ml_metrics.calibration_error(p**2, churned) > 0.1
    curve = ml_metrics.reliability(p, churned)
    assert [point["count"] for point in curve] == [5000] * 10
    assert all(abs(point["predicted"] - point["observed"]) < 0.03 for point in curve)


def test_the_deciles_capture_all_in_the_end() -> None:
    p = np.linspace(0, 1, 100)
    churned = p > 0.895
    tenths = ml_metrics.deciles(p, churned)
    assert tenths[0]["capture"] == pytest.approx(10 / 11)
    assert tenths[0]["lift"] == pytest.approx(ml_metrics.top_decile_lift(p, churned)) == pytest.approx(100 / 11)
    assert tenths[-1] == {"share": 1.0, "lift": 1.0, "capture": 1.0}


def test_the_interval_holds_the_figure_and_that_of_a_difference_tells_a_better_model() -> None:
    random = np.random.default_rng(5)
    p = random.random(2000)
    churned = random.random(2000) < p
    noise = random.random(2000)
    intervals = ml_metrics.bootstrap({"good": p, "noise": noise}, churned, rounds=100)
    low, high = intervals["good"]["auc"]
    assert low < ml_metrics.roc_auc(p, churned) < high
    assert intervals == ml_metrics.bootstrap({"good": p, "noise": noise}, churned, rounds=100)
    difference = ml_metrics.bootstrap_difference(p, noise, churned, rounds=100)
    assert difference["auc"][0] > 0.2
    assert difference["brier"][1] < 0
    assert ml_metrics.bootstrap_difference(p, p, churned, rounds=20)["auc"] == (0, 0)


def test_intervals_beside_a_first_model_are_those_of_each_and_of_the_differences() -> None:
    random = np.random.default_rng(6)
    p = random.random(500)
    churned = random.random(500) < p
    models = {"good": p, "noise": random.random(500)}
    intervals, differences = ml_metrics.bootstrap_beside(models, "good", churned, rounds=50)
    assert intervals == ml_metrics.bootstrap(models, churned, rounds=50)
    assert differences == {"noise": ml_metrics.bootstrap_difference(p, models["noise"], churned, rounds=50)}


@given(_BOTH_KINDS, st.data())
def test_a_weight_is_a_repeated_customer(rows: Rows, data: st.DataObject) -> None:
    p, churned = _arrays(rows)
    weights = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows))))
    weighted = ml_metrics.measure(p, churned, weights.astype(float))
    repeated = ml_metrics.measure(np.repeat(p, weights), np.repeat(churned, weights))
    assert weighted == pytest.approx(repeated)


def test_the_profit_of_a_campaign_is_nought_where_nobody_leaves_and_largest_with_the_truth() -> None:
    churned = np.arange(1000) < 300
    truth, blind = churned.astype(float), np.full(1000, 0.3)
    assert ml_metrics.expected_maximum_profit(truth, churned) == pytest.approx(0.3 * (0.3 * 190 - 1))
    assert ml_metrics.expected_maximum_profit(truth, churned) > ml_metrics.expected_maximum_profit(blind, churned) > 0
    assert ml_metrics.expected_maximum_profit(blind, np.zeros(1000, dtype=bool)) == 0
