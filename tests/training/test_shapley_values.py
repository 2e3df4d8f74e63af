"""The forest's Shapley values, against the shap package and against their definition."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from churn.domain.features import FEATURE_NAMES
from churn.ml.arrays import Floats
from churn.ml.random_forest import ChurnModel
from tests.support.forests import fitted_forest, metadata, random_features, trees_of


@lru_cache
def pair(with_derived: bool) -> tuple[Any, ChurnModel]:
    forest = fitted_forest(trees=30, with_derived=with_derived)
    return forest, ChurnModel.from_trees(trees_of(forest), metadata(with_derived=with_derived))


def by_shap(forest: Any, columns: Floats) -> Floats:
    import shap  # noqa: PLC0415 (slow to import)

    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    # In float32, as the forest itself compares.
    values: Floats = explainer.shap_values(columns.astype(np.float32).astype(float), check_additivity=False)[..., 1]
    return values


def on_thresholds(forest: Any, features: Floats) -> Floats:
    """Return the features with every third value put on a threshold of its column."""
    rng = np.random.default_rng(4)
    for column in range(len(FEATURE_NAMES)):
        thresholds = np.concatenate([tree.threshold[tree.feature == column] for tree in trees_of(forest)])
        here = rng.random(len(features)) < 1 / 3
        features[here, column] = rng.choice(thresholds[np.isfinite(thresholds)], here.sum())
    return features


@pytest.mark.parametrize("with_derived", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.6, 1.0])
def test_values_are_those_of_the_shap_package(with_derived: bool, missing: float) -> None:
    forest, model = pair(with_derived)
    features = random_features(200, seed=8, missing=missing)
    if missing < 1:
        features = on_thresholds(forest, features)
        features[np.random.default_rng(5).random(features.shape) < missing] = np.nan
    values = model.shapley(features)
    assert np.abs(values - by_shap(forest, model.columns(features))).max() < 1e-9
    one_by_one = np.vstack([model.shapley(row[None]) for row in features[:20]])
    assert np.abs(one_by_one - values[:20]).max() < 1e-12


def test_values_outside_all_that_training_saw() -> None:
    forest, model = pair(True)
    features = random_features(200, seed=9)
    extreme = np.random.default_rng(3).random(features.shape) < 0.2
    # The shap package itself knows no infinity.
    features[extreme] = np.random.default_rng(4).choice([-1e30, 1e30, 0.0, -0.0], extreme.sum())
    assert np.abs(model.shapley(features) - by_shap(forest, model.columns(features))).max() < 1e-9
    features[extreme] = np.inf
    surplus = model.raw(features) - model.shapley(features).sum(axis=1)
    assert np.ptp(surplus) < 1e-12


def test_values_are_the_mean_over_all_orders_in_which_columns_become_known() -> None:
    forest = fitted_forest(trees=3, with_derived=False)
    model = ChurnModel.from_trees(trees_of(forest), metadata(with_derived=False))
    row = random_features(1, seed=12, missing=0.2)
    inputs = row[0].astype(np.float32)
    n = len(inputs)

    def expected(tree: Any, known: frozenset[int], node: int = 0) -> float:
        left, right = tree.children_left[node], tree.children_right[node]
        if left == right:
            return float(tree.value[node, 0, 1] / tree.value[node, 0].sum())
        column = tree.feature[node]
        if column not in known:
            weight = tree.weighted_n_node_samples
            return float(
                weight[left] * expected(tree, known, left) + weight[right] * expected(tree, known, right)
            ) / float(weight[node])
        to_left = tree.missing_go_to_left[node] if np.isnan(inputs[column]) else inputs[column] <= tree.threshold[node]
        return expected(tree, known, left if to_left else right)

    worth = {
        known: np.mean([expected(tree, known) for tree in trees_of(forest)])
        for size in range(n + 1)
        for known in map(frozenset, itertools.combinations(range(n), size))
    }
    values = [
        math.fsum(
            (worth[known | {column}] - worth[known]) / (n * math.comb(n - 1, len(known)))
            for known in worth
            if column not in known
        )
        for column in range(n)
    ]
    assert model.shapley(row)[0] == pytest.approx(values, abs=1e-12)
