"""Drift of the customers from those that a model was tested on: the population stability index (PSI) of each column.

PSI = sum over bins of (now - then) * ln(now / then), with the shares of customers in bins that held a tenth each then;
below 0.1 little has changed, from 0.25 on much (Siddiqi, Credit Risk Scorecards, 2006). Without any change it is about
(1/n + 1/m) times a chi-squared variable with one degree of freedom less than there are bins (Yurdakul, Statistical
Properties of the Population Stability Index, 2018): a PSI below that noise is no evidence of a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from churn.ml.arrays import Floats

Columns = Mapping[str, Floats]
Reference = dict[str, Any]
Verdict = Literal["stable", "shifted", "drifted", "turned_missing", "turned_constant"]

SCORE = "score"
"""The name of the model's probability among the columns of a comparison."""

INCIDENTS: frozenset[Verdict] = frozenset({"turned_missing", "turned_constant"})
"""Verdicts that mean a broken column, not customers who behave differently."""

SHIFTED, DRIFTED = 0.1, 0.25
# A feature matters if its share of all contributions is at least this.
_MATTERS = 0.05
_MISSING_JUMP = 0.2
# The chance of calling noise a change, over all columns together.
_FALSE_ALARM = 0.001
_TENTHS = np.arange(1, 10) / 10


@dataclass(frozen=True, slots=True)
class Drift:
    """How one column differs from the reference.

    Without a change PSI exceeds `noise` in one comparison of a thousand. `missing` and `missing_before` are shares of
    the customers, `importance` is the column's share of all contributions (None for the score, or where they are not
    known).

    `verdict`: `shifted` if PSI is above the noise and at least 0.1; `drifted` if it is at least 0.25 and matters,
    because the column makes 5 % of the contributions or the score itself shifted. `turned_missing` and
    `turned_constant` are incidents, whether the column matters or not.
    """

    column: str
    psi: float
    noise: float
    missing: float
    missing_before: float
    importance: float | None
    verdict: Verdict


def reference(columns: Columns, score: Floats) -> Reference:
    """Return the histograms that `compare` compares with, ready for JSON.

    The columns and the score, the model's probability, have the shape (n,), a customer each; a value that is not finite
    is missing. A value that a tenth of the customers share has a bin of its own. Raises ValueError if there are no
    customers.
    """
    if not len(score):
        raise ValueError("there are no customers to refer to")
    return {
        "customers": len(score),
        "columns": {name: _histogram(values) for name, values in columns.items()},
        SCORE: _histogram(score),
    }


def compare(
    reference: Reference, columns: Columns, score: Floats, *, importance: Mapping[str, float] | None = None
) -> list[Drift]:
    """Compare today's customers, shape (m,) each, with the reference: the score first, then each column.

    `importance` is how much each feature moves the predictions, such as its mean absolute contribution, in any unit.
    Columns that the reference does not have are ignored. Raises ValueError if there are no customers, or if a column of
    the reference is missing.
    """
    before: Mapping[str, Mapping[str, Any]] = reference["columns"]
    if not len(score):
        raise ValueError("there are no customers to compare")
    absent = sorted(before.keys() - columns.keys())
    if absent:
        raise ValueError(f"the reference has columns that were not given: {', '.join(absent)}")
    level = _FALSE_ALARM / (1 + len(before))
    total = sum(importance.values()) if importance else 0.0

    def drift(name: str, then: Mapping[str, Any], values: Floats, score_moved: bool | None) -> Drift:
        psi, noise = _psi(then, reference["customers"], values, level)
        missing = float(np.mean(~np.isfinite(values)))
        share = importance.get(name, 0.0) / total if importance and total and name != SCORE else None
        # The score matters by itself (None).
        matters = score_moved is None or score_moved or (share is not None and share >= _MATTERS)
        verdict = _incident(then, reference["customers"], values, level) or _verdict(psi, noise, matters=matters)
        return Drift(name, psi, noise, missing, then["missing"], share, verdict)

    of_score = drift(SCORE, reference[SCORE], score, None)
    moved = of_score.verdict != "stable"
    return [of_score, *(drift(name, then, columns[name], moved) for name, then in before.items())]


def _histogram(values: Floats) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    edges: Floats = np.empty(0)
    if len(finite):
        tenths, times = np.unique(np.quantile(finite, _TENTHS, method="inverted_cdf"), return_counts=True)
        edges = np.union1d(tenths, np.nextafter(tenths[times > 1], -np.inf))
    return {
        "edges": edges.tolist(),
        "shares": (_counts(edges, finite) / len(values)).tolist(),
        "missing": 1 - len(finite) / len(values),
        "varied": bool(len(finite) and finite.min() < finite.max()),
    }


def _counts(edges: Floats, values: Floats) -> npt.NDArray[np.int64]:
    """Count the values above each edge up to the next, that one included."""
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def _psi(then: Mapping[str, Any], customers: int, values: Floats, level: float) -> tuple[float, float]:
    """Return PSI, and the noise that it exceeds in a share `level` of comparisons without a change."""
    finite = values[np.isfinite(values)]
    before = np.append(then["shares"], then["missing"]) * customers
    now = np.append(_counts(np.array(then["edges"]), finite), len(values) - len(finite))
    filled = (before > 0.5) | (now > 0)
    bins = int(filled.sum())
    # Half a customer more in each: the logarithm of an empty bin is finite, and the smaller the fewer customers.
    shares_before = (before[filled] + 0.5) / (customers + bins / 2)
    shares_now = (now[filled] + 0.5) / (len(values) + bins / 2)
    psi = float(np.sum((shares_now - shares_before) * np.log(shares_now / shares_before)))
    return psi, (1 / customers + 1 / len(values)) * _chi_squared(bins - 1, level)


def _chi_squared(degrees: int, level: float) -> float:
    """Return what a chi-squared variable exceeds with the probability `level` (Wilson and Hilferty 1931)."""
    if degrees < 1:
        return 0.0
    if degrees == 1:
        return NormalDist().inv_cdf(1 - level / 2) ** 2
    spread = 2 / (9 * degrees)
    root: float = 1 - spread + NormalDist().inv_cdf(1 - level) * spread**0.5
    return float(degrees * root**3)


def _incident(then: Mapping[str, Any], customers: int, values: Floats, level: float) -> Verdict | None:
    finite = values[np.isfinite(values)]
    before, now = float(then["missing"]), 1 - len(finite) / len(values)
    # Drawn to the middle (Agresti and Caffo 2000): the error of a share of few customers is not 0.
    drawn = (len(values) - len(finite) + 1) / (len(values) + 2)
    error = (drawn * (1 - drawn) / len(values) + before * (1 - before) / customers) ** 0.5
    if now - before >= max(_MISSING_JUMP, NormalDist().inv_cdf(1 - level) * error):
        return "turned_missing"
    if then["varied"] and len(finite) and finite.min() == finite.max():
        commonest = (np.max(then["shares"]) + 0.5 / customers) / (1 - before)
        # By chance so many customers would not all have a value that was no more common than that.
        if commonest < 1 and len(finite) * np.log(commonest) < np.log(level):
            return "turned_constant"
    return None


def _verdict(psi: float, noise: float, *, matters: bool) -> Verdict:
    if psi < SHIFTED or psi <= noise:
        return "stable"
    return "drifted" if psi >= DRIFTED and matters else "shifted"
