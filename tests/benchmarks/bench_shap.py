"""The reasons of one customer, and of a batch of 1,000, against the C implementation of the shap package: `make bench`.

The same forest, medians over varied rows, one thread each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import shap

from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.support.forests import fitted_forest, metadata, random_features, trees_of

BATCH = 1000


def main() -> None:
    forest = fitted_forest(trees=200, rows=12_000)
    content = ChurnModel.from_trees(trees_of(forest), metadata()).to_bytes()
    model = read_model(content)
    assert isinstance(model, ChurnModel)
    features = random_features(BATCH, seed=9)
    columns = model.columns(features)
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")

    def theirs(first: int, count: int) -> object:
        return explainer.shap_values(columns[first : first + count], check_additivity=False)

    def ours(first: int, count: int) -> object:
        return model.shapley(features[first : first + count])

    print(f"building the tables, once  {_milliseconds(lambda: ours(0, 1)):9.2f} ms")
    for name, count, starts in (("one customer", 1, range(300)), (f"a batch of {BATCH:,}", BATCH, [0] * 5)):
        # In turn, so that what else the machine does hits both.
        times = [
            (_milliseconds(partial(ours, row, count)), _milliseconds(partial(theirs, row, count))) for row in starts
        ]
        mine, shaps = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<26} {mine:9.2f} ms   shap {shaps:9.2f} ms   {mine / shaps:6.2f} of its time")


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main()
