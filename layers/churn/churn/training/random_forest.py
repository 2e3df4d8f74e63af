"""Grows forests, fits the purchase process, and calibrates: what needs scikit-learn and scipy."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.ml.arrays import Floats
from churn.ml.metrics import log_loss, roc_auc
from churn.ml.random_forest import calibrate
from churn.training.baselines import TrainingSet
from churn.training.calibration import calibration
from churn.training.snapshots import FOLDS, Progress

MOST_THRESHOLDS = 255
# A tree of 64 leaves learns no more from more.
MOST_SAMPLES_A_TREE = 50_000
_SEARCH_TREES = 40
_SEARCH_ROWS = 40_000

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the search chooses: the fewest customers of a leaf, and the share of columns that a split looks at."""

    customers_a_leaf: int = 20
    share_of_columns: float = 0.25


SHAPES = tuple(Shape(leaf, share) for leaf in (20, 50, 100) for share in (0.2, 0.4))


class ForestTrainer:
    """Grows forests whose thresholds lie on at most 255 quantiles a column, so that the tables of serving are small."""

    def __init__(self, learned: TrainingSet, copies: int, seed: int) -> None:
        """`copies`: how many rows a customer has at one cut-off."""
        self._learned = learned
        self._copies = copies
        self._seed = seed
        self._edges = [_quantiles(column) for column in learned.columns.T]
        pairs = zip(learned.columns.T, self._edges, strict=True)
        self._binned = np.column_stack([_to_bins(column, edges).astype(np.float32) for column, edges in pairs])

    def __call__(self, rows: Rows, trees: int, shape: Shape) -> Any:
        """A forest of scikit-learn, grown on the rows that are marked."""
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 (a second to import)

        samples = int(rows.sum())
        a_customer = self._copies * len(np.unique(self._learned.windows[rows]))
        forest = RandomForestClassifier(
            n_estimators=trees,
            max_leaf_nodes=64,
            # A customer has so many rows at most: as many samples as this are at least so many customers.
            min_samples_leaf=shape.customers_a_leaf * a_customer,
            max_features=shape.share_of_columns,
            max_samples=min(samples, MOST_SAMPLES_A_TREE),
            random_state=self._seed,
            n_jobs=-1,
        )
        forest.fit(self._binned[rows], self._learned.churned[rows])
        for estimator in forest.estimators_:
            tree = estimator.tree_
            for column, values in enumerate(self._edges):
                # An infinite threshold parts the missing from all others.
                here = (tree.feature == column) & np.isfinite(tree.threshold)
                below = np.searchsorted(values, tree.threshold[here], side="right") - 1
                # A threshold between two bins may as well lie on the lower one's edge: the same values pass.
                tree.threshold[here] = values[below]
        # Threads would add the trees' answers up in any order: the last digits, and so the version, would vary.
        forest.n_jobs = 1
        return forest

    def ask(self, forest: Any, rows: Rows) -> Floats:
        """The forest's probability of churn for the rows that are marked."""
        answer: Floats = forest.predict_proba(self._learned.columns[rows])[:, 1]
        return answer


def search(
    trainer: ForestTrainer, learned: TrainingSet, horizon_apart: list[bool], seed: int, progress: Progress
) -> dict[str, Any]:
    """Compares a few shapes of the forest, and tells how: `by`, `tried` with each one's figures, `chosen`.

    Judged as serving is: on the newest window that is learned from, after learning from those whose labels were known
    before it began (`horizon_apart` marks them); where there are none, on a quarter of the customers, after learning
    from the others. The held-out window has no part in it.
    """
    newest = learned.windows == learned.windows.max()
    before = np.isin(learned.windows, np.flatnonzero(horizon_apart))
    if before.any():
        by = "on the newest window learned from, after learning from those that ended before it"
        inside, outside = before, newest
    else:
        by = f"on one of {FOLDS} parts of the customers, after learning from the others"
        inside, outside = learned.folds != 0, learned.folds == 0
    inside, outside = _some(inside, seed), _some(outside, seed)
    tried = []
    for shape in SHAPES:
        progress(
            f"search: at least {shape.customers_a_leaf} a leaf, {shape.share_of_columns:.0%} of the columns a split"
        )
        given = trainer.ask(trainer(inside, _SEARCH_TREES, shape), outside)
        kinds = learned.churned[outside]
        told = calibrate(given, **calibration(given, kinds))
        tried.append({**asdict(shape), "auc": roc_auc(given, kinds), "log_loss": log_loss(told, kinds)})
    best = min(range(len(tried)), key=lambda number: tried[number]["log_loss"])
    return {"by": by, "customers": int(outside.sum()), "tried": tried, "chosen": asdict(SHAPES[best])}


def out_of_fold(trainer: ForestTrainer, learned: TrainingSet, trees: int, shape: Shape, progress: Progress) -> Floats:
    """Each row's probability by a forest that has seen nothing of its customer."""
    answer = np.empty(len(learned.churned))
    for fold in range(FOLDS):
        progress(f"calibrating: forest {fold + 1} of {FOLDS}, judged on customers it has not seen")
        inside = learned.folds != fold
        if not inside.all():
            answer[~inside] = trainer.ask(trainer(inside, trees, shape), ~inside)
    return answer


def _some(rows: Rows, seed: int) -> Rows:
    """At most 40,000 of the rows that are marked."""
    places = np.flatnonzero(rows)
    if len(places) <= _SEARCH_ROWS:
        return rows
    chosen = np.zeros_like(rows)
    chosen[np.random.default_rng(seed).choice(places, _SEARCH_ROWS, replace=False)] = True
    return chosen


def _quantiles(column: Floats) -> Floats:
    known = column[np.isfinite(column)]
    if not len(known):
        return known
    steps = np.linspace(0, 1, MOST_THRESHOLDS + 1)
    # float32, because scikit-learn compares in it.
    return np.unique(np.quantile(known, steps, method="higher").astype(np.float32)).astype(np.float64)


def _to_bins(column: Floats, edges: Floats) -> Floats:
    if not len(edges):
        return np.full(len(column), np.nan)
    places = np.minimum(np.searchsorted(edges, column.astype(np.float32)), len(edges) - 1)
    return np.where(np.isnan(column), np.nan, edges[places])
