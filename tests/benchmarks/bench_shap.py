"""The reasons of one customer, and of a batch of 1,000, against the C implementation of the shap package: `make bench`.

The same forest, medians over varied rows, one thread each, in time of the processor: others may use the machine. Numpy
is what serves where the compiled loops are not built.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import shap

from churn.ml import kernel
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.support.forests import fitted_forest, metadata, random_features, trees_of

BATCH = 1000


def main() -> None:
    forest = fitted_forest(trees=200, rows=12_000)
    content = ChurnModel.from_trees(trees_of(forest), metadata()).to_bytes()
    model, by_numpy = _model(content), _by_numpy(content)
    features = random_features(BATCH, seed=9)
    columns = model.columns(features)
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")

    def theirs(first: int, count: int) -> object:
        return explainer.shap_values(columns[first : first + count], check_additivity=False)

    def ours(first: int, count: int) -> object:
        return model.shapley(features[first : first + count])

    def numpys(first: int, count: int) -> object:
        return by_numpy.shapley(features[first : first + count])

    print(f"the first row              {_milliseconds(lambda: ours(0, 1)):9.2f} ms")
    by_numpy.shapley(features[:20])
    for name, count, starts in (("one customer", 1, range(300)), (f"a batch of {BATCH:,}", BATCH, [0] * 5)):
        # In turn, so that what else the machine does hits both.
        times = [[_milliseconds(partial(values, row, count)) for values in (ours, numpys, theirs)] for row in starts]
        mine, numpy, shaps = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<26} {mine:9.2f} ms   numpy {numpy:9.2f} ms   shap {shaps:9.2f} ms   {shaps / mine:6.1f} x")


def _model(content: bytes) -> ChurnModel:
    model = read_model(content)
    assert isinstance(model, ChurnModel)
    return model


def _by_numpy(content: bytes) -> ChurnModel:
    compiled, kernel.library = kernel.library, lambda: None  # type: ignore[assignment]
    try:
        model = _model(content)
        # Built for the first row.
        model.shapley(random_features(1))
    finally:
        kernel.library = compiled
    return model


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1e3


if __name__ == "__main__":
    main()
