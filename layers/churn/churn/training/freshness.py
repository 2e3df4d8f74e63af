"""Bringing a tested model up to now: fitted again to all windows, and with the purchase process of today."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from churn.domain.model import source_of
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import BlendedModel
from churn.ml.loading import LearnedModel, StoredModel
from churn.training.bg_nbd import fitted_process
from churn.training.evaluation import Window, probabilities
from churn.training.fitting import Choice, fit
from churn.training.level import with_level
from churn.training.plan import Plan
from churn.training.snapshots import Progress, Snapshots
from churn.training.spending import fit_spending, with_interval
from churn.training.training_set import training_set_of

MOST_DIFFERENCE = 0.02
LEAST_RANK_CORRELATION = 0.95

Form = Literal["refitted", "brought_up_to_now"]


def forms_of_now(
    tested: LearnedModel,
    choice: Choice,
    windows: Sequence[Snapshots],
    latest: Snapshots,
    plan: Plan,
    progress: Progress,
) -> Iterator[tuple[Form, LearnedModel]]:
    """Yield forms of a tested model that know more than it does, the one that knows most first.

    `windows` are all with known labels, the tested one last; `latest` are everybody's orders until now. `refitted`
    learned from all windows, with the shape and the weights of the tested model. `brought_up_to_now` learned from what
    the tested model did. Both have the purchase process and the values of orders of now, which need no labels.
    """
    progress("bringing the purchase process up to now")
    process = fitted_process(latest.buying, plan)
    spending = with_interval(fit_spending(latest.values_of_orders), process, windows)
    of_now = {"current_process": process, "spending": spending}
    at_newest_window = tested.metadata["current_process"]
    kept = {name: tested.metadata[name] for name in ("trained_at", "source", "tested_at", "data", "code")}
    progress("fitting the model again, to the newest window as well")
    training_set, _ = training_set_of(windows, at_newest_window)
    facts = {**kept, "purchase_process": at_newest_window, **of_now}
    yield "refitted", at_level(fit(training_set, windows, plan, facts, progress, choice=choice)[0], choice, latest)
    yield "brought_up_to_now", at_level(tested.with_metadata(**of_now), choice, latest)


def at_level(model: LearnedModel, choice: Choice, window: Snapshots) -> LearnedModel:
    """Return the model with the level expected for a window, where the choice is to move it."""
    if isinstance(model, BlendedModel) and choice.moves_level and len(window.inputs):
        return with_level(model, window.inputs)
    return model


def chosen_form(
    tested: LearnedModel, forms: Iterator[tuple[Form, LearnedModel]], window: Window, answer: Floats
) -> tuple[LearnedModel, dict[str, Any]]:
    """Return the first of the `forms` that is near the tested model, else this itself; with what serves and why.

    A form is near if its mean probability on the tested window differs by less than 0.02, and its rank correlation with
    the tested probabilities, `answer`, is above 0.95.
    """
    tried = []
    for form, model in forms:
        now = probabilities(model, window.inputs)
        difference, correlation = float(now.mean() - answer.mean()), rank_correlation(now, answer)
        near = is_near(difference, correlation)
        tried.append({"form": form, "mean_difference": difference, "rank_correlation": correlation, "served": near})
        if near:
            return model, {"served": form, "tried": tried}
    return tested, {"served": "as_tested", "tried": tried}


def is_near(difference: float, correlation: float) -> bool:
    """Return whether a form of a model is near it: by the difference of mean probabilities, and rank correlation."""
    return abs(difference) < MOST_DIFFERENCE and correlation > LEAST_RANK_CORRELATION


def as_of_cut_off(model: StoredModel, process: Mapping[str, float], inputs: Floats) -> StoredModel:
    """Return a model as it would have served at the cut-off whose `process` and customers' inputs are given.

    A process that was fitted to the shop's orders knows those of the window that both models are compared on.
    """
    if isinstance(model, PurchaseModel) and source_of(model.metadata) == "shop":
        return model.with_process(process)
    if not isinstance(model, BlendedModel):
        return model
    horizon = model.metadata["current_process"]["horizon_days"]
    then = model.with_metadata(current_process={**process, "horizon_days": horizon})
    return with_level(then, inputs) if "shift" in model.metadata["blend"] else then


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's rank correlation; 1 where neither varies."""
    ranks = [_mean_ranks(values) for values in (one, other)]
    if min(rank.std() for rank in ranks) == 0:
        return 1.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _mean_ranks(values: Floats) -> Floats:
    """Return the rank of each value; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    answer: Floats = (last - (counts - 1) / 2)[place]
    return answer
