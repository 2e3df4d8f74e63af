"""Grows forests, fits the purchase process, and calibrates: what needs scikit-learn and scipy."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.ml.bg_nbd import PARAMETERS
from churn.ml.metrics import Flags, log_loss, roc_auc
from churn.ml.random_forest import SHRINKAGE, Floats, calibrate
from churn.training.snapshots import FOLDS, Progress

MOST_THRESHOLDS = 255
# A tree of 64 leaves learns no more from more.
MOST_SAMPLES_A_TREE = 50_000
_SEARCH_TREES = 40
_SEARCH_ROWS = 40_000
_FLATTEST = 1e-3

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the search chooses: the fewest customers of a leaf, and the share of columns that a split looks at."""

    customers_a_leaf: int = 20
    share_of_columns: float = 0.25


SHAPES = tuple(Shape(leaf, share) for leaf in (20, 50, 100) for share in (0.2, 0.4))


@dataclass(frozen=True, slots=True)
class Learned:
    """What is learned from: the forest's columns, labels, and of each row the customer's fold and the window."""

    columns: Floats
    churned: Flags
    folds: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]


class Grower:
    """Grows forests whose thresholds lie on at most 255 quantiles a column, so that the tables of serving are small."""

    def __init__(self, learned: Learned, copies: int, seed: int) -> None:
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
    grower: Grower, learned: Learned, horizon_apart: list[bool], seed: int, progress: Progress
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
        given = grower.ask(grower(inside, _SEARCH_TREES, shape), outside)
        kinds = learned.churned[outside]
        told = calibrate(given, **calibration(given, kinds))
        tried.append({**asdict(shape), "auc": roc_auc(given, kinds), "log_loss": log_loss(told, kinds)})
    best = min(range(len(tried)), key=lambda number: tried[number]["log_loss"])
    return {"by": by, "customers": int(outside.sum()), "tried": tried, "chosen": asdict(SHAPES[best])}


def out_of_fold(grower: Grower, learned: Learned, trees: int, shape: Shape, progress: Progress) -> Floats:
    """Each row's probability by a forest that has seen nothing of its customer."""
    answer = np.empty(len(learned.churned))
    for fold in range(FOLDS):
        progress(f"calibrating: forest {fold + 1} of {FOLDS}, judged on customers it has not seen")
        inside = learned.folds != fold
        if not inside.all():
            answer[~inside] = grower.ask(grower(inside, trees, shape), ~inside)
    return answer


def fit_purchase_process(buying: Floats) -> dict[str, float]:
    """BG/NBD by maximum likelihood (Fader, Hardie and Lee 2005) of at most 20,000 customers.

    `buying` has the shape (customers, 3): repeat orders, days to the last order, age in days.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to import)

    start = _usual(buying)
    found = minimize(_loss(buying), start, method="L-BFGS-B", bounds=[(low - 8, low + 8) for low in start])
    return dict(zip(PARAMETERS, np.exp(found.x).tolist(), strict=True))


def purchase_draws(buying: Floats, process: Mapping[str, float], *, seed: int, draws: int = 64) -> Floats:
    """What the parameters may be as well, shape (draws, 4): normal on their logarithms (Laplace's approximation)."""
    loss, best = _loss(buying), np.log([process[name] for name in PARAMETERS])
    customers = len(buying[:: _step(buying)])
    steps = 1e-3 * np.eye(len(best))
    curvature = np.array(
        [
            [(loss(best + a + b) - loss(best + a - b) - loss(best - a + b) + loss(best - a - b)) / 4e-6 for b in steps]
            for a in steps
        ]
    )
    values, vectors = np.linalg.eigh(curvature * customers)
    # Where the data say next to nothing a parameter is known within a factor of e, by what is usual for shops.
    spread = 1 / np.sqrt(np.maximum(values, 1.0))
    drawn = np.random.default_rng(seed).normal(size=(draws, len(best)))
    answer: Floats = np.exp(best + (drawn * spread) @ vectors.T)
    return answer


def _step(buying: Floats) -> int:
    return max(1, len(buying) // 20_000)


def _usual(buying: Floats) -> Floats:
    """The logarithms of parameters that are usual for a shop of this age."""
    answer: Floats = np.log([1.0, max(1.0, float(buying[:: _step(buying), 2].mean()) / 2), 0.8, 2.5])
    return answer


def _loss(buying: Floats) -> Callable[[Floats], float]:
    """The mean negative log-likelihood of a customer, by the logarithms of the parameters."""
    from scipy.special import gammaln  # noqa: PLC0415 (slow to import)

    repeats, until_last, age = buying[:: _step(buying)].T
    start = _usual(buying)

    def loss(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
        common += gammaln(a + b) + gammaln(b + repeats) - gammaln(b) - gammaln(a + b + repeats)
        alive = -(r + repeats) * np.log(alpha + age)
        dropped = np.log(a) - np.log(b + np.maximum(repeats, 1) - 1) - (r + repeats) * np.log(alpha + until_last)
        likelihood = common + np.where(repeats > 0, np.logaddexp(alive, dropped), alive)
        # A faint pull to the middle keeps the parameters finite where the data do not say.
        return float(-likelihood.mean() + 1e-4 * np.sum((logs - start) ** 2))

    return loss


def calibration(raw: Floats, churned: Flags) -> dict[str, float]:
    """The parameters of `ChurnModel.calibrate` for a forest's own probabilities, by maximum likelihood."""
    drawn = SHRINKAGE + (1 - 2 * SHRINKAGE) * raw
    below, above = np.log(drawn), -np.log(1 - drawn)
    slope, slope_above, intercept = _logistic(np.column_stack([below, above]), churned)
    if min(slope, slope_above) < _FLATTEST:
        slope, intercept = logistic(below + above, churned)
        slope_above = slope
    return {"slope": slope, "slope_above": slope_above, "intercept": intercept}


def logistic(inputs: Floats, churned: Flags) -> tuple[float, float]:
    """Slope (above 0) and intercept of the sigmoid through one input, by maximum likelihood."""
    slope, intercept = _logistic(inputs[:, None], churned)
    if slope >= _FLATTEST:
        return slope, intercept
    # Without any signal the slope is about 0 or below; the order of customers is kept all the same.
    base = float(np.log(churned.mean() / (1 - churned.mean())))
    return _FLATTEST, base - _FLATTEST * float(inputs.mean())


def _logistic(inputs: Floats, churned: Flags) -> list[float]:
    """A slope for each column of `inputs`, and the intercept, by Newton's method on the log-likelihood."""
    centre, width = inputs.mean(axis=0), inputs.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    design = np.column_stack([(inputs - centre) / width, np.ones(len(inputs))])
    weights = np.zeros(design.shape[1])
    weights[-1] = float(np.log(churned.mean() / (1 - churned.mean())))
    faint = 1e-6 * np.eye(len(weights))
    for _ in range(30):
        expected = 1 / (1 + np.exp(-design @ weights))
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design + faint
        step = np.linalg.solve(curvature, design.T @ (churned - expected) - 1e-6 * weights)
        weights += np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-10:
            break
    slopes = weights[:-1] / width
    return [*slopes.tolist(), float(weights[-1] - slopes @ centre)]


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
