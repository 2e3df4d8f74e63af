"""The forest's evaluation against scikit-learn's own, its calibration, contributions and file format."""

from __future__ import annotations

import contextlib
import io
import json
import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES, STATE_COLUMNS
from churn.domain.model import BrokenModelError
from churn.ml.arrays import Floats
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.random_forest import ChurnModel
from tests.support.forests import (
    PURCHASE_PROCESS,
    fitted_forest,
    metadata,
    random_features,
    reference,
    small_model,
    trees_of,
)


@lru_cache
def pair(with_derived: bool) -> tuple[Any, ChurnModel]:
    forest = fitted_forest(trees=50, with_derived=with_derived)
    return forest, ChurnModel.from_trees(trees_of(forest), metadata(with_derived=with_derived))


@lru_cache
def thresholds(with_derived: bool) -> dict[int, Floats]:
    forest, _ = pair(with_derived)
    found = [(tree.feature, tree.threshold) for tree in trees_of(forest)]
    # A threshold that parts the missing from all others is infinite.
    return {
        column: np.unique(np.concatenate([at[(of == column) & np.isfinite(at)] for of, at in found]))
        for column in range(len(FEATURE_NAMES))
    }


@pytest.mark.parametrize("with_derived", [False, True])
def test_a_hundred_thousand_rows_are_answered_as_by_scikit_learn(with_derived: bool) -> None:
    forest, model = pair(with_derived)
    rng = np.random.default_rng(2)
    features = random_features(100_000, seed=2)
    for column, values in thresholds(with_derived).items():
        on_threshold = rng.random(len(features)) < 0.2
        features[on_threshold, column] = rng.choice(values, on_threshold.sum())
    expected = forest.predict_proba(model.columns(features))[:, 1]
    assert np.abs(model.raw(features) - expected).max() < 1e-12

    extreme = rng.random(features.shape) < 0.05
    features[extreme] = rng.choice([np.inf, -np.inf, 1e300, -1e300, np.nan, 0.0], extreme.sum())
    expected = reference(trees_of(forest), model.columns(features))
    assert np.abs(model.raw(features) - expected).max() < 1e-12


@given(data=st.data(), with_derived=st.booleans())
@settings(max_examples=200)
def test_one_row_is_answered_as_by_scikit_learn(data: st.DataObject, with_derived: bool) -> None:
    forest, model = pair(with_derived)
    row = [
        data.draw(
            st.one_of(
                st.sampled_from(thresholds(with_derived)[column].tolist()),
                st.floats(allow_nan=True, allow_infinity=True),
                st.floats(0, 1000),
            )
        )
        for column in range(len(FEATURE_NAMES))
    ]
    features = np.array([row])
    expected = reference(trees_of(forest), model.columns(features))
    assert model.raw(features) == pytest.approx(expected, abs=1e-12)
    assert model.raw(np.vstack([features, features])) == pytest.approx(np.repeat(expected, 2), abs=1e-12)


def test_derived_columns_of_one_row_are_those_of_many() -> None:
    _, model = pair(True)
    features = random_features(5000, seed=3, missing=0.05)
    features[:50, FEATURE_NAMES.index("total_orders")] = 1
    features[50:60, FEATURE_NAMES.index("account_age_days")] = 0
    one_by_one = np.array([model.raw(row[None])[0] for row in features])
    assert np.abs(one_by_one - model.raw(features)).max() < 1e-12


def test_who_bought_once_and_long_ago_is_likelier_to_buy_nothing_than_a_regular_buyer() -> None:
    names = ("total_orders", "days_since_last_order", "account_age_days")
    rows = np.full((2, len(FEATURE_NAMES)), math.nan)
    for row, values in zip(rows, [(1, 200, 200), (12, 10, 365)], strict=True):
        for name, value in zip(names, values, strict=True):
            row[FEATURE_NAMES.index(name)] = value
    once, regular = derived(rows, PURCHASE_PROCESS)
    assert 0 < regular[2] < once[2] < 1
    assert math.isnan(once[0])
    assert regular[0] == pytest.approx(355 / 11)


@given(
    slope=st.floats(0.05, 20),
    slope_above=st.floats(0.05, 20),
    intercept=st.floats(-3, 3),
    raw=st.lists(st.integers(0, 10_000), min_size=2, max_size=20, unique=True),
)
def test_calibration_keeps_the_order_of_customers(
    slope: float, slope_above: float, intercept: float, raw: list[int]
) -> None:
    parameters = {"slope": slope, "slope_above": slope_above, "intercept": intercept}
    model = small_model().with_metadata(calibration=parameters)
    calibrated = model.calibrate(np.array(sorted(raw)) / 10_000)
    # A steep sigmoid saturates in floating point; it never turns round.
    assert (np.diff(calibrated) >= 0).all()
    if max(slope, slope_above) <= 2:
        assert (np.diff(calibrated) > 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_a_version_with_one_slope_is_calibrated_by_it_on_both_sides() -> None:
    raw = np.linspace(0, 1, 50)
    one = small_model().with_metadata(calibration={"slope": 1.4, "intercept": -0.3})
    both = small_model().with_metadata(calibration={"slope": 1.4, "slope_above": 1.4, "intercept": -0.3})
    assert (one.calibrate(raw) == both.calibrate(raw)).all()


def test_contributions_add_up_to_the_probability() -> None:
    model = small_model()
    rows = [
        {name: None if math.isnan(value) else value for name, value in zip(FEATURE_NAMES, row, strict=True)}
        for row in random_features(2000, seed=5).tolist()
    ]
    predictions = model.predict(rows)
    for prediction in predictions:
        assert list(prediction.contributions) == list(FEATURE_NAMES)
        total = prediction.base + math.fsum(prediction.contributions.values())
        assert total == pytest.approx(prediction.churn_probability, abs=1e-9)
        assert 0 <= prediction.confidence <= 1
        assert prediction.model_version == model.version
    alone = model.predict([rows[0]])[0]
    assert alone.churn_probability == pytest.approx(predictions[0].churn_probability, abs=1e-12)
    silent = np.corrcoef(
        [row["days_since_last_order"] or 0 for row in rows],
        [prediction.contributions["days_since_last_order"] for prediction in predictions],
    )
    assert silent[0, 1] > 0.5


def test_absent_none_and_nan_are_the_same_missing_value() -> None:
    model = small_model()
    absent, none, nan = model.predict([{}, dict.fromkeys(FEATURE_NAMES), dict.fromkeys(FEATURE_NAMES, math.nan)])
    assert absent == none == nan
    assert model.predict([]) == []


def test_a_written_model_is_read_as_it_was() -> None:
    model = small_model()
    again = ChurnModel.from_bytes(model.to_bytes())
    features = random_features(1000, seed=6)
    assert again.version == model.version
    assert again.version.startswith("2026-01-31T10-15-00Z-")
    assert again.metadata == model.metadata
    assert (again.raw(features) == model.raw(features)).all()


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_an_altered_model_is_refused_or_the_same(place: float, bit: int) -> None:
    model = small_model()
    content = bytearray(model.to_bytes())
    content[int(place * len(content))] ^= 1 << bit
    # Some bits of a zip archive mean nothing (time stamps); what is read must be what was written.
    with contextlib.suppress(BrokenModelError):
        assert ChurnModel.from_bytes(bytes(content)).checksum == model.checksum


@pytest.mark.parametrize("name", ["leaf_value", "threshold", "mask", "metadata"])
def test_exchanged_content_is_refused(name: str) -> None:
    with np.load(io.BytesIO(small_model().to_bytes()), allow_pickle=False) as archive:
        arrays = dict(archive)
    arrays[name] = arrays[name].copy()
    arrays[name][0] += 1
    with pytest.raises(BrokenModelError):
        ChurnModel.from_bytes(saved(arrays))


def test_bytes_that_are_no_model_are_refused() -> None:
    content = small_model().to_bytes()
    for wrong in (b"", b"not a model", content[: len(content) // 2], saved({"x": np.arange(3)})):
        with pytest.raises(BrokenModelError):
            ChurnModel.from_bytes(wrong)
    # A pickled object would run code of the file's choosing when it is read.
    pickled = io.BytesIO()
    np.savez(pickled, metadata=np.array([{"columns": []}], dtype=object))
    with pytest.raises(BrokenModelError):
        ChurnModel.from_bytes(pickled.getvalue())


def test_a_model_for_other_features_is_refused() -> None:
    with pytest.raises(BrokenModelError, match="other features"):
        small_model().with_metadata(columns=["shoe_size"])


def test_a_tree_with_more_leaves_than_bits_is_refused() -> None:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    rng = np.random.default_rng(1)
    tree = DecisionTreeClassifier(random_state=1).fit(rng.random((2000, 12)), rng.random(2000) < 0.5)
    with pytest.raises(ValueError, match="64 leaves"):
        ChurnModel.from_trees([tree.tree_], metadata(with_derived=False))


def test_trees_without_a_split_give_the_base_rate() -> None:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    rng = np.random.default_rng(1)
    stump = RandomForestClassifier(3, max_depth=1, min_samples_leaf=300, random_state=1)
    stump.fit(np.full((400, 12), np.nan), rng.random(400) < 0.5)
    model = ChurnModel.from_trees(trees_of(stump), metadata(with_derived=False))
    assert model.raw(random_features(5)) == pytest.approx(reference(trees_of(stump), random_features(5)))
    assert model.predict([{}])[0].churn_probability == pytest.approx(model.base)


def test_metadata_is_plain_json() -> None:
    with np.load(io.BytesIO(small_model().to_bytes()), allow_pickle=False) as archive:
        assert json.loads(archive["metadata"].tobytes())["columns"][0] == "total_orders"


def saved(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def test_a_forest_of_fewer_columns_answers_the_same_whatever_else_is_told() -> None:
    older = ["days_between_orders", "silence_in_gaps", "no_order_probability"]
    forest = fitted_forest(trees=10)
    features = random_features(300, seed=5)
    kept = [*range(len(FEATURE_NAMES)), *(len(FEATURE_NAMES) + DERIVED_COLUMNS.index(name) for name in older)]
    columns = np.hstack([features, derived(features, PURCHASE_PROCESS)])[:, kept]
    forest.fit(columns, forest.predict(np.hstack([features, derived(features, PURCHASE_PROCESS)])))
    model = ChurnModel.from_trees(trees_of(forest), {**metadata(), "columns": [*FEATURE_NAMES, *older]})
    assert model.raw(features) == pytest.approx(forest.predict_proba(columns)[:, 1], abs=1e-12)
    told = np.hstack([features, np.full((300, len(STATE_COLUMNS)), 7.0)])
    assert (model.raw(told) == model.raw(features)).all()
    assert model.raw(told[:1]) == pytest.approx(model.raw(features)[:1], abs=1e-12)


def test_state_columns_are_asked_for_and_missing_where_the_twelve_alone_are_told() -> None:
    rng = np.random.default_rng(8)
    inputs = np.hstack([random_features(2000, seed=6), rng.gamma(1, 50, (2000, len(STATE_COLUMNS)))])
    columns = np.hstack([inputs, derived(inputs, PURCHASE_PROCESS)])
    churned = inputs[:, len(FEATURE_NAMES)] > 40
    masked = columns.copy()
    masked[:, len(FEATURE_NAMES) : len(INPUT_NAMES)] = np.nan
    forest = RandomForestClassifier(10, max_leaf_nodes=64, random_state=1).fit(
        np.vstack([columns, masked]), np.tile(churned, 2)
    )
    model = ChurnModel.from_trees(trees_of(forest), {**metadata(), "columns": [*INPUT_NAMES, *DERIVED_COLUMNS]})
    assert model.raw(inputs) == pytest.approx(forest.predict_proba(columns)[:, 1], abs=1e-12)
    twelve = inputs[:, : len(FEATURE_NAMES)]
    assert model.raw(twelve) == pytest.approx(forest.predict_proba(masked)[:, 1], abs=1e-12)
    assert model.raw(twelve[:1]) == pytest.approx(model.raw(twelve)[:1], abs=1e-12)
    rows = [dict(zip(INPUT_NAMES, row, strict=True)) for row in inputs[:50].tolist()]
    for prediction, probability in zip(model.predict(rows), model.probabilities(rows), strict=True):
        assert prediction.base + sum(prediction.contributions.values()) == pytest.approx(prediction.churn_probability)
        assert prediction.churn_probability == pytest.approx(probability, abs=1e-12)
