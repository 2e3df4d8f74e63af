"""Small forests for tests: fitted by scikit-learn, with its own answer for them, or grown at random without it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES, STATE_COLUMNS
from churn.ml.arrays import Flags, Floats, Integers
from churn.ml.blend import PARTS, BlendedModel
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.random_forest import ChurnModel

PURCHASE_PROCESS = {"r": 0.5, "alpha": 50.0, "a": 0.8, "b": 2.5, "horizon_days": 90.0}
_PLACE = {name: number for number, name in enumerate(FEATURE_NAMES)}


def random_features(rows: int, seed: int = 1, missing: float = 0.1) -> Floats:
    """Return plausible customers, shape (rows, 12), some values missing."""
    rng = np.random.default_rng(seed)
    features = rng.gamma(1.0, 50.0, (rows, len(FEATURE_NAMES)))
    features[:, _PLACE["total_orders"]] = rng.integers(1, 30, rows)
    age = features[:, _PLACE["days_since_last_order"]] + rng.gamma(1.0, 100.0, rows)
    features[:, _PLACE["account_age_days"]] = age
    for share in ("email_engagement", "discount_usage"):
        features[:, _PLACE[share]] = rng.random(rows)
    features[rng.random(features.shape) < missing] = np.nan
    return features


def fitted_forest(*, trees: int, rows: int = 4000, with_derived: bool = True, seed: int = 1) -> Any:
    """Return a scikit-learn forest of at most 64 leaves a tree, fitted to customers who leave after a long silence."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 (seconds to import)

    columns, churned = _customers(rows, seed, with_derived=with_derived)
    forest = RandomForestClassifier(trees, max_leaf_nodes=64, min_samples_leaf=20, random_state=seed, n_jobs=1)
    return forest.fit(columns, churned)


def _customers(rows: int, seed: int, *, with_derived: bool) -> tuple[Floats, Flags]:
    """Return the columns of customers who leave after a long silence, and who left."""
    features = random_features(rows, seed)
    rng = np.random.default_rng(seed)
    silence = np.nan_to_num(features[:, _PLACE["days_since_last_order"]], nan=50)
    orders = np.nan_to_num(features[:, _PLACE["total_orders"]], nan=10)
    churned = rng.random(rows) < 1 / (1 + np.exp(-(silence / 40 - orders / 10)))
    columns = np.hstack([features, derived(features, PURCHASE_PROCESS)]) if with_derived else features
    return columns, churned


class RandomTree:
    """A tree of at most 32 leaves whose splits are drawn at random, with the arrays of a fitted tree."""

    def __init__(self, columns: Floats, churned: Flags, rng: np.random.Generator) -> None:
        self._columns, self._churned, self._rng = columns, churned, rng
        self._nodes: list[list[Any]] = []
        self._grow(np.arange(len(churned)), depth=5)
        left, right, feature, threshold, missing_left, value, weight = zip(*self._nodes, strict=True)
        self.children_left, self.children_right = np.array(left), np.array(right)
        self.feature, self.threshold = np.array(feature), np.array(threshold)
        self.missing_go_to_left = np.array(missing_left)
        self.value, self.weighted_n_node_samples = np.array(value)[:, None], np.array(weight)

    def _grow(self, rows: Integers, depth: int) -> int:
        churned = float(self._churned[rows].mean())
        number = len(self._nodes)
        self._nodes.append([-1, -1, -2, -2.0, 0, [1 - churned, churned], float(len(rows))])
        column = int(self._rng.integers(self._columns.shape[1]))
        values = self._columns[rows, column]
        finite = values[np.isfinite(values)]
        if depth and len(finite):
            threshold, missing_left = float(self._rng.choice(finite)), int(self._rng.integers(2))
            to_left = np.where(np.isnan(values), missing_left, values <= threshold).astype(np.bool_)
            if min(to_left.sum(), (~to_left).sum()) >= 20:
                left, right = self._grow(rows[to_left], depth - 1), self._grow(rows[~to_left], depth - 1)
                self._nodes[number][:5] = left, right, column, threshold, missing_left
        return number


def metadata(
    *, with_derived: bool = True, with_state: bool = False, slope: float = 1.3, intercept: float = -0.2
) -> dict[str, Any]:
    derived_columns = DERIVED_COLUMNS if with_derived else ()
    return {
        "columns": [*FEATURE_NAMES, *derived_columns, *(STATE_COLUMNS if with_state else ())],
        "calibration": {"slope": slope, "intercept": intercept},
        "purchase_process": PURCHASE_PROCESS,
        "trained_at": "2026-01-31T10:15:00Z",
    }


def trees_of(forest: Any) -> list[Any]:
    return [estimator.tree_ for estimator in forest.estimators_]


def reference(trees: Iterable[Any], columns: Floats) -> Floats:
    """Return the mean of scikit-learn's own trees, also for infinite inputs, which `predict_proba` refuses."""
    with np.errstate(over="ignore"):
        inputs = columns.astype(np.float32)
    answers = [tree.predict(inputs) for tree in trees]
    mean: Floats = np.mean([answer[:, 1] / answer.sum(axis=1) for answer in answers], axis=0)
    return mean


@lru_cache
def small_model(seed: int = 1) -> ChurnModel:
    """Return a model of 20 random trees."""
    return ChurnModel.from_trees(random_trees(20, seed), metadata())


@lru_cache
def state_model(seed: int = 1) -> ChurnModel:
    """Return a model of 20 random trees that is told all inputs, also those that only the stored orders tell."""
    features, churned = _customers(4000, seed, with_derived=False)
    rng = np.random.default_rng(seed)
    columns = np.hstack([features, rng.gamma(1.0, 50.0, (len(features), len(STATE_COLUMNS)))])
    described = metadata(with_derived=False) | {"columns": [*INPUT_NAMES]}
    return ChurnModel.from_trees([RandomTree(columns, churned, rng) for _ in range(20)], described)


def blend_of(
    forest: ChurnModel, weights: tuple[float, float, float], *, seed: int = 2, **logistic: Any
) -> BlendedModel:
    """Return a forest that knows all inputs in a blend, with a regression of random numbers where none are given."""
    random, inputs = np.random.default_rng(seed), 2 * len(forest.metadata["columns"])
    fitted = {
        "centre": random.uniform(0, 2, inputs).tolist(),
        "weight": random.normal(0, 0.3, inputs).tolist(),
        "intercept": -0.4,
        **logistic,
    }
    blend = {"weights": dict(zip(PARTS, weights, strict=True)), "logistic": fitted, "typical": [3.0, 40.0, 200.0]}
    process = PURCHASE_PROCESS
    return BlendedModel(forest.arrays, {**forest.metadata, "current_process": process, "blend": blend})


def random_trees(trees: int, seed: int = 1, *, with_derived: bool = True) -> list[RandomTree]:
    """Return trees grown at random on the customers of `fitted_forest`."""
    columns, churned = _customers(4000, seed, with_derived=with_derived)
    rng = np.random.default_rng(seed)
    return [RandomTree(columns, churned, rng) for _ in range(trees)]
