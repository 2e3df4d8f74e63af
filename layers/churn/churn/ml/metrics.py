"""Metrics of churn probabilities, for training and for monitoring; with numpy alone.

`probabilities` and `churned` have the shape (n,), a customer each, as have `weights`: how often each customer counts,
once by default. If all churned or all stayed, metrics that compare the two are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from churn.domain.assumptions import Campaign
from churn.ml.arrays import Flags, Floats

Intervals = dict[str, tuple[float, float]]

BINS = 15
_NEAREST = 1e-12
USUAL_CAMPAIGN = Campaign()

# The probabilities that an offer is accepted.
_ACCEPTED = (np.arange(100) + 0.5) / 100
_SHARES = np.arange(101) / 100


class Measure(Protocol):
    """A metric of probabilities."""

    def __call__(self, probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
        """Return the metric's value."""


def roc_auc(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the share of pairs, of a churner and a stayer, that are in the right order; ties count half."""
    hits, misses = _by_falling_probability(probabilities, churned, weights)
    if not hits.sum() or not misses.sum():
        return float("nan")
    below = misses.sum() - np.cumsum(misses)
    return float((hits * (below + misses / 2)).sum() / (hits.sum() * misses.sum()))


def average_precision(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the mean precision over the steps in which recall rises (PR AUC without interpolation)."""
    hits, misses = _by_falling_probability(probabilities, churned, weights)
    if not hits.sum():
        return float("nan")
    caught = np.cumsum(hits)
    # A group of ties without weight adds nothing.
    return float((hits * caught / np.maximum(caught + np.cumsum(misses), _NEAREST)).sum() / hits.sum())


def brier(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the mean squared distance of the probabilities from the outcomes (Brier 1950)."""
    return float(np.average((probabilities - churned) ** 2, weights=weights))


def brier_skill(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the share by which the Brier score is better than that of the base rate for everybody."""
    rate = float(np.average(churned, weights=weights))
    return 1 - brier(probabilities, churned, weights) / (rate * (1 - rate)) if 0 < rate < 1 else float("nan")


def log_loss(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the mean negative logarithm of the outcomes' probabilities."""
    of_outcome = np.clip(np.where(churned, probabilities, 1 - probabilities), _NEAREST, 1)
    return float(-np.average(np.log(of_outcome), weights=weights))


def calibration_error(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the expected calibration error (ECE), in 15 bins of equal width (Guo et al. 2017).

    It is the distance of each bin's share of churners from its mean probability, weighted by its size.
    """
    counts = np.ones(len(churned)) if weights is None else weights
    number = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    distance = np.bincount(number, counts * (probabilities - churned), BINS)
    return float(np.abs(distance).sum() / counts.sum())


def top_decile_lift(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the share of churners among the riskiest tenth, as a multiple of the base rate."""
    order = _falling(probabilities)
    counts = np.ones(len(churned)) if weights is None else weights[order]
    tenth = max(1.0, counts.sum() // 10)
    taken = np.clip(tenth - (np.cumsum(counts) - counts), 0, counts)
    rate = float((counts * churned[order]).sum() / counts.sum())
    return float((taken * churned[order]).sum() / tenth) / rate if rate else float("nan")


def accuracy(probabilities: Floats, churned: Flags, weights: Floats | None = None) -> float:
    """Return the share of customers on the right side of 0.5."""
    return float(np.average((probabilities >= 0.5) == churned, weights=weights))


def expected_maximum_profit(
    probabilities: Floats, churned: Flags, weights: Floats | None = None, campaign: Campaign = USUAL_CAMPAIGN
) -> float:
    """Return the profit of a campaign to the riskiest, per customer of the shop, in units of currency (EMPC).

    For each probability that the offer is accepted, which has a beta distribution, the campaign reaches the best share
    of customers, in steps of 1 %; the profit is the mean over that probability (Verbraken, Verbeke and Baesens, A novel
    profit maximizing metric for measuring classification performance of customer churn prediction models, IEEE TKDE 25,
    2013).
    """
    hits, misses = _by_falling_probability(probabilities, churned, weights)
    churners, reached = np.cumsum(hits), np.cumsum(hits + misses)
    total = reached[-1]
    # A campaign may reach a part of a group of ties.
    caught = np.interp(_SHARES * total, np.append(0, reached), np.append(0, churners)) / total
    profit = np.outer(_ACCEPTED * (campaign.customer_value - campaign.offer_cost) - campaign.contact_cost, caught)
    profit -= (campaign.offer_cost + campaign.contact_cost) * (_SHARES - caught)
    return float(_likely(campaign) @ profit.max(axis=1))


def _likely(campaign: Campaign) -> Floats:
    """Return how likely each probability of _ACCEPTED is, shape (100,)."""
    logs = (campaign.offers_accepted - 1) * np.log(_ACCEPTED) + (campaign.offers_declined - 1) * np.log1p(-_ACCEPTED)
    likely: Floats = np.exp(logs - logs.max())
    return likely / likely.sum()


def _falling(probabilities: Floats) -> npt.NDArray[np.int64] | slice:
    """Return the order of customers from the riskiest on; a slice of all if they are sorted already."""
    if (probabilities[1:] <= probabilities[:-1]).all():
        return slice(None)
    return np.argsort(-probabilities, kind="stable")


def _by_falling_probability(probabilities: Floats, churned: Flags, weights: Floats | None) -> tuple[Floats, Floats]:
    """Count who churned and who stayed in each group of ties, the riskiest first."""
    order = _falling(probabilities)
    counts = np.ones(len(churned)) if weights is None else weights[order]
    hits = counts * churned[order]
    falling = probabilities[order]
    starts = np.append(True, falling[1:] != falling[:-1])
    if starts.all():
        return hits, counts - hits
    first = np.flatnonzero(starts)
    return np.add.reduceat(hits, first), np.add.reduceat(counts - hits, first)


MEASURES: Mapping[str, Measure] = {
    "accuracy": accuracy,
    "auc": roc_auc,
    "pr_auc": average_precision,
    "brier": brier,
    "brier_skill": brier_skill,
    "log_loss": log_loss,
    "ece": calibration_error,
    "top_decile_lift": top_decile_lift,
    "profit": expected_maximum_profit,
}
"""Every metric by its name in reports, tables and CloudWatch."""

HIGHER_IS_BETTER = frozenset({"accuracy", "auc", "pr_auc", "brier_skill", "top_decile_lift", "profit"})


def measure(
    probabilities: Floats, churned: Flags, weights: Floats | None = None, campaign: Campaign = USUAL_CAMPAIGN
) -> dict[str, float]:
    """Return all of `MEASURES`; the profit is that of `campaign`."""
    figures = {name: figure(probabilities, churned, weights) for name, figure in MEASURES.items() if name != "profit"}
    return figures | {"profit": expected_maximum_profit(probabilities, churned, weights, campaign)}


def expected(probabilities: Floats) -> dict[str, float]:
    """Estimate `accuracy`, `auc`, `brier`, `log_loss` and `top_decile_lift` before outcomes are known.

    Confidence-based performance estimation (CBPE, as in NannyML): a customer counts as churned with the predicted
    probability, so the estimates are as good as the calibration. Shape (n,), with n at least 1.
    """
    stays = 1 - probabilities
    _, place = np.unique(probabilities, return_inverse=True)
    churners, stayers = np.bincount(place, probabilities), np.bincount(place, stays)
    # A churner is in the right order with all stayers below, and with half of the ties.
    right = float(np.sum(churners * (np.cumsum(stayers) - stayers / 2)))
    pairs = float(churners.sum() * stayers.sum())
    riskiest = np.sort(probabilities)[-max(1, len(probabilities) // 10) :]
    rate = float(probabilities.mean())
    clipped = np.clip(probabilities, _NEAREST, 1 - _NEAREST)
    return {
        "accuracy": float(np.maximum(probabilities, stays).mean()),
        "auc": right / pairs if pairs else float("nan"),
        "brier": float(np.mean(probabilities * stays)),
        "log_loss": float(-np.mean(probabilities * np.log(clipped) + stays * np.log(1 - clipped))),
        "top_decile_lift": float(riskiest.mean()) / rate if rate else float("nan"),
    }


def reliability(probabilities: Floats, churned: Flags, bins: int = 10) -> list[dict[str, float]]:
    """Return the reliability curve: `count`, mean `predicted` and `observed` share of up to `bins` equal groups."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), min(bins, len(churned)))
    return [
        {
            "count": len(part),
            "predicted": float(probabilities[part].mean()),
            "observed": float(churned[part].mean()),
        }
        for part in parts
    ]


def deciles(probabilities: Floats, churned: Flags) -> list[dict[str, float]]:
    """Return `lift` and `capture`, the share of all churners, of the riskiest tenth, two tenths … of the customers."""
    order = np.argsort(-probabilities, kind="stable")
    rate, total = float(churned.mean()), int(churned.sum())
    answer = []
    for tenth in range(1, 11):
        taken = churned[order[: max(1, len(churned) * tenth // 10)]]
        answer.append(
            {
                "share": tenth / 10,
                "lift": float(taken.mean()) / rate if rate else float("nan"),
                "capture": int(taken.sum()) / total if total else float("nan"),
            }
        )
    return answer


def bootstrap(
    models: Mapping[str, Floats],
    churned: Flags,
    *,
    rounds: int = 200,
    seed: int = 1,
    level: float = 0.95,
    campaign: Campaign = USUAL_CAMPAIGN,
) -> dict[str, Intervals]:
    """Return percentile intervals of every metric and model, all on the same resamples of customers (Efron 1979)."""
    drawn = _resampled(models, churned, rounds, seed, campaign)
    return {
        name: {figure: _interval(values, level) for figure, values in figures.items()}
        for name, figures in drawn.items()
    }


def bootstrap_beside(
    models: Mapping[str, Floats],
    first: str,
    churned: Flags,
    *,
    rounds: int = 200,
    seed: int = 1,
    level: float = 0.95,
    campaign: Campaign = USUAL_CAMPAIGN,
) -> tuple[dict[str, Intervals], dict[str, Intervals]]:
    """Return `bootstrap`, and the intervals of the `first` model's metrics minus those of each other model."""
    drawn = _resampled(models, churned, rounds, seed, campaign)
    best = drawn[first]
    intervals = {
        name: {figure: _interval(values, level) for figure, values in figures.items()}
        for name, figures in drawn.items()
    }
    differences = {
        name: {figure: _interval(best[figure] - values, level) for figure, values in figures.items()}
        for name, figures in drawn.items()
        if name != first
    }
    return intervals, differences


def bootstrap_difference(
    first: Floats, second: Floats, churned: Flags, *, rounds: int = 200, seed: int = 1, level: float = 0.95
) -> Intervals:
    """Return percentile intervals of the metrics of `first` minus those of `second`, on the same resamples."""
    drawn = _resampled({"first": first, "second": second}, churned, rounds, seed, USUAL_CAMPAIGN)
    return {figure: _interval(drawn["first"][figure] - drawn["second"][figure], level) for figure in MEASURES}


def _resampled(
    models: Mapping[str, Floats], churned: Flags, rounds: int, seed: int, campaign: Campaign
) -> dict[str, dict[str, Floats]]:
    random = np.random.default_rng(seed)
    drawn: dict[str, dict[str, Floats]] = {name: {figure: np.empty(rounds) for figure in MEASURES} for name in models}
    # Sorted once, because `_falling` is quick for sorted probabilities.
    orders = {name: np.argsort(-probabilities, kind="stable") for name, probabilities in models.items()}
    sorted_models = {
        name: (probabilities[orders[name]], churned[orders[name]]) for name, probabilities in models.items()
    }
    for turn in range(rounds):
        weights = np.bincount(random.integers(0, len(churned), len(churned)), minlength=len(churned)).astype(float)
        for name, (probabilities, kinds) in sorted_models.items():
            for figure, value in measure(probabilities, kinds, weights[orders[name]], campaign).items():
                drawn[name][figure][turn] = value
    return drawn


def _interval(values: npt.NDArray[Any], level: float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high
