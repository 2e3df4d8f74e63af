"""The forest's Shapley values as contributions to the probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from churn.domain.features import FEATURE_NAMES
from churn.ml.derived_features import DERIVED_COLUMNS
from churn.ml.loading import read_model
from churn.ml.random_forest import MADE_OF, ChurnModel
from tests.support.forests import metadata, random_features, random_trees, small_model


def test_contributions_are_the_values_in_points_of_the_calibrated_probability() -> None:
    model = small_model()
    features = random_features(50, seed=7)
    values, raw = model.shapley(features), model.raw(features)
    mean = raw - values.sum(axis=1)
    made_of = {column: MADE_OF[column] for column in DERIVED_COLUMNS}
    rows = [dict(zip(FEATURE_NAMES, row, strict=True)) for row in features.tolist()]
    for prediction, value, factor in zip(
        model.predict(rows), values, (model.calibrate(raw) - model.base) / (raw - mean), strict=True
    ):
        of_column = dict(zip(model.metadata["columns"], value, strict=True))
        for name in FEATURE_NAMES:
            shared = sum(of_column[column] / len(parts) for column, parts in made_of.items() if name in parts)
            points = factor * (of_column[name] + shared)
            assert prediction.contributions[name] == pytest.approx(points, abs=1e-9)


def test_a_model_that_was_read_gives_the_same_values() -> None:
    features = random_features(20, seed=3)
    again = read_model(small_model().to_bytes())
    assert isinstance(again, ChurnModel)
    assert (again.shapley(features) == small_model().shapley(features)).all()


def test_a_forest_that_asks_nothing_has_no_reasons() -> None:
    trees = [Leaf(tree) for tree in random_trees(3, with_derived=False)]
    model = ChurnModel.from_trees(trees, metadata(with_derived=False))
    assert (model.shapley(random_features(3)) == 0).all()
    assert set(model.predict([{}])[0].contributions.values()) == {0.0}


class Leaf:
    """A tree cut down to its root."""

    def __init__(self, tree: Any) -> None:
        self.children_left = self.children_right = np.array([-1])
        self.feature, self.threshold = np.array([-2]), np.array([-2.0])
        self.missing_go_to_left = np.array([0])
        self.value, self.weighted_n_node_samples = tree.value[:1], tree.weighted_n_node_samples[:1]
