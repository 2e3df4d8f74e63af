"""Small forests for tests, made by scikit-learn itself, and scikit-learn's own answer for them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES
from churn.ml.arrays import Floats
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.random_forest import ChurnModel

PURCHASE_PROCESS = {"r": 0.5, "alpha": 50.0, "a": 0.8, "b": 2.5, "horizon_days": 90.0}
_PLACE = {name: number for number, name in enumerate(FEATURE_NAMES)}


def random_features(rows: int, seed: int = 1, missing: float = 0.1) -> Floats:
    """Plausible customers, shape (rows, 12), some values missing."""
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
    """A scikit-learn forest of at most 64 leaves a tree, fitted to customers who leave after a long silence."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    features = random_features(rows, seed)
    rng = np.random.default_rng(seed)
    silence = np.nan_to_num(features[:, _PLACE["days_since_last_order"]], nan=50)
    orders = np.nan_to_num(features[:, _PLACE["total_orders"]], nan=10)
    churned = rng.random(rows) < 1 / (1 + np.exp(-(silence / 40 - orders / 10)))
    columns = np.hstack([features, derived(features, PURCHASE_PROCESS)]) if with_derived else features
    forest = RandomForestClassifier(trees, max_leaf_nodes=64, min_samples_leaf=20, random_state=seed, n_jobs=1)
    return forest.fit(columns, churned)


def metadata(*, with_derived: bool = True, slope: float = 1.3, intercept: float = -0.2) -> dict[str, Any]:
    return {
        "columns": [*FEATURE_NAMES, *(DERIVED_COLUMNS if with_derived else ())],
        "calibration": {"slope": slope, "intercept": intercept},
        "purchase_process": PURCHASE_PROCESS,
        "trained_at": "2026-01-31T10:15:00Z",
    }


def trees_of(forest: Any) -> list[Any]:
    return [estimator.tree_ for estimator in forest.estimators_]


def reference(trees: Iterable[Any], columns: Floats) -> Floats:
    """The mean of scikit-learn's own trees, also for infinite inputs, which `predict_proba` would refuse to look at."""
    with np.errstate(over="ignore"):
        inputs = columns.astype(np.float32)
    answers = [tree.predict(inputs) for tree in trees]
    mean: Floats = np.mean([answer[:, 1] / answer.sum(axis=1) for answer in answers], axis=0)
    return mean


@lru_cache
def small_model(seed: int = 1) -> ChurnModel:
    """A model of 20 trees."""
    return ChurnModel.from_trees(trees_of(fitted_forest(trees=20, seed=seed)), metadata())
