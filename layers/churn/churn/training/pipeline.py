"""A new model from customers' histories: snapshots, a forest, its calibration, and how good it is on the newest window.

Every snapshot is taken with `churn.domain.features` from the events strictly before its cut-off; its label is whether
the customer ordered nothing in the horizon that follows. Who has not ordered in the look-back has lapsed already and is
left out. The newest window is held out by time: the label windows of the fitted snapshots end before its cut-off.
Where customers are split at random, all snapshots of one are on the same side.

Each snapshot is learned twice: with all that the shop knows, and with the 12 features alone, so that the forest knows
what to do for whom nothing else is told.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, STATE_COLUMNS
from churn.domain.model import PURCHASE_PROCESS
from churn.domain.timestamps import DAY, from_millis, iso
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.drift import reference
from churn.ml.loading import StoredModel
from churn.ml.metrics import Flags, roc_auc
from churn.ml.random_forest import COLUMNS, ChurnModel, Floats, derived
from churn.training import evaluation as judging
from churn.training.bg_nbd import serves_already, train_purchases
from churn.training.evaluation import Window
from churn.training.forest import Grower, Learned, Shape, calibration, fit_purchase_process, out_of_fold, search
from churn.training.report_html import MODELS
from churn.training.snapshots import (
    FEWEST_CUSTOMERS,
    FEWEST_OF_A_KIND,
    LEAK_AUC,
    CannotTrain,
    Histories,
    Plan,
    Progress,
    Snapshots,
    TooLittleHistory,
    cut_offs,
    look,
    take,
)

Report = dict[str, Any]

_LEAK_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class TrainedModel[M: StoredModel]:
    """A trained model, its `report` (see `train`) and the customers that it was tested on, if there were any.

    The `gate` in the model's metadata says whether it may be promoted.
    """

    model: M
    report: Report
    held_out: Window | None = None


Trained = TrainedModel[ChurnModel] | TrainedModel[PurchaseModel]


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
    the histories come from. `progress` is told each step in a few words.

    The report is ready for JSON. Of the held-out window it has `customers`, `churned` (their share), and the figures
    (`churn.ml.metrics`) of `forest`, of the models beside it, and of the `current` one; with `plan.search` also their
    `intervals` and `differences`, `reliability`, `deciles`, `slices`, `effects`. Of the rest: `definition`, `windows`,
    `data`, `search`, `constant` (columns that do not vary, and are not asked), `gate`, `change`.

    Raises:
        CannotTrain: too little history, too few customers, all of one kind, or a feature that knows the answer.
    """
    plan = plan or Plan()
    if iter(histories) is histories:
        raise TypeError("the histories are gone through twice: pass a collection, not a generator")
    extent = look(histories, now, progress)
    *fitted, held_out = take(histories, cut_offs(extent, plan), extent, plan, progress)
    _check(fitted, held_out)

    progress(f"fitting the purchase process of {len(fitted[-1].buying):,} customers")
    process = {**fit_purchase_process(fitted[-1].buying), "horizon_days": float(plan.horizon_days)}
    learned, constant = _learned(fitted, process)
    grower = Grower(learned, 2, plan.seed)
    shape, searched = Shape(), None
    if plan.search:
        before = [window.cut_off + plan.horizon_days * DAY <= fitted[-1].cut_off for window in fitted]
        searched = search(grower, learned, before, plan.seed, progress)
        shape = Shape(**searched["chosen"])
    apart = out_of_fold(grower, learned, (plan.trees + 1) // 2, shape, progress)
    snapshots = len(learned.churned) // 2
    progress(f"growing {plan.trees} trees on {snapshots:,} snapshots")
    forest = grower(np.ones(len(learned.churned), dtype=np.bool_), plan.trees, shape)
    model = ChurnModel.from_trees(
        [estimator.tree_ for estimator in forest.estimators_],
        {
            "columns": [*COLUMNS],
            "calibration": calibration(apart, learned.churned),
            "purchase_process": process,
            "trained_at": iso(now.replace(microsecond=0)),
            "source": source,
            "horizon_days": plan.horizon_days,
            "lookback_days": plan.lookback_days,
            "fitted_at": [iso(from_millis(window.cut_off)) for window in fitted],
            "tested_at": iso(from_millis(held_out.cut_off)),
            "snapshots": snapshots,
            "base_rate": float(learned.churned.mean()),
            "forest": {"trees": plan.trees, "customers_a_leaf": shape.customers_a_leaf, "leaves": 64},
            "data": extent.described(),
            "code": _code(service_version),
        },
    )

    progress(f"testing on {len(held_out.labels):,} customers of the newest window")
    window = Window(held_out.inputs, held_out.churned)
    answer = judging.probabilities(model, window.inputs)
    answers = {"forest": answer, "recency": judging.recency_alone(learned.columns, learned.churned, window)}
    if plan.search:
        answers |= judging.baselines(learned, window, model, progress)
    in_use = None if current is None else judging.probabilities(current, window.inputs)
    if in_use is not None:
        answers["current"] = in_use
    verdict = judging.gate(answer, model, current, in_use, window)
    progress("intervals of the figures")
    metrics = {
        "customers": len(window.churned),
        "churned": float(window.churned.mean()),
        **judging.figures(answers, window, intervals=plan.search),
    }
    effects = judging.effects(model, window) if plan.search else []
    importance = {effect["feature"]: effect["importance"] for effect in effects}
    model = model.with_metadata(
        metrics=judging.plain({key: metrics[key] for key in metrics if key != "differences"}),
        gate=verdict,
        importance=importance,
        reference=reference({name: window.of(name) for name in FEATURE_NAMES}, answer),
    )
    report: Report = {
        "version": model.version,
        "trained_at": model.metadata["trained_at"],
        "source": source,
        "definition": {
            "horizon_days": plan.horizon_days,
            "lookback_days": plan.lookback_days,
            "embargo_days": plan.embargo_days,
        },
        "data": model.metadata["data"],
        "code": model.metadata["code"],
        "windows": [_described(snapshot, "learned") for snapshot in fitted] + [_described(held_out, "held out")],
        "forest_shape": model.metadata["forest"],
        "search": searched,
        "constant": constant,
        "gate": verdict,
        "change": [] if current is None else judging.change(model.metadata, current.metadata, importance),
        **metrics,
    }
    if plan.search:
        report |= judging.curves(answer, window)
        report |= {"slices": judging.slices(answer, window), "effects": effects}
    return TrainedModel(model, judging.plain(report), window)


def train_or_begin(
    histories: Histories,
    *,
    now: datetime,
    plan: Plan,
    current: StoredModel | None,
    service_version: str = "",
    progress: Progress = lambda _: None,
) -> Trained:
    """A forest as by `train`, or the purchase process of a shop too young for one, unless a forest serves already.

    Raises CannotTrain.
    """
    try:
        return train(histories, now=now, plan=plan, current=current, service_version=service_version, progress=progress)
    except TooLittleHistory as too_little:
        if serves_already(current):
            raise
        progress(f"no forest yet: {too_little}")
        try:
            model, report = train_purchases(
                histories, now=now, plan=plan, why=str(too_little), code=_code(service_version), progress=progress
            )
        except TooLittleHistory as error:
            raise TooLittleHistory(f"{too_little}; {error}") from None
    verdict = {
        "passed": True,
        "compared_with": None if current is None else current.version,
        "reasons": ["It knows the shop's own orders, and there is too little history for more."],
    }
    model = model.with_metadata(gate=verdict)
    return TrainedModel(model, judging.plain({**report, "version": model.version, "gate": verdict}))


def table(report: Report) -> str:
    """The figures of a report for the screen: the forest beside simpler models and, where known, the one in use."""
    if report.get("kind") == PURCHASE_PROCESS:
        return f"the purchase process of {report['customers']:,} customers, for there is no forest yet: {report['why']}"
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
            raise TooLittleHistory(f"there are {customers} customers' snapshots {what}; {FEWEST_CUSTOMERS} are needed")
        if churned in {0, customers}:
            raise TooLittleHistory(
                f"all {customers} customers {what} {'left' if churned else 'stayed'}: there is nothing to tell apart; "
                f"at least {FEWEST_OF_A_KIND} who left and {FEWEST_OF_A_KIND} who stayed are needed"
            )
        if min(churned, customers - churned) < FEWEST_OF_A_KIND:
            raise TooLittleHistory(
                f"{churned} of {customers} customers {what} left; "
                f"at least {FEWEST_OF_A_KIND} who left and {FEWEST_OF_A_KIND} who stayed are needed"
            )


def _learned(fitted: Sequence[Snapshots], process: dict[str, float]) -> tuple[Learned, list[str]]:
    """What is learned from, each snapshot with all inputs and with the 12 alone, and the columns that do not vary.

    Raises CannotTrain where the last order says nothing, or where one column tells who churned.
    """
    inputs = np.vstack([window.inputs for window in fitted])
    columns = np.hstack([inputs, derived(inputs, process)])
    churned = np.concatenate([window.churned for window in fitted])
    _refuse_leaks(columns, churned)
    constant = [name for name, column in zip(COLUMNS, columns.T, strict=True) if _is_constant(column)]
    if "days_since_last_order" in constant:
        raise CannotTrain("all customers ordered last at the same time: look at the orders' times")
    for name in constant:
        columns[:, COLUMNS.index(name)] = np.nan
    masked = columns.copy()
    masked[:, [COLUMNS.index(name) for name in STATE_COLUMNS]] = np.nan
    windows = np.repeat(np.arange(len(fitted)), [len(window.labels) for window in fitted])
    folds = np.concatenate([window.folds for window in fitted])
    learned = Learned(np.vstack([columns, masked]), np.tile(churned, 2), np.tile(folds, 2), np.tile(windows, 2))
    return learned, constant


def _is_constant(column: Floats) -> bool:
    return bool(np.isnan(column).all() or (column == column[0]).all())


def _refuse_leaks(columns: Floats, churned: Flags) -> None:
    step = max(1, len(churned) // _LEAK_ROWS)
    kinds = churned[::step]
    for name, column in zip(COLUMNS, columns[::step].T, strict=True):
        # What is missing is told from all values, on either side of them.
        for filled in (np.nan_to_num(column, nan=-np.inf), np.nan_to_num(column, nan=np.inf)):
            auc = roc_auc(filled, kinds)
            if max(auc, 1 - auc) > LEAK_AUC:
                raise CannotTrain(
                    f"{name} alone tells who left (ROC AUC {max(auc, 1 - auc):.3f}, above {LEAK_AUC}): it looks as if "
                    "it held what happened after the cut-off"
                )


def _code(service_version: str) -> dict[str, str]:
    from sklearn import __version__ as scikit_learn  # noqa: PLC0415 (a second to import)

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
