"""A new model from customers' histories: snapshots, a forest, its calibration, and how good it is on the newest window.

Every snapshot is taken with `churn.features` from the events strictly before its cut-off; its label is whether the
customer ordered nothing in the horizon that follows. Who has not ordered in the look-back has lapsed already and is
left out. The newest window is held out by time: the label windows of the fitted snapshots end before its cut-off.
"""

import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.events import Event, from_millis, iso, to_millis
from churn.features import DAY, FEATURE_NAMES, CustomerState, features_at, observed_kinds, replay
from churn.forest import DERIVED_COLUMNS, SHRINKAGE, ChurnModel, Floats, derived
from churn.measures import measure
from churn.registry import ModelRegistry, UnknownVersion
from churn.risk import BrokenModel
from churn.simulator import simulate
from churn.storage import Database
from churn.storage.history import histories as stored_histories

Histories = Iterable[tuple[str, Sequence[Event]]]
"""Customers with all their events, one after the other; gone through twice, so a generator will not do."""

Report = dict[str, Any]

FEWEST_CUSTOMERS = 200
FEWEST_OF_A_KIND = 30
LEAD_DAYS = 30
SAMPLE_DAYS = 548
MOST_CUT_OFFS = 4
MOST_CUSTOMERS = 100_000
CUSTOMERS_A_LEAF = 20
MOST_THRESHOLDS = 255
FOLDS = 4
# By so much a new model may look worse than the current one on the same window, by chance, and still be as good.
AUC_TOLERANCE = 0.002
BRIER_TOLERANCE = 0.001

_RECENCY = FEATURE_NAMES.index("days_since_last_order")


class CannotTrain(Exception):
    """There is not enough history to train on; the text says how much there is and how much is needed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train for. Without `test_at`, the newest window and up to four cut-offs before it are chosen."""

    horizon_days: int = 90
    lookback_days: int = 180
    test_at: datetime | None = None
    fit_at: tuple[datetime, ...] = ()
    trees: int = 200
    seed: int = 1


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model with `report`: `forest` and `recency`, each with `auc`, `pr_auc`, `brier`, `top_decile_lift`.

    `gate` in the model's metadata says whether it is no worse on the held-out window than the model in use.
    """

    model: ChurnModel
    report: Report


@dataclass(slots=True)
class _Snapshots:
    """The customers at one cut-off: features, labels (True: churned), and every customer's buying so far."""

    cut_off: int
    rows: list[list[float]] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    folds: list[int] = field(default_factory=list)
    buying: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def features(self) -> Floats:
        return np.array(self.rows, dtype=np.float64).reshape(-1, len(FEATURE_NAMES))

    @property
    def churned(self) -> npt.NDArray[np.bool_]:
        return np.array(self.labels, dtype=np.bool_)


@dataclass(slots=True)
class _Extent:
    """What a first look at the histories tells."""

    customers: int = 0
    first: int | None = None
    last: int | None = None
    observed: dict[str, int] = field(default_factory=dict)


class StoredHistories:
    """All customers' events, read anew each time they are gone through."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __iter__(self) -> Iterator[tuple[str, list[Event]]]:
        return stored_histories(self._database)


def train(
    histories: Histories,
    *,
    now: datetime,
    plan: Plan | None = None,
    current: ChurnModel | None = None,
    source: str = "history",
    progress: Callable[[str], None] = lambda _: None,
) -> TrainedModel:
    """Train a model on the histories; orders after `now` are ignored.

    `current` is the model in use, for comparison on the held-out window. `source` says in the model's metadata where
    the histories come from. `progress` is told each step in a few words.

    Raises:
        CannotTrain: too little history, too few customers, or all of them behave alike.
    """
    plan = plan or Plan()
    if iter(histories) is histories:
        raise TypeError("the histories are gone through twice: pass a collection, not a generator")
    extent = _look(histories, to_millis(now), progress)
    cut_offs = _cut_offs(extent, plan)
    windows = _snapshots(histories, cut_offs, extent, plan, progress)
    *fitted, held_out = windows
    _check(fitted, held_out)

    features = np.vstack([window.features for window in fitted])
    churned = np.concatenate([window.churned for window in fitted])
    folds = np.concatenate([np.array(window.folds) for window in fitted])
    progress(f"fitting the purchase process of {len(fitted[-1].buying):,} customers")
    process = {**_fit_purchase_process(fitted[-1].buying), "horizon_days": float(plan.horizon_days)}
    columns = np.hstack([features, derived(features, process)])
    fit = _Fitter(plan, CUSTOMERS_A_LEAF * len(fitted))
    out_of_fold = np.empty(len(churned))
    for fold in range(FOLDS):
        progress(f"calibrating: forest {fold + 1} of {FOLDS}, judged on customers it has not seen")
        inside = folds != fold
        forest = fit(columns[inside], churned[inside], (plan.trees + 1) // 2)
        if not inside.all():
            out_of_fold[~inside] = forest.predict_proba(columns[~inside])[:, 1]
    slope, intercept = _logistic(_logit(out_of_fold), churned)
    progress(f"growing {plan.trees} trees on {len(churned):,} snapshots")
    forest = fit(columns, churned, plan.trees)
    model = ChurnModel.from_trees(
        [estimator.tree_ for estimator in forest.estimators_],
        {
            "columns": [*FEATURE_NAMES, *DERIVED_COLUMNS],
            "calibration": {"slope": slope, "intercept": intercept},
            "purchase_process": process,
            "trained_at": iso(now.replace(microsecond=0)),
            "source": source,
            "horizon_days": plan.horizon_days,
            "lookback_days": plan.lookback_days,
            "fitted_at": [iso(from_millis(window.cut_off)) for window in fitted],
            "tested_at": iso(from_millis(held_out.cut_off)),
            "snapshots": len(churned),
            "base_rate": float(churned.mean()),
        },
    )

    progress(f"testing on {len(held_out.labels):,} customers of the newest window")
    report: Report = {
        "customers": len(held_out.labels),
        "churned": float(held_out.churned.mean()),
        "forest": measure(_probabilities(model, held_out.features), held_out.churned),
        "recency": measure(
            _recency_alone(features, churned, held_out.features),
            held_out.churned,
        ),
    }
    reasons: list[str] = []
    if current is not None:
        report["current"] = measure(_probabilities(current, held_out.features), held_out.churned)
        reasons = _worse(report["forest"], report["current"])
    gate = {"passed": not reasons, "compared_with": current.version if current else None, "reasons": reasons}
    return TrainedModel(model.with_metadata(metrics=report, gate=gate), report)


def _worse(new: dict[str, float], current: dict[str, float]) -> list[str]:
    """In what the new model is worse than the one in use, in sentences."""
    return [
        f"On the newest window its {name} is {new[figure]:.4f}, and that of the version in use {current[figure]:.4f}."
        for figure, name, worse in (
            ("auc", "AUC", new["auc"] < current["auc"] - AUC_TOLERANCE),
            ("brier", "Brier score", new["brier"] > current["brier"] + BRIER_TOLERANCE),
        )
        if worse
    ]


def sample_histories(customers: int, *, now: datetime, seed: int = 1) -> list[tuple[str, list[Event]]]:
    """A year and a half of a simulated shop, for a first model before there is history to learn from."""
    shop = simulate(customers, seed=seed, start=now - timedelta(days=SAMPLE_DAYS), end=now)
    return [(customer.customer_id, customer.events) for customer in shop]


def model_in_use(registry: ModelRegistry) -> ChurnModel | None:
    """The promoted model, or None when there is none that could be compared with."""
    version = registry.standing().version
    try:
        return None if version is None else registry.load(version)
    except (BrokenModel, UnknownVersion):
        return None


def table(report: Report) -> str:
    """The figures of a report for the screen: the forest beside recency alone and, where known, the model in use."""
    rows = [("forest", "forest"), ("recency", "recency alone"), ("current", "model in use")]
    lines = [
        f"held-out window: {report['customers']:,} customers, {report['churned']:.1%} churned",
        f"{'':16}{'ROC AUC':>9}{'PR AUC':>9}{'Brier':>9}{'top-decile lift':>17}",
    ]
    for key, label in rows:
        if key in report:
            figures = report[key]
            lines.append(
                f"{label:16}{figures['auc']:9.3f}{figures['pr_auc']:9.3f}{figures['brier']:9.3f}"
                f"{figures['top_decile_lift']:17.2f}"
            )
    return "\n".join(lines)


def _look(histories: Histories, now: int, progress: Callable[[str], None]) -> _Extent:
    extent = _Extent()
    for _, events in histories:
        extent.customers += 1
        if extent.customers % 10_000 == 0:
            progress(f"looking through the histories: {extent.customers:,} customers")
        for kind, since in observed_kinds(events).items():
            extent.observed[kind] = min(extent.observed.get(kind, since), since)
        orders = [event.at for event in events if event.event_type == "order_placed" and event.at <= now]
        if orders:
            extent.first = min(orders) if extent.first is None else min(extent.first, *orders)
            extent.last = max(orders) if extent.last is None else max(extent.last, *orders)
    return extent


def _cut_offs(extent: _Extent, plan: Plan) -> list[int]:
    """The cut-offs to fit at, then the one to test at, in milliseconds since 1970."""
    horizon = plan.horizon_days * DAY
    if extent.first is None or extent.last is None:
        raise CannotTrain(f"there are no orders in the histories of {extent.customers} customers")
    if plan.fit_at and plan.test_at is None:
        raise CannotTrain("cut-offs to fit at were given, but none to test at")
    test_at = extent.last - horizon if plan.test_at is None else to_millis(plan.test_at)
    if plan.test_at is not None and test_at + horizon > extent.last + DAY:
        raise CannotTrain(
            f"the window tested ends on {from_millis(test_at + horizon):%Y-%m-%d}, "
            f"the last order is of {from_millis(extent.last):%Y-%m-%d}"
        )
    if plan.fit_at:
        fit_at = sorted(map(to_millis, plan.fit_at))
    else:
        earliest = extent.first + LEAD_DAYS * DAY
        steps = itertools.count(test_at - horizon, -max(horizon // 2, DAY))
        fit_at = sorted(itertools.takewhile(lambda at: at >= earliest, itertools.islice(steps, MOST_CUT_OFFS)))
        if not fit_at:
            raise CannotTrain(
                f"the orders cover {(extent.last - extent.first) / DAY:.0f} days; {2 * plan.horizon_days + LEAD_DAYS} "
                f"are needed: {LEAD_DAYS} to begin with, and two windows of {plan.horizon_days}"
            )
    if fit_at[-1] + horizon > test_at:
        raise CannotTrain(
            f"what follows the cut-off {from_millis(fit_at[-1]):%Y-%m-%d} reaches into the window that is tested; "
            f"fit no later than {from_millis(test_at - horizon):%Y-%m-%d}"
        )
    return [*fit_at, test_at]


def _snapshots(
    histories: Histories, cut_offs: list[int], extent: _Extent, plan: Plan, progress: Callable[[str], None]
) -> list[_Snapshots]:
    windows = [_Snapshots(cut_off) for cut_off in cut_offs]
    share = min(1.0, MOST_CUSTOMERS / max(1, extent.customers))
    for number, (customer_id, events) in enumerate(histories, 1):
        if number % 10_000 == 0:
            progress(f"taking snapshots: {number:,} of {extent.customers:,} customers")
        place = zlib.crc32(customer_id.encode())
        # The checksum's high bits choose customers, its low bits the fold: neither depends on the other.
        if (place >> 8) < share * (1 << 24):
            _take(windows, sorted(events, key=lambda event: event.at), place % FOLDS, extent, plan)
    return windows


def _take(windows: list[_Snapshots], events: list[Event], fold: int, extent: _Extent, plan: Plan) -> None:
    state = CustomerState()
    afterwards = replay(events)
    known: set[str] = set()
    rest = iter(events)
    event = next(rest, None)
    for window in windows:
        while event is not None and event.at < window.cut_off:
            if event.event_id not in known:
                known.add(event.event_id)
                state.apply(event)
            event = next(rest, None)
        features = features_at(state, from_millis(window.cut_off), extent.observed)
        orders, recency, age = (
            features[name] for name in ("total_orders", "days_since_last_order", "account_age_days")
        )
        if recency is None or age is None or orders is None:
            continue
        window.buying.append((orders - 1, max(0.0, age - recency), age))
        if recency <= plan.lookback_days and state.is_active:
            end = window.cut_off + plan.horizon_days * DAY
            window.rows.append([math.nan if (value := features[name]) is None else value for name in FEATURE_NAMES])
            window.labels.append(not afterwards.ordered_between(window.cut_off, end))
            window.folds.append(fold)


def _check(fitted: list[_Snapshots], held_out: _Snapshots) -> None:
    for what, labels in (
        ("to learn from", [label for window in fitted for label in window.labels]),
        ("in the newest window", held_out.labels),
    ):
        customers, churned = len(labels), sum(labels)
        if customers < FEWEST_CUSTOMERS:
            raise CannotTrain(f"there are {customers} customers' snapshots {what}; {FEWEST_CUSTOMERS} are needed")
        if min(churned, customers - churned) < FEWEST_OF_A_KIND:
            raise CannotTrain(
                f"{churned} of {customers} customers {what} left; "
                f"at least {FEWEST_OF_A_KIND} who left and {FEWEST_OF_A_KIND} who stayed are needed"
            )


class _Fitter:
    """Grows forests whose thresholds lie on at most 255 quantiles a column, so that the tables of serving are small."""

    def __init__(self, plan: Plan, samples_a_leaf: int) -> None:
        self._plan = plan
        self._samples_a_leaf = samples_a_leaf

    def __call__(self, columns: Floats, churned: npt.NDArray[np.bool_], trees: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 (a second to import)

        edges = [_quantiles(column) for column in columns.T]
        forest = RandomForestClassifier(
            n_estimators=trees,
            max_leaf_nodes=64,
            # A customer is in every cut-off's snapshots at most once: so many samples are at least 20 customers.
            min_samples_leaf=self._samples_a_leaf,
            random_state=self._plan.seed,
            n_jobs=-1,
        )
        forest.fit(np.column_stack([_to_bins(column, e) for column, e in zip(columns.T, edges, strict=True)]), churned)
        for estimator in forest.estimators_:
            tree = estimator.tree_
            for column, values in enumerate(edges):
                # An infinite threshold parts the missing from all others.
                here = (tree.feature == column) & np.isfinite(tree.threshold)
                below = np.searchsorted(values, tree.threshold[here], side="right") - 1
                # A threshold between two bins may as well lie on the lower one's edge: the same values pass.
                tree.threshold[here] = values[below]
        # Threads would add the trees' answers up in any order: the last digits, and so the version, would vary.
        forest.n_jobs = 1
        return forest


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


def _fit_purchase_process(buying: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    """BG/NBD by maximum likelihood (Fader, Hardie and Lee 2005); rows: repeat orders, days to the last, age in days."""
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to import)
    from scipy.special import gammaln  # noqa: PLC0415

    repeats, until_last, age = np.array(buying[:: max(1, len(buying) // 20_000)], dtype=np.float64).T

    def loss(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
        common += gammaln(a + b) + gammaln(b + repeats) - gammaln(b) - gammaln(a + b + repeats)
        alive = -(r + repeats) * np.log(alpha + age)
        dropped = np.log(a) - np.log(b + np.maximum(repeats, 1) - 1) - (r + repeats) * np.log(alpha + until_last)
        likelihood = common + np.where(repeats > 0, np.logaddexp(alive, dropped), alive)
        # A faint pull to the middle keeps the parameters finite where the data do not say.
        return float(-likelihood.mean() + 1e-4 * np.sum((logs - start) ** 2))

    start = np.log([1.0, max(1.0, float(age.mean()) / 2), 0.8, 2.5])
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(low - 8, low + 8) for low in start])
    r, alpha, a, b = np.exp(found.x).tolist()
    return {"r": r, "alpha": alpha, "a": a, "b": b}


def _logit(probabilities: Floats) -> Floats:
    drawn = SHRINKAGE + (1 - 2 * SHRINKAGE) * probabilities
    answer: Floats = np.log(drawn / (1 - drawn))
    return answer


def _logistic(inputs: Floats, churned: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope (above 0) and intercept of the sigmoid through one input, by Newton's method on the log-likelihood."""
    centre, width = inputs.mean(), inputs.std() or 1.0
    design = np.column_stack([(inputs - centre) / width, np.ones(len(inputs))])
    weights = np.array([0.0, math.log(churned.mean() / (1 - churned.mean()))])
    for _ in range(30):
        expected = 1 / (1 + np.exp(-design @ weights))
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (churned - expected) - 1e-6 * weights)
        weights += np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-10:
            break
    # Without any signal the slope is about 0 or below; the order of customers is kept all the same.
    slope = max(float(weights[0]), 1e-3)
    return slope / float(width), float(weights[1]) - slope * float(centre / width)


def _recency_alone(features: Floats, churned: npt.NDArray[np.bool_], held_out: Floats) -> Floats:
    slope, intercept = _logistic(np.log1p(features[:, _RECENCY]), churned)
    answer: Floats = 1 / (1 + np.exp(-(slope * np.log1p(held_out[:, _RECENCY]) + intercept)))
    return answer


def _probabilities(model: ChurnModel, features: Floats) -> Floats:
    return model.calibrate(model.raw(features))
