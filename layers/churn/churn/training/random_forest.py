"""Forests of scikit-learn: their training, the search for their shape, and out-of-fold probabilities."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.ml.arrays import Floats
from churn.ml.metrics import log_loss, roc_auc
from churn.ml.random_forest import calibrate
from churn.training.calibration import calibration
from churn.training.snapshots import FOLDS, Progress, TrainingSet

MOST_THRESHOLDS = 255
# More samples do not make a tree of 64 leaves better.
MOST_SAMPLES_A_TREE = 50_000
_SEARCH_TREES = 40
_SEARCH_ROWS = 40_000

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the search chooses: the fewest customers a leaf, and the share of columns that a split considers."""

    customers_a_leaf: int = 20
    share_of_columns: float = 0.25


SHAPES = tuple(Shape(leaf, share) for leaf in (20, 50, 100) for share in (0.2, 0.4))


class ForestTrainer:
    """Trains forests with thresholds at no more than 255 quantiles a column, so that serving needs small tables."""

    def __init__(self, training_set: TrainingSet, copies: int, seed: int) -> None:
        """Take the rows to fit; `copies` is the number of rows of a customer at one cut-off."""
        self._training_set = training_set
        self._copies = copies
        self._seed = seed
        self._edges = [_quantiles(column) for column in training_set.columns.T]
        pairs = zip(training_set.columns.T, self._edges, strict=True)
        self._binned = np.column_stack([_to_bins(column, edges).astype(np.float32) for column, edges in pairs])

    def fit(self, rows: Rows, trees: int, shape: Shape) -> Any:
        """Return a forest of scikit-learn, fitted to the marked rows."""
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 (seconds to import)

        samples = int(rows.sum())
        a_customer = self._copies * len(np.unique(self._training_set.windows[rows]))
        forest = RandomForestClassifier(
            n_estimators=trees,
            max_leaf_nodes=64,
            # A customer has at most `a_customer` rows, so a leaf has at least as many customers as its shape asks for.
            min_samples_leaf=shape.customers_a_leaf * a_customer,
            max_features=shape.share_of_columns,
            max_samples=min(samples, MOST_SAMPLES_A_TREE),
            random_state=self._seed,
            n_jobs=-1,
        )
        forest.fit(self._binned[rows], self._training_set.churned[rows])
        for estimator in forest.estimators_:
            tree = estimator.tree_
            for column, values in enumerate(self._edges):
                # An infinite threshold separates missing values from all others.
                here = (tree.feature == column) & np.isfinite(tree.threshold)
                below = np.searchsorted(values, tree.threshold[here], side="right") - 1
                # Moving a threshold between two bins to the lower edge lets the same values pass.
                tree.threshold[here] = values[below]
        # Threads would sum the trees' answers in any order: the last digits, and so the version, would vary.
        forest.n_jobs = 1
        return forest

    def probabilities(self, forest: Any, rows: Rows) -> Floats:
        """Return the forest's probability of churn for each marked row."""
        answer: Floats = forest.predict_proba(self._training_set.columns[rows])[:, 1]
        return answer


def search(
    trainer: ForestTrainer, training_set: TrainingSet, horizon_apart: list[bool], seed: int, progress: Progress
) -> dict[str, Any]:
    """Compare a few shapes of the forest; return how (`by`, `customers`), each one's figures (`tried`), and `chosen`.

    Shapes are judged as the model in use is: on the newest window of the training set, by a forest fitted to the
    windows whose labels were known before it began (`horizon_apart` marks them). Without such windows, they are judged
    on a quarter of the customers, by a forest fitted to the others. The held-out window is not used.
    """
    newest = training_set.windows == training_set.windows.max()
    before = np.isin(training_set.windows, np.flatnonzero(horizon_apart))
    if before.any():
        by = "on the newest window learned from, after learning from those that ended before it"
        inside, outside = before, newest
    else:
        by = f"on one of {FOLDS} parts of the customers, after learning from the others"
        inside, outside = training_set.folds != 0, training_set.folds == 0
    inside, outside = _some(inside, seed), _some(outside, seed)
    tried = []
    for shape in SHAPES:
        progress(
            f"search: at least {shape.customers_a_leaf} a leaf, {shape.share_of_columns:.0%} of the columns a split"
        )
        raw = trainer.probabilities(trainer.fit(inside, _SEARCH_TREES, shape), outside)
        churned = training_set.churned[outside]
        calibrated = calibrate(raw, **calibration(raw, churned))
        tried.append({**asdict(shape), "auc": roc_auc(raw, churned), "log_loss": log_loss(calibrated, churned)})
    best = min(range(len(tried)), key=lambda number: tried[number]["log_loss"])
    return {"by": by, "customers": int(outside.sum()), "tried": tried, "chosen": asdict(SHAPES[best])}


def out_of_fold(
    trainer: ForestTrainer, training_set: TrainingSet, trees: int, shape: Shape, progress: Progress
) -> Floats:
    """Return each row's probability, by a forest that was fitted without the row's customer."""
    answer = np.empty(len(training_set.churned))
    for fold in range(FOLDS):
        progress(f"calibrating: forest {fold + 1} of {FOLDS}, judged on customers it has not seen")
        inside = training_set.folds != fold
        if not inside.all():
            answer[~inside] = trainer.probabilities(trainer.fit(inside, trees, shape), ~inside)
    return answer


def _some(rows: Rows, seed: int) -> Rows:
    """Return the marked rows, a sample of 40,000 if there are more."""
    places = np.flatnonzero(rows)
    if len(places) <= _SEARCH_ROWS:
        return rows
    chosen = np.zeros_like(rows)
    chosen[np.random.default_rng(seed).choice(places, _SEARCH_ROWS, replace=False)] = True
    return chosen


def _quantiles(column: Floats) -> Floats:
    finite = column[np.isfinite(column)]
    if not len(finite):
        return finite
    steps = np.linspace(0, 1, MOST_THRESHOLDS + 1)
    # float32, because scikit-learn compares in it.
    return np.unique(np.quantile(finite, steps, method="higher").astype(np.float32)).astype(np.float64)


def _to_bins(column: Floats, edges: Floats) -> Floats:
    if not len(edges):
        return np.full(len(column), np.nan)
    places = np.minimum(np.searchsorted(edges, column.astype(np.float32)), len(edges) - 1)
    return np.where(np.isnan(column), np.nan, edges[places])
