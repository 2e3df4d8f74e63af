"""Columns that the forest derives from a row's features and the shop's purchase process."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import INPUTS, PARAMETERS, no_order_probability
from churn.ml.outlook import dropped_odds

DERIVED_COLUMNS = ("days_between_orders", "silence_in_gaps", "no_order_probability", "silence_share", "orders_a_day")
_PLACES = tuple(FEATURE_NAMES.index(name) for name in INPUTS)
_PURCHASE_DAYS = INPUT_NAMES.index("purchase_days")


def derived(features: Floats, process: Mapping[str, float]) -> Floats:
    """Return the derived columns, shape (n, 5), of shape (n, 12) or (n, INPUT_NAMES); NaN where a part is missing.

    Orders of one day are one purchase; where only the 12 features are known, each order is one.
    `days_between_orders` is the customer's own mean gap, `silence_in_gaps` the time since the last order in such gaps,
    and `no_order_probability` what the BG/NBD model (Fader, Hardie and Lee 2005) with parameters `r`, `alpha`, `a`, `b`
    says of no order in the next `horizon_days`; it extrapolates beyond the ages of the training data, where a tree is
    flat. `silence_share` is the share of the customer's life since the last order, `orders_a_day` their order rate.
    """
    orders, recency, age = (features[:, place] for place in _PLACES)
    with np.errstate(all="ignore"):
        purchases = orders
        if features.shape[1] > _PURCHASE_DAYS:
            days = features[:, _PURCHASE_DAYS]
            purchases = np.where(np.isnan(days), orders, days)
        repeats = np.maximum(purchases - 1, 0)
        gap = np.where(repeats > 0, np.maximum(age - recency, 0) / repeats, np.nan)
        silence = np.where(gap > 0, recency / gap, np.nan)
        lived = np.maximum(np.maximum(age - recency, 0) + np.maximum(recency, 0), 1)
        shares = recency / lived, orders / lived
    none = no_order_probability(
        purchases, recency, age, [process[name] for name in PARAMETERS], process["horizon_days"]
    )
    none = np.where(purchases >= 1, none, np.nan)
    return np.column_stack([gap, silence, none, *shares])


def derived_row(values: list[float], process: Mapping[str, float]) -> list[float]:
    """Return `derived` of one row: plain arithmetic is an order of magnitude quicker than arrays of one."""
    orders, recency, age = (values[place] for place in _PLACES)
    purchases = values[_PURCHASE_DAYS] if len(values) > _PURCHASE_DAYS else math.nan
    if math.isnan(purchases):
        purchases = orders
    total = orders + recency + age
    if not math.isfinite(total) or purchases < 1:
        unusual: list[float] = derived(np.array([values]), process)[0].tolist()
        return unusual
    repeats = purchases - 1
    until_last = max(age - recency, 0.0)
    age = until_last + max(recency, 0.0)
    gap = until_last / repeats if repeats > 0 else math.nan
    silence = recency / gap if gap > 0 else math.nan
    shape = process["r"] + repeats
    scale = process["alpha"] + age
    odds_dropped = dropped_odds(process, repeats, until_last, scale)
    silent = math.exp(shape * math.log(scale / (scale + process["horizon_days"])))
    lived = max(age, 1.0)
    return [gap, silence, 1 - (1 - silent) / (1 + odds_dropped), recency / lived, orders / lived]
