"""How good probabilities were, once it is known who churned; with numpy alone, for training and for what is served.

`probabilities` and `churned` have the shape (n,), a customer each. Where all are of one kind, what compares the two
kinds is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Measure = Callable[[Floats, Flags], float]

BINS = 15
_NEAREST = 1e-12


def roc_auc(probabilities: Floats, churned: Flags) -> float:
    """The share of pairs, one who churned and one who stayed, that are in the right order; ties count half."""
    positive = int(churned.sum())
    negative = len(churned) - positive
    if not positive or not negative:
        return float("nan")
    _, place, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    # The mean rank of each group of ties.
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[place][churned].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(probabilities: Floats, churned: Flags) -> float:
    """The mean precision over the steps in which recall rises as the threshold falls (PR AUC without interpolation)."""
    positive = int(churned.sum())
    if not positive:
        return float("nan")
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(churned[order])
    # A threshold takes all of a group of ties, or none.
    last = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    gained = np.diff(hits[last], prepend=0)
    return float(np.sum(gained * hits[last] / (last + 1)) / positive)


def brier(probabilities: Floats, churned: Flags) -> float:
    """The mean squared distance of the probabilities from what happened (Brier 1950)."""
    return float(np.mean((probabilities - churned) ** 2))


def brier_skill(probabilities: Floats, churned: Flags) -> float:
    """By what share the Brier score is better than that of the base rate, for everybody."""
    rate = float(churned.mean())
    return 1 - brier(probabilities, churned) / (rate * (1 - rate)) if 0 < rate < 1 else float("nan")


def log_loss(probabilities: Floats, churned: Flags) -> float:
    """The mean negative logarithm of the probability given to what happened."""
    given = np.clip(np.where(churned, probabilities, 1 - probabilities), _NEAREST, 1)
    return float(-np.log(given).mean())


def calibration_error(probabilities: Floats, churned: Flags) -> float:
    """Expected calibration error (ECE): how far the bins' shares lie from their mean probabilities, by their size.

    In 15 bins of equal width (Guo et al. 2017).
    """
    number = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    distance = np.bincount(number, probabilities, BINS) - np.bincount(number, churned, BINS)
    return float(np.abs(distance).sum() / len(churned))


def top_decile_lift(probabilities: Floats, churned: Flags) -> float:
    """How many times the base rate churned among the riskiest tenth."""
    riskiest = np.argsort(-probabilities, kind="stable")[: max(1, len(churned) // 10)]
    rate = float(churned.mean())
    return float(churned[riskiest].mean()) / rate if rate else float("nan")


def accuracy(probabilities: Floats, churned: Flags) -> float:
    """The share of customers on the right side of 0.5."""
    return float(np.mean((probabilities >= 0.5) == churned))


MEASURES: Mapping[str, Measure] = {
    "accuracy": accuracy,
    "auc": roc_auc,
    "pr_auc": average_precision,
    "brier": brier,
    "brier_skill": brier_skill,
    "log_loss": log_loss,
    "ece": calibration_error,
    "top_decile_lift": top_decile_lift,
}
"""Every figure by its name in reports, tables and metrics."""

HIGHER_IS_BETTER = frozenset({"accuracy", "auc", "pr_auc", "brier_skill", "top_decile_lift"})


def measure(probabilities: Floats, churned: Flags) -> dict[str, float]:
    """All of `MEASURES`."""
    return {name: figure(probabilities, churned) for name, figure in MEASURES.items()}


def expected(probabilities: Floats) -> dict[str, float]:
    """What `accuracy`, `auc`, `brier`, `log_loss` and `top_decile_lift` are to be, before it is known who churned.

    Confidence-based performance estimation (CBPE, as in NannyML): a customer counts as churned with the probability
    given, so the figures are right as far as the probabilities are calibrated. Shape (n,), n of 1 and more.
    """
    stays = 1 - probabilities
    _, place = np.unique(probabilities, return_inverse=True)
    churners, stayers = np.bincount(place, probabilities), np.bincount(place, stays)
    # A churner is in the right order with all stayers below, and with half of those in the same place.
    right = float(np.sum(churners * (np.cumsum(stayers) - stayers / 2)))
    pairs = float(churners.sum() * stayers.sum())
    riskiest = np.sort(probabilities)[-max(1, len(probabilities) // 10) :]
    rate = float(probabilities.mean())
    known = np.clip(probabilities, _NEAREST, 1 - _NEAREST)
    return {
        "accuracy": float(np.maximum(probabilities, stays).mean()),
        "auc": right / pairs if pairs else float("nan"),
        "brier": float(np.mean(probabilities * stays)),
        "log_loss": float(-np.mean(probabilities * np.log(known) + stays * np.log(1 - known))),
        "top_decile_lift": float(riskiest.mean()) / rate if rate else float("nan"),
    }


def reliability(probabilities: Floats, churned: Flags, bins: int = 10) -> list[dict[str, float]]:
    """The reliability curve: `count`, mean `predicted` and `observed` share of at most `bins` groups of equal size."""
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
    """For the riskiest tenth, two tenths … of the customers: `lift`, and `capture`, the share of churners they hold."""
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
    models: Mapping[str, Floats], churned: Flags, *, rounds: int = 200, seed: int = 1, level: float = 0.95
) -> dict[str, dict[str, tuple[float, float]]]:
    """Percentile intervals of every figure of every model, all on the same resamples of customers (Efron 1979)."""
    drawn = _resampled(models, churned, rounds, seed)
    return {
        name: {figure: _interval(values, level) for figure, values in figures.items()}
        for name, figures in drawn.items()
    }


def bootstrap_difference(
    one: Floats, other: Floats, churned: Flags, *, rounds: int = 200, seed: int = 1, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of figure(one) - figure(other), on the same customers in each round."""
    drawn = _resampled({"one": one, "other": other}, churned, rounds, seed)
    return {figure: _interval(drawn["one"][figure] - drawn["other"][figure], level) for figure in MEASURES}


def _resampled(models: Mapping[str, Floats], churned: Flags, rounds: int, seed: int) -> dict[str, dict[str, Floats]]:
    random = np.random.default_rng(seed)
    drawn: dict[str, dict[str, list[float]]] = {name: {figure: [] for figure in MEASURES} for name in models}
    for _ in range(rounds):
        rows = random.integers(0, len(churned), len(churned))
        for name, probabilities in models.items():
            for figure, value in measure(probabilities[rows], churned[rows]).items():
                drawn[name][figure].append(value)
    return {name: {figure: np.array(values) for figure, values in of.items()} for name, of in drawn.items()}


def _interval(values: npt.NDArray[Any], level: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high
