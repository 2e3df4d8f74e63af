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

from churn.domain.features import FEATURE_NAMES, FEATURES_VERSION
from churn.domain.model import PURCHASE_PROCESS
from churn.domain.timestamps import DAY, from_millis, iso, to_millis
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import BlendedModel
from churn.ml.drift import reference
from churn.ml.loading import LearnedModel, StoredModel
from churn.ml.random_forest import COLUMNS, ChurnModel
from churn.training.baselines import baselines, recency_alone
from churn.training.bg_nbd import fitted_process
from churn.training.blend import blended, choose_weights
from churn.training.calibration import calibration
from churn.training.evaluation import Window, curves, effects, figures, plain, probabilities, slices
from churn.training.freshness import as_of_cut_off, brought_up_to_now
from churn.training.plan import Plan, TooLittleHistoryError
from churn.training.promotion_gate import changes, gate
from churn.training.random_forest import ForestTrainer, Shape, out_of_fold, search
from churn.training.report_html import MODELS
from churn.training.snapshots import (
    FEWEST_CUSTOMERS,
    FEWEST_OF_A_KIND,
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
from churn.training.training_set import training_set_of

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainedModel[M: StoredModel]:
    """A trained model, its `report` (see `train`), and the customers that it was tested on, if there were any.

    The `gate` in the model's metadata says whether it may be promoted.
    """

    model: M
    report: Report
    held_out: Window | None = None


Trained = TrainedModel[LearnedModel] | TrainedModel[PurchaseModel]


@dataclass(frozen=True, slots=True)
class _Data:
    """The data to fit and to test, prepared from the histories."""

    extent: Extent
    fitted: Sequence[Snapshots]
    held_out: Snapshots
    latest: Snapshots
    """Everybody's orders until now; its labels are not known."""
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
) -> TrainedModel[LearnedModel]:
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
    tested, searched = _fit(data, plan, provenance, code_versions(service_version), progress)
    judgement = _judge(tested, data, current, plan, progress)
    window = judgement.window
    served, freshness = brought_up_to_now(
        tested, data.latest, [*data.fitted, data.held_out], window, judgement.probabilities, plan
    )
    model = served.with_metadata(
        metrics=plain({key: value for key, value in judgement.metrics.items() if key != "differences"}),
        gate=judgement.gate,
        importance=judgement.importance,
        freshness=freshness,
        reference=reference({name: window.of(name) for name in FEATURE_NAMES}, probabilities(served, window.inputs)),
    )
    report = _report(model, data, judgement, current, plan, searched)
    report["money"] = judge_spending(data.held_out, tested.metadata)
    return TrainedModel(model, plain(report), window)


def _prepare(histories: Histories, now: datetime, plan: Plan, progress: Progress) -> _Data:
    if iter(histories) is histories:
        raise TypeError("the histories are gone through twice: pass a collection, not a generator")
    extent = scan_histories(histories, now, progress)
    at = [*cut_offs(extent, plan), to_millis(now)]
    *fitted, held_out, latest = take_snapshots(histories, at, extent, plan, progress)
    _check(fitted, held_out)
    progress(f"fitting the purchase process of {len(fitted[-1].buying):,} customers")
    process = fitted_process(fitted[-1].buying, plan)
    current_process = fitted_process(held_out.buying, plan)
    spending = with_interval(fit_spending(held_out.values_of_orders), current_process, fitted)
    training_set, constant = training_set_of(fitted, process)
    return _Data(extent, fitted, held_out, latest, process, current_process, spending, training_set, constant)


def _fit(
    data: _Data, plan: Plan, provenance: dict[str, str], code: dict[str, str], progress: Progress
) -> tuple[LearnedModel, dict[str, Any] | None]:
    """Fit and calibrate a forest, and blend it if the plan says so; return it with the search for its shape, if any."""
    training_set = data.training_set
    trainer = ForestTrainer(training_set, 2, plan.seed)
    shape, searched = Shape(), None
    last = data.fitted[-1].cut_off
    before = [window.cut_off + plan.horizon_days * DAY <= last for window in data.fitted]
    if plan.search:
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
    model = ChurnModel.from_trees([estimator.tree_ for estimator in forest.estimators_], metadata)
    if not (plan.blend and plan.search):
        return model, searched
    weights = choose_weights(trainer, training_set, unseen, shape, before, progress)
    return blended(model, training_set, weights), searched


def _judge(model: LearnedModel, data: _Data, current: StoredModel | None, plan: Plan, progress: Progress) -> _Judgement:
    progress(f"testing on {len(data.held_out.labels):,} customers of the newest window")
    training_set, window = data.training_set, Window(data.held_out.inputs, data.held_out.churned, plan.campaign)
    answer = probabilities(model, window.inputs)
    answers = {"forest": answer, "recency": recency_alone(training_set.columns, training_set.churned, window)}
    if isinstance(model, BlendedModel):
        answers["alone"] = probabilities(model.forest, window.inputs)
    if plan.search:
        answers |= baselines(training_set, window, model, progress)
    in_use = None if current is None else probabilities(as_of_cut_off(current, data.current_process), window.inputs)
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
    model: LearnedModel,
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
        "freshness": model.metadata["freshness"],
        "weights": model.metadata["blend"]["weights"] if "blend" in model.metadata else None,
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
