"""The steps of training: snapshots of histories, a forest, its calibration, and its test on the newest window.

Every snapshot is taken with `churn.domain.features` from the events strictly before its cut-off; its label is whether
the customer ordered nothing in the horizon that follows. Customers without an order in the look-back have lapsed
already and are left out. The newest window is held out by time: the label windows of the fitted snapshots end before
its cut-off. Where customers are split at random, all snapshots of one customer are on the same side.

The forest is fitted to each snapshot twice: with all inputs, and with the 12 features alone, so that it can also answer
for customers of whom only these are known.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, FEATURES_VERSION, INPUT_NAMES, STATE_COLUMNS
from churn.domain.model import PURCHASE_PROCESS
from churn.domain.timestamps import DAY, from_millis, iso
from churn.ml.arrays import Flags, Floats
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.derived_features import derived
from churn.ml.drift import reference
from churn.ml.loading import StoredModel
from churn.ml.metrics import roc_auc
from churn.ml.random_forest import COLUMNS, ChurnModel
from churn.training.baselines import baselines, recency_alone
from churn.training.bg_nbd import fitted_process
from churn.training.calibration import calibration
from churn.training.evaluation import Window, curves, effects, figures, plain, probabilities, slices
from churn.training.plan import CannotTrainError, Plan, TooLittleHistoryError
from churn.training.promotion_gate import changes, gate
from churn.training.random_forest import ForestTrainer, Shape, out_of_fold, search
from churn.training.report_html import MODELS
from churn.training.snapshots import (
    FEWEST_CUSTOMERS,
    FEWEST_OF_A_KIND,
    LEAK_AUC,
    Extent,
    Histories,
    Progress,
    Snapshots,
    TrainingSet,
    cut_offs,
    scan_histories,
    take_snapshots,
)
from churn.training.spending import fit_spending, judge_spending, with_interval

Report = dict[str, Any]

_LEAK_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class TrainedModel[M: StoredModel]:
    """A trained model, its `report` (see `train`), and the customers that it was tested on, if there were any.

    The `gate` in the model's metadata says whether it may be promoted.
    """

    model: M
    report: Report
    held_out: Window | None = None


Trained = TrainedModel[ChurnModel] | TrainedModel[PurchaseModel]


@dataclass(frozen=True, slots=True)
class _Data:
    """The data to fit and to test, prepared from the histories."""

    extent: Extent
    fitted: Sequence[Snapshots]
    held_out: Snapshots
    process: dict[str, float]
    """The parameters of the purchase process at the newest window learned from, with its horizon."""
    current_process: dict[str, float]
    """The same at the cut-off of the window held out: they need no labels."""
    spending: dict[str, Any]
    training_set: TrainingSet
    constant: list[str]
    """The columns that do not vary; the forest does not use them."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    """How good a model is on the held-out window."""

    window: Window
    probabilities: Floats
    metrics: dict[str, Any]
    gate: dict[str, Any]
    effects: list[dict[str, Any]]

    @property
    def importance(self) -> dict[str, float]:
        """The mean absolute contribution of each feature."""
        return {effect["feature"]: effect["importance"] for effect in self.effects}


def train(
    histories: Histories,
    *,
    now: datetime,
    plan: Plan | None = None,
    current: StoredModel | None = None,
    source: str = "history",
    service_version: str = "",
    progress: Progress = lambda _: None,
) -> TrainedModel[ChurnModel]:
    """Train a model on the histories; orders after `now` are ignored.

    `current` is the model in use, for comparison on the held-out window. `source` says in the model's metadata where
    the histories come from. `progress` is called with each step in a few words.

    The report is ready for JSON. Of the held-out window it has `customers`, `churned` (their share), and the figures
    (`churn.ml.metrics`) of `forest`, of the baselines, and of the `current` one; with `plan.search` also their
    `intervals` and `differences`, `reliability`, `deciles`, `slices`, `effects`. Of the rest: `definition`, `windows`,
    `data`, `search`, `constant` (columns that do not vary, and are not used), `gate`, `change`.

    Raises CannotTrainError if there is too little history, if there are too few customers or all of one kind, or if a
    feature contains the label.
    """
    plan = plan or Plan()
    data = _prepare(histories, now, plan, progress)
    provenance = {"trained_at": iso(now.replace(microsecond=0)), "source": source}
    model, searched = _fit(data, plan, provenance, code_versions(service_version), progress)
    judgement = _judge(model, data, current, plan, progress)
    model = model.with_metadata(
        metrics=plain({key: value for key, value in judgement.metrics.items() if key != "differences"}),
        gate=judgement.gate,
        importance=judgement.importance,
        reference=reference({name: judgement.window.of(name) for name in FEATURE_NAMES}, judgement.probabilities),
    )
    return TrainedModel(model, plain(_report(model, data, judgement, current, plan, searched)), judgement.window)


def _prepare(histories: Histories, now: datetime, plan: Plan, progress: Progress) -> _Data:
    if iter(histories) is histories:
        raise TypeError("the histories are gone through twice: pass a collection, not a generator")
    extent = scan_histories(histories, now, progress)
    *fitted, held_out = take_snapshots(histories, cut_offs(extent, plan), extent, plan, progress)
    _check(fitted, held_out)
    progress(f"fitting the purchase process of {len(fitted[-1].buying):,} customers")
    process = fitted_process(fitted[-1].buying, plan)
    current_process = fitted_process(held_out.buying, plan)
    spending = with_interval(fit_spending(held_out.values_of_orders), current_process, fitted)
    training_set, constant = _training_set(fitted, process)
    return _Data(extent, fitted, held_out, process, current_process, spending, training_set, constant)


def _fit(
    data: _Data, plan: Plan, provenance: dict[str, str], code: dict[str, str], progress: Progress
) -> tuple[ChurnModel, dict[str, Any] | None]:
    """Fit and calibrate a forest; return it with the result of the search for its shape, if the plan has one."""
    training_set = data.training_set
    trainer = ForestTrainer(training_set, 2, plan.seed)
    shape, searched = Shape(), None
    if plan.search:
        last = data.fitted[-1].cut_off
        before = [window.cut_off + plan.horizon_days * DAY <= last for window in data.fitted]
        searched = search(trainer, training_set, before, plan.seed, progress)
        shape = Shape(**searched["chosen"])
    unseen = out_of_fold(trainer, training_set, (plan.trees + 1) // 2, shape, progress)
    snapshots = len(training_set.churned) // 2
    progress(f"growing {plan.trees} trees on {snapshots:,} snapshots")
    forest = trainer.fit(np.ones(len(training_set.churned), dtype=np.bool_), plan.trees, shape)
    metadata = {
        "columns": [*COLUMNS],
        "features_version": FEATURES_VERSION,
        "calibration": calibration(unseen, training_set.churned),
        "purchase_process": data.process,
        "current_process": data.current_process,
        "spending": data.spending,
        **provenance,
        "horizon_days": plan.horizon_days,
        "lookback_days": plan.lookback_days,
        "fitted_at": [iso(from_millis(window.cut_off)) for window in data.fitted],
        "tested_at": iso(from_millis(data.held_out.cut_off)),
        "snapshots": snapshots,
        "base_rate": float(training_set.churned.mean()),
        "forest": {"trees": plan.trees, "customers_a_leaf": shape.customers_a_leaf, "leaves": 64},
        "data": data.extent.described(),
        "code": code,
    }
    return ChurnModel.from_trees([estimator.tree_ for estimator in forest.estimators_], metadata), searched


def _judge(model: ChurnModel, data: _Data, current: StoredModel | None, plan: Plan, progress: Progress) -> _Judgement:
    progress(f"testing on {len(data.held_out.labels):,} customers of the newest window")
    training_set, window = data.training_set, Window(data.held_out.inputs, data.held_out.churned, plan.campaign)
    answer = probabilities(model, window.inputs)
    answers = {"forest": answer, "recency": recency_alone(training_set.columns, training_set.churned, window)}
    if plan.search:
        answers |= baselines(training_set, window, model, progress)
    in_use = None if current is None else probabilities(current, window.inputs)
    if in_use is not None:
        answers["current"] = in_use
    verdict = gate(answer, model, current, in_use, window)
    progress("intervals of the figures")
    metrics = {
        "customers": len(window.churned),
        "churned": float(window.churned.mean()),
        **figures(answers, window, intervals=plan.search),
    }
    return _Judgement(window, answer, metrics, verdict, effects(model, window) if plan.search else [])


def _report(
    model: ChurnModel,
    data: _Data,
    judgement: _Judgement,
    current: StoredModel | None,
    plan: Plan,
    searched: dict[str, Any] | None,
) -> Report:
    described = [_described(snapshot, "learned") for snapshot in data.fitted] + [_described(data.held_out, "held out")]
    report: Report = {
        "version": model.version,
        "trained_at": model.metadata["trained_at"],
        "source": model.metadata["source"],
        "definition": {
            "horizon_days": plan.horizon_days,
            "lookback_days": plan.lookback_days,
            "embargo_days": plan.embargo_days,
        },
        "data": model.metadata["data"],
        "code": model.metadata["code"],
        "windows": described,
        "forest_shape": model.metadata["forest"],
        "search": searched,
        "constant": data.constant,
        "gate": judgement.gate,
        "change": [] if current is None else changes(model.metadata, current.metadata, judgement.importance),
        "money": judge_spending(data.held_out, model.metadata),
        **judgement.metrics,
    }
    if plan.search:
        report |= curves(judgement.probabilities, judgement.window)
        report |= {"slices": slices(judgement.probabilities, judgement.window), "effects": judgement.effects}
    return report


def table(report: Report) -> str:
    """Return the figures of a report for the screen: of the forest, the baselines and, if known, the model in use."""
    if report.get("kind") == PURCHASE_PROCESS:
        of_whom = "as it is usual for shops" if report["source"] == "prior" else f"of {report['customers']:,} customers"
        return f"the purchase process {of_whom}, for there is no forest yet: {report['why']}"
    width = 2 + max(map(len, MODELS.values()))
    lines = [
        f"held-out window: {report['customers']:,} customers, {report['churned']:.1%} churned",
        f"{'':{width}}{'ROC AUC':>9}{'PR AUC':>9}{'Brier':>9}{'top-decile lift':>17}",
    ]
    for key, label in MODELS.items():
        if key in report:
            figures = report[key]
            lines.append(
                f"{label:{width}}{figures['auc']:9.3f}{figures['pr_auc']:9.3f}{figures['brier']:9.3f}"
                f"{figures['top_decile_lift']:17.2f}"
            )
    return "\n".join(lines)


def _check(fitted: Sequence[Snapshots], held_out: Snapshots) -> None:
    for what, labels in (
        ("to learn from", [label for window in fitted for label in window.labels]),
        ("in the newest window", held_out.labels),
    ):
        customers, churned = len(labels), sum(labels)
        if customers < FEWEST_CUSTOMERS:
            raise TooLittleHistoryError(
                f"there are {customers} customers' snapshots {what}; {FEWEST_CUSTOMERS} are needed"
            )
        if churned in {0, customers}:
            raise TooLittleHistoryError(
                f"all {customers} customers {what} {'left' if churned else 'stayed'}: there is nothing to tell apart; "
                f"at least {FEWEST_OF_A_KIND} who left and {FEWEST_OF_A_KIND} who stayed are needed"
            )
        if min(churned, customers - churned) < FEWEST_OF_A_KIND:
            raise TooLittleHistoryError(
                f"{churned} of {customers} customers {what} left; "
                f"at least {FEWEST_OF_A_KIND} who left and {FEWEST_OF_A_KIND} who stayed are needed"
            )


def _training_set(fitted: Sequence[Snapshots], process: dict[str, float]) -> tuple[TrainingSet, list[str]]:
    """Return each snapshot with all inputs and with the 12 features alone, and the columns that do not vary.

    Raises CannotTrainError if the last order says nothing, or if one column alone separates those who churned.
    """
    inputs = np.vstack([window.inputs for window in fitted])
    columns = np.hstack([inputs, derived(inputs, process)])
    churned = np.concatenate([window.churned for window in fitted])
    _refuse_leaks(columns, churned)
    constant = [name for name, column in zip(COLUMNS, columns.T, strict=True) if _is_constant(column)]
    if "days_since_last_order" in constant:
        raise CannotTrainError("all customers ordered last at the same time: look at the orders' times")
    for name in constant:
        columns[:, COLUMNS.index(name)] = np.nan
    # Half of the rows know the 12 features alone, as a client gives them.
    twelve = inputs.copy()
    twelve[:, [INPUT_NAMES.index(name) for name in STATE_COLUMNS]] = np.nan
    masked = np.hstack([twelve, derived(twelve, process)])
    for name in constant:
        masked[:, COLUMNS.index(name)] = np.nan
    windows = np.repeat(np.arange(len(fitted)), [len(window.labels) for window in fitted])
    folds = np.concatenate([window.folds for window in fitted])
    rows = TrainingSet(np.vstack([columns, masked]), np.tile(churned, 2), np.tile(folds, 2), np.tile(windows, 2))
    return rows, constant


def _is_constant(column: Floats) -> bool:
    return bool(np.isnan(column).all() or (column == column[0]).all())


def _refuse_leaks(columns: Floats, churned: Flags) -> None:
    step = max(1, len(churned) // _LEAK_ROWS)
    labels = churned[::step]
    for name, column in zip(COLUMNS, columns[::step].T, strict=True):
        # Whether a value is missing may give the label away too: missing values sort below, then above all others.
        for filled in (np.nan_to_num(column, nan=-np.inf), np.nan_to_num(column, nan=np.inf)):
            auc = roc_auc(filled, labels)
            if max(auc, 1 - auc) > LEAK_AUC:
                raise CannotTrainError(
                    f"{name} alone tells who left (ROC AUC {max(auc, 1 - auc):.3f}, above {LEAK_AUC}): it looks as if "
                    "it held what happened after the cut-off"
                )


def code_versions(service_version: str) -> dict[str, str]:
    """Return the versions of the code that a model was made with, for its metadata."""
    from sklearn import __version__ as scikit_learn  # noqa: PLC0415 (seconds to import)

    return {
        "service_version": service_version,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": scikit_learn,
    }


def _described(window: Snapshots, role: str) -> dict[str, Any]:
    return {
        "cut_off": iso(from_millis(window.cut_off)),
        "role": role,
        "customers": len(window.labels),
        "churned": float(window.churned.mean()),
    }
