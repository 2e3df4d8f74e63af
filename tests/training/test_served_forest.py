"""The forest that serves, against scikit-learn's own answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES, STATE_COLUMNS
from churn.ml.arrays import Floats
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.random_forest import ChurnModel
from tests.support.forests import (
    PURCHASE_PROCESS,
    fitted_forest,
    metadata,
    random_features,
    reference,
    trees_of,
)


@lru_cache
def pair(with_derived: bool) -> tuple[Any, ChurnModel]:
    forest = fitted_forest(trees=50, with_derived=with_derived)
    return forest, ChurnModel.from_trees(trees_of(forest), metadata(with_derived=with_derived))


@lru_cache
def thresholds(with_derived: bool) -> dict[int, Floats]:
    forest, _ = pair(with_derived)
    splits = [(tree.feature, tree.threshold) for tree in trees_of(forest)]
    # A threshold that parts the missing from all others is infinite.
    return {
        column: np.unique(np.concatenate([at[(of == column) & np.isfinite(at)] for of, at in splits]))
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


def test_a_tree_with_more_leaves_than_bits_is_refused() -> None:
    rng = np.random.default_rng(1)
    tree = DecisionTreeClassifier(random_state=1).fit(rng.random((2000, 12)), rng.random(2000) < 0.5)
    with pytest.raises(ValueError, match="64 leaves"):
        ChurnModel.from_trees([tree.tree_], metadata(with_derived=False))


def test_trees_without_a_split_give_the_base_rate() -> None:
    rng = np.random.default_rng(1)
    stump = RandomForestClassifier(3, max_depth=1, min_samples_leaf=300, random_state=1)
    stump.fit(np.full((400, 12), np.nan), rng.random(400) < 0.5)
    model = ChurnModel.from_trees(trees_of(stump), metadata(with_derived=False))
    assert model.raw(random_features(5)) == pytest.approx(reference(trees_of(stump), random_features(5)))
    assert model.predict([{}])[0].churn_probability == pytest.approx(model.base)


def test_a_forest_of_fewer_columns_answers_the_same_whatever_else_is_told() -> None:
    older = ["days_between_orders", "silence_in_gaps", "no_order_probability"]
    forest = fitted_forest(trees=10)
    features = random_features(300, seed=5)
    kept = [*range(len(FEATURE_NAMES)), *(len(FEATURE_NAMES) + DERIVED_COLUMNS.index(name) for name in older)]
    columns = np.hstack([features, derived(features, PURCHASE_PROCESS)])[:, kept]
    forest.fit(columns, forest.predict(np.hstack([features, derived(features, PURCHASE_PROCESS)])))
    model = ChurnModel.from_trees(trees_of(forest), {**metadata(), "columns": [*FEATURE_NAMES, *older]})
    assert model.raw(features) == pytest.approx(forest.predict_proba(columns)[:, 1], abs=1e-12)
    with_state = np.hstack([features, np.full((300, len(STATE_COLUMNS)), 7.0)])
    assert (model.raw(with_state) == model.raw(features)).all()
    assert model.raw(with_state[:1]) == pytest.approx(model.raw(features)[:1], abs=1e-12)


def test_state_columns_are_asked_for_and_missing_where_the_twelve_alone_are_told() -> None:
    rng = np.random.default_rng(8)
    inputs = np.hstack([random_features(2000, seed=6), rng.gamma(1, 50, (2000, len(STATE_COLUMNS)))])
    columns = np.hstack([inputs, derived(inputs, PURCHASE_PROCESS)])
    churned = inputs[:, len(FEATURE_NAMES)] > 40
    unknown = inputs.copy()
    unknown[:, len(FEATURE_NAMES) :] = np.nan
    masked = np.hstack([unknown, derived(unknown, PURCHASE_PROCESS)])
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
