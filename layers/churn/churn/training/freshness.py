"""Bringing a tested model up to now with what needs no labels: the purchase process and the values of orders."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from churn.domain.timestamps import from_millis, iso
from churn.ml.arrays import Floats
from churn.ml.blend import BlendedModel
from churn.ml.loading import LearnedModel, StoredModel
from churn.training.bg_nbd import fitted_process
from churn.training.evaluation import Window, probabilities
from churn.training.plan import Plan
from churn.training.snapshots import Snapshots
from churn.training.spending import fit_spending, with_interval

MOST_DIFFERENCE = 0.02
LEAST_RANK_CORRELATION = 0.95


def brought_up_to_now(
    tested: LearnedModel, latest: Snapshots, windows: Sequence[Snapshots], window: Window, answer: Floats, plan: Plan
) -> tuple[LearnedModel, dict[str, Any]]:
    """Return the tested model with the process and the values of orders as of `latest`, and how it differs.

    It stays as tested if the mean probability of the held-out window would move by 0.02 or more, or if the rank
    correlation with the tested probabilities, `answer`, were 0.95 or less. `windows` are those with known spend.
    """
    process = fitted_process(latest.buying, plan)
    spending = with_interval(fit_spending(latest.values_of_orders), process, windows)
    fresh = tested.with_metadata(current_process=process, spending=spending)
    now = probabilities(fresh, window.inputs)
    difference, correlation = float(now.mean() - answer.mean()), _rank_correlation(now, answer)
    is_kept = abs(difference) < MOST_DIFFERENCE and correlation > LEAST_RANK_CORRELATION
    facts = {
        "served": "brought_up_to_now" if is_kept else "as_tested",
        "as_of": iso(from_millis(latest.cut_off)),
        "mean_difference": difference,
        "rank_correlation": correlation,
    }
    return fresh if is_kept else tested, facts


def as_of_cut_off(current: StoredModel, process: Mapping[str, float]) -> StoredModel:
    """Return the model in use as it would have served at the cut-off whose `process` is given.

    The process that it serves with knows the orders of the window that both models are compared on.
    """
    if not isinstance(current, BlendedModel):
        return current
    horizon = current.metadata["current_process"]["horizon_days"]
    return current.with_metadata(current_process={**process, "horizon_days": horizon})


def _rank_correlation(one: Floats, other: Floats) -> float:
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
