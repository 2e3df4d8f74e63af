"""The value of orders (Gamma-Gamma), how far spend lies from what was expected, and how good the expectation is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from churn.domain.features import INPUT_NAMES
from churn.domain.model import Outlook
from churn.ml.arrays import Floats
from churn.ml.outlook import outlook
from churn.training.snapshots import Snapshots

_MOST_CUSTOMERS = 20_000
_USUAL_SHAPES = (4.0, 2.5)
"""Usual values of `p` and `q` - 1: the values of a shop's orders, and its customers' means, differ about so much."""
_MOST_STEPS, _FEWEST_A_STEP = 20, 50
_INTERVAL = (0.05, 0.95)
_SHORTEST_LIFE_DAYS = 30.0
"""The rate of somebody known for a day would promise a fortune."""


def fit_spending(valued: Floats) -> dict[str, Any] | None:
    """Return the parameters of `churn.ml.outlook`: `p`, `q` and `gamma`, by the mode of their posterior.

    None without customers, as in a shop that does not tell the values of its orders.

    `valued` has the shape (customers, 2): days with an order, at least 1, and the value of all orders, above 0. The
    logarithms of `p`, `q` - 1 and the mean have normal priors around the usual values, with a standard deviation of 1.
    """
    if not len(valued):
        return None
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to import)
    from scipy.special import gammaln  # noqa: PLC0415 (slow to import)

    days, spent = valued[:: max(1, len(valued) // _MOST_CUSTOMERS)].T
    start = np.log([*_USUAL_SHAPES, float((spent / days).mean())])

    def loss(logs: Floats) -> float:
        p, above_one, mean = np.exp(logs)
        q = 1 + above_one
        gamma = mean * above_one / p
        likelihood = gammaln(p * days + q) - gammaln(p * days) - gammaln(q) + q * np.log(gamma)
        likelihood += p * days * np.log(spent) - (p * days + q) * np.log(gamma + spent)
        return float(-likelihood.mean() + np.sum((logs - start) ** 2) / (2 * len(days)))

    found = minimize(loss, start, method="L-BFGS-B", bounds=[(middle - 6, middle + 6) for middle in start])
    p, above_one, mean = np.exp(found.x).tolist()
    return {"p": p, "q": 1 + above_one, "gamma": mean * above_one / p}


def with_interval(
    spending: dict[str, Any] | None, process: Mapping[str, float], windows: Sequence[Snapshots]
) -> dict[str, Any] | None:
    """Return spending with its `interval`: between what nine in ten customers spent, by what was `expected` of them.

    The windows are those learned from. Too few customers leave the interval out.
    """
    if spending is None:
        return None
    expected, spent = (
        np.concatenate(parts)
        for parts in zip(*[_expected_and_spent(window, process, spending) for window in windows], strict=True)
    )
    steps = min(_MOST_STEPS, len(expected) // _FEWEST_A_STEP)
    if steps < 2:
        return spending
    groups = np.array_split(np.argsort(expected, kind="stable"), steps)
    middles = np.array([np.median(expected[group]) for group in groups])
    ends = np.array([np.quantile(spent[group], _INTERVAL) for group in groups])
    # Whoever is expected to spend more has no lower ends; equal expectations have one entry.
    ends = np.maximum.accumulate(ends, axis=0)
    kept = np.append(np.diff(middles) > 0, True)
    low, high = ends[kept].T.tolist()
    return {**spending, "interval": {"expected": middles[kept].tolist(), "low": low, "high": high}}


def judge_spending(window: Snapshots, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return how good the expected orders and spend are on a window, beside the spend of the customer's life per day.

    `orders`, `spend` and `rate` have the sums (`expected`, `real`) and, of money, `mean_error`, the mean absolute error
    of a customer; `deciles` are tenths of the customers by their expected spend, the highest first; `covered` is the
    share whose spend lies in its interval. Money is told of the `valued` customers, the values of whose orders are
    known; it is None where there are none.
    """
    rows = _rows(window)
    outlooks = [outlook(row, metadata) for row in rows]
    known = [place for place, found in enumerate(outlooks) if found is not None]
    orders = float(sum(found.orders for found in outlooks if found is not None))
    return {
        "customers": len(known),
        "orders": {"expected": orders, "real": float(np.array(window.ordered)[known].sum())},
        **_judged_money(rows, outlooks, np.array(window.spent), int(metadata["horizon_days"])),
    }


def _judged_money(
    rows: Sequence[dict[str, float | None]], outlooks: Sequence[Outlook | None], spent: Floats, horizon: int
) -> dict[str, Any]:
    """Return what `judge_spending` tells of money."""
    told = [
        (place, found.spend, by_rate, found.interval)
        for place, found in enumerate(outlooks)
        if found is not None and found.spend is not None and math.isfinite(spent[place])
        if (by_rate := _at_the_rate_so_far(rows[place], horizon)) is not None
    ]
    if not told:
        return {"valued": 0, "spend": None, "rate": None, "deciles": [], "covered": None}
    real = spent[[place for place, *_ in told]]
    spend, rate = np.array([one[1] for one in told]), np.array([one[2] for one in told])
    inside = [
        interval[0] <= value <= interval[1]
        for (*_, interval), value in zip(told, real.tolist(), strict=True)
        if interval is not None
    ]
    tenths = np.array_split(np.argsort(-spend, kind="stable"), 10)
    return {
        "valued": len(told),
        "spend": _beside(spend, real),
        "rate": _beside(rate, real),
        "deciles": [
            {"expected": float(spend[tenth].sum()), "rate": float(rate[tenth].sum()), "real": float(real[tenth].sum())}
            for tenth in tenths
        ],
        "covered": float(np.mean(inside)) if inside else None,
    }


def _at_the_rate_so_far(row: Mapping[str, float | None], horizon: int) -> float | None:
    """Return the spend of the horizon at the rate of a customer's life so far, which the expectation stands beside."""
    spent = row["total_spent"]
    return None if spent is None else spent / max(row["account_age_days"] or 0.0, _SHORTEST_LIFE_DAYS) * horizon


def _beside(expected: Floats, real: Floats) -> dict[str, float]:
    return {
        "expected": float(expected.sum()),
        "real": float(real.sum()),
        "mean_error": float(np.abs(expected - real).mean()) if len(real) else 0.0,
    }


def _expected_and_spent(
    window: Snapshots, process: Mapping[str, float], spending: Mapping[str, Any]
) -> tuple[Floats, Floats]:
    metadata = {"current_process": process, "spending": spending}
    outlooks = [outlook(row, metadata) for row in _rows(window)]
    spends = [None if found is None else found.spend for found in outlooks]
    expected, spent = np.array([np.nan if spend is None else spend for spend in spends]), np.array(window.spent)
    known = np.isfinite(expected) & np.isfinite(spent)
    return expected[known], spent[known]


def _rows(window: Snapshots) -> list[dict[str, float | None]]:
    return [
        {name: None if value != value else value for name, value in zip(INPUT_NAMES, row, strict=True)}  # noqa: PLR0124
        for row in window.inputs.tolist()
    ]
