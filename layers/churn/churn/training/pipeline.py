"""The steps of training: snapshots of histories, a forest, its calibration, and its test on the newest window.

Every snapshot is taken with `churn.domain.features` from the events strictly before its cut-off; its label is whether
the customer ordered nothing in the horizon that follows. Customers without an order in the look-back have lapsed
already and are left out. The newest window is held out by time: the label windows of the fitted snapshots end before
its cut-off. Where customers are split at random, all snapshots of one customer are on the same side.

The forest is fitted to each snapshot twice: with all inputs, and with the 12 features alone, so that it can also answer
for customers of whom only these are known.

After the test the model is fitted again to all windows, the tested one too (`churn.training.freshness`). The figures
are those of the tested model.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES
from churn.domain.model import PURCHASE_PROCESS
from churn.domain.timestamps import from_millis, iso, to_millis
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import BlendedModel
from churn.ml.drift import reference
from churn.ml.loading import LearnedModel, StoredModel
from churn.training.baselines import baselines, recency_alone
from churn.training.bg_nbd import fitted_process
from churn.training.evaluation import Window, curves, effects, figures, plain, probabilities, slices
from churn.training.fitting import Choice, fit
from churn.training.freshness import as_of_cut_off, at_level, chosen_form, forms_of_now
from churn.training.level import without_level
from churn.training.plan import Plan, TooLittleHistoryError
from churn.training.promotion_gate import InUse, changes, gate
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
    earlier_cut_offs,
    scan_histories,
    take_snapshots,
)
from churn.training.spending import fit_spending, judge_spending, with_interval
from churn.training.training_set import training_set_of

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainedModel[M: StoredModel]:
    """A trained model, its `report` (see `train`), and the customers that it was tested on, if there were any.

    The `gate` in the model's metadata says whether it may be promoted. `tested` is the model that the figures are of,
    if that is not the one to serve: `freshness` of the metadata names it.
    """

    model: M
    report: Report
    held_out: Window | None = None
    tested: M | None = None


Trained = TrainedModel[LearnedModel] | TrainedModel[PurchaseModel]


@dataclass(frozen=True, slots=True)
class _Data:
    """The data to fit and to test, prepared from the histories."""

    extent: Extent
    earlier: Sequence[Snapshots]
    """Before those to fit: they weigh a blend as well."""
    fitted: Sequence[Snapshots]
    held_out: Snapshots
    latest: Snapshots
    """Everybody's orders until now; its labels are not known."""
    process: dict[str, float]
    """The parameters of the purchase process at the newest window learned from, with its horizon."""
    current_process: dict[str, float]
    """The same at the cut-off of the window held out: they need no labels."""
    spending: dict[str, Any] | None


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
    current: InUse | None = None,
    source: str = "history",
    service_version: str = "",
    progress: Progress = lambda _: None,
) -> TrainedModel[LearnedModel]:
    """Train a model on the histories; orders after `now` are ignored.

    `current` is the model in use, for comparison on the held-out window. `source` says in the model's metadata where
    the histories come from. `progress` is called with each step in a few words.

    The report is ready for JSON. Of the held-out window it has `customers`, `churned` (their share), and the figures
    (`churn.ml.metrics`) of `forest`, the tested model, of the baselines, and of the `current` one; with `plan.search`
    also their `intervals` and `differences`, `reliability`, `deciles`, `slices`, `effects`. Of the rest: `definition`,
    `windows`, `data`, `search`, `constant` (columns that do not vary, and are not used), `gate`, `change`, and
    `freshness`: which form of the model serves, and how near the tested one it is.

    Raises CannotTrainError if there is too little history, if there are too few customers or all of one kind, or if a
    feature contains the label.
    """
    plan = plan or Plan()
    data = _prepare(histories, now, plan, progress)
    provenance = {"trained_at": iso(now.replace(microsecond=0)), "source": source}
    training_set, constant = training_set_of(data.fitted, data.process)
    facts = _facts(data, provenance, code_versions(service_version))
    learned, choice = fit(training_set, data.fitted, plan, facts, progress, earlier=data.earlier)
    tested = at_level(learned, choice, data.held_out)
    judgement = _judge(tested, training_set, data, current, plan, progress)
    # The second fit needs the memory.
    del training_set
    forms = forms_of_now(tested, choice, [*data.fitted, data.held_out], data.latest, plan, progress)
    served, freshness = chosen_form(tested, forms, judgement.window, judgement.probabilities)
    tested, model = _with_figures(tested, served, judgement, data, freshness)
    report = _report(model, data, judgement, current, plan, choice)
    report |= {"constant": constant, "money": judge_spending(data.held_out, tested.metadata)}
    return TrainedModel(model, plain(report), judgement.window, None if tested is model else tested)


def _prepare(histories: Histories, now: datetime, plan: Plan, progress: Progress) -> _Data:
    if iter(histories) is histories:
        raise TypeError("the histories are gone through twice: pass a collection, not a generator")
    extent = scan_histories(histories, now, progress)
    at = [*cut_offs(extent, plan), to_millis(now)]
    before = earlier_cut_offs(extent, plan, at[0]) if plan.search and plan.blend else []
    windows = take_snapshots(histories, at, extent, plan, progress, before)
    earlier, (*fitted, held_out, latest) = windows[: len(before)], windows[len(before) :]
    _check(fitted, held_out)
    progress(f"fitting the purchase process of {len(fitted[-1].buying):,} customers")
    process = fitted_process(fitted[-1].buying, plan)
    current_process = fitted_process(held_out.buying, plan)
    spending = with_interval(fit_spending(held_out.values_of_orders), current_process, fitted)
    return _Data(extent, earlier, fitted, held_out, latest, process, current_process, spending)


def _facts(data: _Data, provenance: dict[str, str], code: dict[str, str]) -> dict[str, Any]:
    """Return the metadata of the tested model that do not follow from the rows."""
    return {
        "purchase_process": data.process,
        "current_process": data.current_process,
        "spending": data.spending,
        **provenance,
        "tested_at": iso(from_millis(data.held_out.cut_off)),
        "data": data.extent.described(),
        "code": code,
    }


def _with_figures(
    tested: LearnedModel, served: LearnedModel, judgement: _Judgement, data: _Data, freshness: dict[str, Any]
) -> tuple[LearnedModel, LearnedModel]:
    """Return the tested model and the one to serve with figures, gate and drift reference; one model if they are one.

    The figures of both are the tested model's, which `freshness` names; the scores of the drift reference are each
    model's own.
    """
    window, at = judgement.window, iso(from_millis(data.held_out.cut_off))

    def with_figures(model: LearnedModel, form: str, **more: Any) -> LearnedModel:
        columns = {name: window.of(name) for name in FEATURE_NAMES}
        histograms = reference(columns, probabilities(model, window.inputs))
        return model.with_metadata(
            metrics=plain({key: value for key, value in judgement.metrics.items() if key != "differences"}),
            gate=judgement.gate,
            importance=judgement.importance,
            reference={**histograms, "tested_at": at, "scores_of": form},
            **more,
        )

    as_of = {"as_of": iso(from_millis(data.latest.cut_off))}
    if served is tested:
        only = with_figures(tested, "as_tested", freshness={**freshness, **as_of, "tested_version": None})
        return only, only
    known = with_figures(tested, "as_tested")
    figures_of = {**as_of, "tested_version": known.version}
    return known, with_figures(served, freshness["served"], freshness={**freshness, **figures_of})


def _judge(
    model: LearnedModel,
    training_set: TrainingSet,
    data: _Data,
    current: InUse | None,
    plan: Plan,
    progress: Progress,
) -> _Judgement:
    progress(f"testing on {len(data.held_out.labels):,} customers of the newest window")
    window = Window(data.held_out.inputs, data.held_out.churned, plan.campaign)
    answer = probabilities(model, window.inputs)
    answers = {"forest": answer, "recency": recency_alone(training_set.columns, training_set.churned, window)}
    if isinstance(model, BlendedModel):
        answers["alone"] = probabilities(model.forest, window.inputs)
        if "shift" in model.metadata["blend"]:
            answers["unmoved"] = probabilities(without_level(model), window.inputs)
    if plan.search:
        answers |= baselines(training_set, window, model, progress)
    if current is not None and current.tested is not None:
        answers["current"] = probabilities(
            as_of_cut_off(current.tested, data.current_process, window.inputs), window.inputs
        )
    verdict = gate(answer, model, current, answers.get("current"), window)
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
    current: InUse | None,
    plan: Plan,
    choice: Choice,
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
        "search": choice.search,
        "gate": judgement.gate,
        "change": [] if current is None else changes(model.metadata, current.model.metadata, judgement.importance),
        "freshness": model.metadata["freshness"],
        "weights": choice.weights,
        "level": choice.level,
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
