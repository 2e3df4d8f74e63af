"""What to expect of one customer over the horizon: orders, spend, and when the next order comes.

Orders follow the purchase process (BG/NBD, `churn.ml.bg_nbd`). The value of an order varies around the customer's own
mean, which varies between customers as the Gamma-Gamma model says (Fader, Hardie and Lee 2005, "RFM and CLV"): `p` is
the shape of one order's value, `q` and `gamma` shape and scale of the customers' means. Orders of one day are one.
Plain arithmetic: for a row it is an order of magnitude quicker than arrays of one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from churn.domain.features import occasions
from churn.domain.model import Outlook
from churn.domain.values import MAX_SUM

_MOST_TERMS = 20_000
_EXACT = 1e-10


def outlook(row: Mapping[str, float | None], metadata: Mapping[str, Any]) -> Outlook | None:
    """Return what to expect of a customer; None without an order, and if the model knows no purchase process.

    None also where its parameters, which may be any in their ranges, lead to what is no number: a probability is
    answered without it.

    `metadata` holds the model's `current_process`, the parameters of the purchase process with its `horizon_days`, and
    `spending`, which is None where the values of orders are unknown. Versions published before there was spending
    have `purchase_process` alone.
    """
    try:
        found = _outlook(row, metadata)
    except (ArithmeticError, ValueError):
        return None
    return found if found is None or is_possible(found) else None


def process_of(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the parameters of the purchase process that a model knows: of now, or else of its training."""
    return metadata.get("current_process") or metadata.get("purchase_process")


def is_possible(found: Outlook) -> bool:
    """Return whether all figures are numbers that can be stored and told."""
    told = (found.orders, found.spend, found.spend_if_ordering, found.usual_gap_days, found.next_order_days)
    return all(number is None or 0 <= number <= MAX_SUM for number in (*told, *(found.interval or ())))


def _outlook(row: Mapping[str, float | None], metadata: Mapping[str, Any]) -> Outlook | None:
    spending, process = metadata.get("spending"), process_of(metadata)
    given = (occasions(row), *(row.get(name) for name in ("days_since_last_order", "account_age_days")))
    purchases, recency, age = (math.nan if value is None else value for value in given)
    horizon = None if process is None else process.get("horizon_days")
    if process is None or horizon is None or not purchases > 0 or math.isnan(recency + age):
        return None
    r, alpha, a, b = (process[name] for name in ("r", "alpha", "a", "b"))
    repeats, until_last = max(purchases - 1, 0.0), max(age - recency, 0.0)
    shape, scale = r + repeats, alpha + until_last + max(recency, 0.0)
    active = 1 / (1 + dropped_odds(process, repeats, until_last, scale))
    silent = math.exp(shape * math.log(scale / (scale + horizon)))
    orders = active * _orders_while_active(shape, a, b + repeats, horizon / (scale + horizon))
    spent, at_all = row.get("total_spent"), active * (1 - silent)
    value = interval = None
    if spending is not None and spent is not None and not math.isnan(spent):
        value = _value_of_an_order(purchases, spent, spending)
        interval = _interval(orders * value, spending.get("interval"))
    return Outlook(
        orders=orders,
        spend=None if value is None else orders * value,
        spend_if_ordering=value if value is None or at_all <= 0 else orders / at_all * value,
        interval=interval,
        usual_gap_days=(alpha + until_last) / shape,
        next_order_days=_days_until_as_likely_as_not(active, shape, scale),
    )


def outlooks(rows: Sequence[Mapping[str, float | None]], metadata: Mapping[str, Any]) -> list[Outlook | None]:
    """Return the outlook of each of `rows`."""
    return [outlook(row, metadata) for row in rows]


def dropped_odds(process: Mapping[str, float], repeats: float, until_last: float, scale: float) -> float:
    """Return the odds that a customer has dropped out, after `repeats` orders until day `until_last`.

    `scale` is `alpha` plus the customer's age in days.
    """
    if repeats <= 0:
        return 0.0
    growth = (process["r"] + repeats) * math.log(scale / (process["alpha"] + until_last))
    return process["a"] / (process["b"] + repeats - 1) * math.exp(min(growth, 700))


def _orders_while_active(shape: float, a: float, b: float, z: float) -> float:
    """Return the expected orders of an active customer, z = horizon / (alpha + age + horizon).

    The expectation (Fader, Hardie and Lee 2005, equation 10) after Euler's transformation of its hypergeometric
    function, which leaves a series of terms that fall like z^k, also where `a` is 1.
    """
    power, c, upper = a - 1, a + b - 1, a + b - 1 - shape
    term = total = upper * z
    for k in range(1, _MOST_TERMS):
        term *= (upper + k) * (power + k) / ((c + k) * (k + 1)) * z
        total += term
        if abs(term) < _EXACT * (1 + abs(total)):
            break
    log = math.log1p(-z)
    begun = -math.expm1(power * log) / power if abs(power) > _EXACT else -log
    return max(c * begun - math.exp(power * log) * total, 0.0)


def _value_of_an_order(purchases: float, spent: float, spending: Mapping[str, Any]) -> float:
    """Return the expected value of an order: the customer's own mean, drawn to the shop's while it is little known."""
    p, q, gamma = spending["p"], spending["q"], spending["gamma"]
    return float(p * (gamma + spent) / (p * purchases + q - 1))


def _interval(spend: float, interval: Mapping[str, Sequence[float]] | None) -> tuple[float, float] | None:
    """Return between what nine in ten customers of such an expectation spent, in the windows learned from."""
    if interval is None:
        return None
    steps = interval["expected"]
    place = bisect_right(steps, spend)
    if place in {0, len(steps)}:
        end = 0 if place == 0 else -1
        ratio = spend / steps[end] if steps[end] > 0 else 1.0
        return interval["low"][end] * ratio, interval["high"][end] * ratio
    before, after = steps[place - 1], steps[place]
    share = (spend - before) / (after - before)
    low, high = (
        ends[place - 1] + share * (ends[place] - ends[place - 1]) for ends in (interval["low"], interval["high"])
    )
    return low, high


def _days_until_as_likely_as_not(active: float, shape: float, scale: float) -> float | None:
    """Return after how many days an order is as likely as not; None if it never is, or not within ten years."""
    if active <= 0.5:
        return None
    growth = -math.log(1 - 0.5 / active) / shape
    days = scale * math.expm1(min(growth, 50))
    return days if days <= 3652 else None
