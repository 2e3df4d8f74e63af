"""One prediction, and a batch of 10,000, by the served forest against scikit-learn's own: `make bench`.

Medians over varied rows, one thread each, in time of the processor: others may use the machine. Ours derives its
columns itself, and those of scikit-learn are ready. The reasons are measured in `bench_shap`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from churn.ml.arrays import Floats
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.support.forests import fitted_forest, metadata, random_features, trees_of

BATCH = 10_000


def main() -> None:
    forest = fitted_forest(trees=200, rows=12_000)
    model = ChurnModel.from_trees(trees_of(forest), metadata())
    features = random_features(BATCH, seed=9)
    columns = model.columns(features)

    ours = _single(lambda row: model.raw(features[row : row + 1]), 5000)
    theirs = _single(lambda row: forest.predict_proba(columns[row : row + 1]), 100)
    print(f"one row                    {ours:9.1f} µs   scikit-learn {theirs:9.1f} µs   {theirs / ours:6.0f} x")

    ours = _batch(model.raw, features)
    theirs = _batch(forest.predict_proba, columns)
    print(f"a row of 10,000            {ours:9.2f} µs   scikit-learn {theirs:9.2f} µs   {theirs / ours:6.1f} x")

    content = model.to_bytes()
    loading = statistics.median(_timed(lambda: read_model(content)) for _ in range(7))
    print(f"loading {len(content) / 1e6:.1f} MB             {loading / 1000:9.1f} ms")


def _single(predict: Callable[[int], object], repeats: int) -> float:
    """Median microseconds of one call, each for another row."""
    for row in range(10):
        predict(row)
    return statistics.median(_timed(lambda row=row: predict(row)) for row in range(repeats))  # type: ignore[misc]


def _batch(predict: Callable[[Floats], object], inputs: Floats) -> float:
    return statistics.median(_timed(lambda: predict(inputs)) for _ in range(7)) / len(inputs)


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1e6


if __name__ == "__main__":
    main()
