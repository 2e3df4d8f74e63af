"""A blend beside its forest alone, in microseconds of the processor for a row: `make bench`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from churn.domain.features import FEATURE_NAMES, Features
from churn.ml.random_forest import ChurnModel
from tests.support.forests import blend_of, fitted_forest, metadata, random_features, trees_of

_BATCH = 2000
_TIMES = 7


def main() -> None:
    forest = ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), metadata(with_state=True))
    blend = blend_of(forest, (0.3, 0.4, 0.3))
    rows = [
        {**dict(zip(FEATURE_NAMES, row, strict=True)), "purchase_days": row[0]}
        for row in random_features(_BATCH, seed=9, missing=0).tolist()
    ]
    print(f"{'':34}{'forest alone':>14}{'blend':>10}")
    for what, one, other in (
        ("probability, one row", forest.probabilities, blend.probabilities),
        ("score, one row", forest.estimate, blend.estimate),
        ("score and reasons, one row", forest.predict, blend.predict),
    ):
        print(f"{what:34}{_each(one, rows, 1):14.0f}{_each(other, rows, 1):10.0f}")
        print(f"{what.replace('one row', 'a row of 2,000'):34}{_each(one, rows, _BATCH):14.1f}", end="")
        print(f"{_each(other, rows, _BATCH):10.1f}")


def _each(ask: Callable[[Sequence[Features]], object], rows: Sequence[Features], at_once: int) -> float:
    """Return the median microseconds for a row."""
    ask(rows[:at_once])
    took = []
    for number in range(_TIMES if at_once > 1 else 300):
        chosen = rows if at_once > 1 else rows[number : number + 1]
        begun = time.process_time()
        ask(chosen)
        took.append((time.process_time() - begun) * 1e6 / len(chosen))
    return statistics.median(took)


if __name__ == "__main__":
    main()
