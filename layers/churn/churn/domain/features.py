"""A model's inputs of a customer, defined once for streaming, imports, the rescoring sweep and training.

They are the 12 features, which anybody may give, and columns that only the stored orders tell.

A customer's events are folded into a `CustomerState`, whose features are computed for an instant that is not before
its newest event. For an instant of the past, fold the events until then.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Any, TypedDict, cast

from churn.domain.customer import LOYALTY, CustomerState
from churn.domain.timestamps import DAY, to_millis
from churn.domain.values import MAX_AMOUNT, MAX_SUM

Features = dict[str, float | None]
"""The 12 features by name, in the model's order; None where one is not known."""

Inputs = dict[str, float | None]
"""The 12 features, and after them what else a model is told of a stored customer (STATE_COLUMNS)."""

Observed = Mapping[str, int]
"""Since when (milliseconds since 1970) the shop sends a kind of event at all: before, a count of it is not known."""


FEATURES_VERSION = 2
"""The version of the definitions below: it rises when one changes, and a model names the one that it learned from."""

WINDOW_DAYS = 90
LOGIN_WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the model, with the range that is accepted from outside."""

    name: str
    unit: str
    description: str
    maximum: float
    is_count: bool = False
    resolution: float = 0.01
    """Two values that lie no further apart are the same: clients are shown rounded ones, and ages go on meanwhile."""

    def shown(self, value: float | None) -> float | None:
        """Return a value as clients see it: a count as a whole number, others as fine as `resolution`."""
        if value is None:
            return None
        return int(value) if self.is_count and value == int(value) else round(value, _digits(self.resolution))

    def is_same(self, one: float | None, other: float | None) -> bool:
        """Return whether two values are the same, or neither is known."""
        if one is None or other is None:
            return one is other
        # Two of a million may be written a unit of rounding apart.
        return abs(one - other) <= self.resolution * 1.000001


def is_outdated(metadata: Mapping[str, Any]) -> bool:
    """Return whether a model learned from other definitions of the features than these; the first named no version."""
    return bool(metadata.get("features_version", 1) != FEATURES_VERSION)


FEATURES = (
    Feature("total_orders", "orders", "Orders of the whole life, without the cancelled", 1e6, is_count=True),
    Feature("total_spent", "currency", "Value of these orders, not known if that of one is not", MAX_SUM),
    Feature("avg_order_value", "currency", "Mean value of those of these orders whose value is known", MAX_AMOUNT),
    Feature(
        "days_since_last_order", "days", "Days since the newest order that was not cancelled", 36500, resolution=0.1
    ),
    Feature("support_tickets", "tickets", "Support tickets of the last 90 days", 1e5, is_count=True),
    Feature("product_returns", "returns", "Returned orders of the last 90 days", 1e5, is_count=True),
    Feature(
        "email_engagement", "share", "Share of the e-mails of the last 90 days that were opened", 1, resolution=0.0001
    ),
    Feature("login_frequency", "logins", "Successful logins of the last 30 days", 1e5, is_count=True),
    Feature("payment_failures", "failures", "Failed payments of the last 90 days", 1e5, is_count=True),
    Feature("discount_usage", "share", "Share of the orders that had a discount", 1, resolution=0.0001),
    Feature("loyalty_points", "points", "Balance of loyalty points", MAX_AMOUNT),
    Feature("account_age_days", "days", "Days since the customer was first known", 36500, resolution=0.1),
)
KIND_OF_FEATURE = {
    "support_tickets": "support_tickets",
    "product_returns": "product_returns",
    "email_engagement": "email_sent",
    "login_frequency": "login_frequency",
    "payment_failures": "payment_failures",
    "loyalty_points": LOYALTY,
}
"""The kind of event without which a feature is not known of anybody (`Observed`)."""
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
BY_NAME = {feature.name: feature for feature in FEATURES}
"""The features by their names."""


class FeatureValues(TypedDict):
    """The 12 features."""

    total_orders: float | None
    total_spent: float | None
    avg_order_value: float | None
    days_since_last_order: float | None
    support_tickets: float | None
    product_returns: float | None
    email_engagement: float | None
    login_frequency: float | None
    payment_failures: float | None
    discount_usage: float | None
    loyalty_points: float | None
    account_age_days: float | None


STATE_COLUMNS = (
    "spent_30_days",
    "spent_90_days",
    "spent_180_days",
    "last_gap_days",
    "typical_gap_days",
    "gap_deviation_days",
    "silence_in_typical_gaps",
    "purchase_days",
)
"""What only the stored orders tell.

Spend since the UTC day of so many days ago; the gaps (last, median, deviation) between the days with an order, of the
newest 200 orders; and on how many days there were orders at all. Orders of one UTC day are one occasion to buy.
"""
INPUT_NAMES = FEATURE_NAMES + STATE_COLUMNS
_PURCHASE_FEATURES = frozenset(
    {"total_orders", "total_spent", "avg_order_value", "days_since_last_order", "account_age_days"}
)


def features_at(state: CustomerState, as_of: datetime, observed: Observed) -> Features:
    """Return the 12 features as they stand at an instant that is not before the newest event of the state.

    `observed` says since when the shop sends each kind of event: what it does not send is not known, rather than 0.
    """
    at = to_millis(as_of)
    bought = state.purchases
    last = bought.recent[-1] if bought.recent else None

    def count(kind: str, days: int) -> float | None:
        if at < observed.get(kind, at + 1):
            return None
        instants = state.instants.get(kind, ())
        return float(bisect_right(instants, at) - bisect_right(instants, at - days * DAY))

    return {
        "total_orders": float(bought.orders),
        "total_spent": _units(bought.total_cents),
        "avg_order_value": _units(bought.mean_cents),
        # Never below 0: a clock that was wrong may have counted an order of later.
        "days_since_last_order": None if last is None else max(0, at - last) / DAY,
        "support_tickets": count("support_tickets", WINDOW_DAYS),
        "product_returns": count("product_returns", WINDOW_DAYS),
        "email_engagement": _engagement(
            count("email_sent", WINDOW_DAYS), count("email_opened", WINDOW_DAYS), count("email_clicked", WINDOW_DAYS)
        ),
        "login_frequency": count("login_frequency", LOGIN_WINDOW_DAYS),
        "payment_failures": count("payment_failures", WINDOW_DAYS),
        "discount_usage": bought.discounted / bought.discount_known if bought.discount_known else None,
        "loyalty_points": _points(state, at, observed),
        "account_age_days": _age_days(state, at),
    }


def inputs_at(state: CustomerState, as_of: datetime, observed: Observed) -> Inputs:
    """Return all inputs of a model as they stand at an instant: `features_at`, and STATE_COLUMNS."""
    at = to_millis(as_of)
    bought = state.purchases
    occasions = bought.occasions()
    gaps = [(later - earlier) / DAY for earlier, later in pairwise(occasions)]
    typical = median(gaps) if gaps else None
    return {
        **features_at(state, as_of, observed),
        **{f"spent_{days}_days": _units(bought.spent_since(at // DAY - days)) for days in (30, 90, 180)},
        "last_gap_days": gaps[-1] if gaps else None,
        "typical_gap_days": typical,
        "gap_deviation_days": _deviation(gaps),
        "silence_in_typical_gaps": (at - occasions[-1]) / DAY / typical if typical else None,
        "purchase_days": float(bought.days),
    }


def occasions(row: Mapping[str, float | None]) -> float | None:
    """Return how often a customer came to buy: orders of one UTC day are one occasion."""
    days = row.get("purchase_days")
    return row.get("total_orders") if days is None else days


def overridden(stored: Mapping[str, float | None], given: Mapping[str, float | None]) -> Inputs:
    """Return a stored customer's inputs with some of the 12 features replaced.

    The gaps and windows of hypothetical purchases cannot be computed: once a feature of purchases is replaced,
    STATE_COLUMNS are not known.
    """
    names = FEATURE_NAMES if _PURCHASE_FEATURES & given.keys() else INPUT_NAMES
    return {name: given.get(name, stored.get(name)) for name in names}


def shown(features: Features) -> FeatureValues:
    """Return the 12 features as clients see them."""
    return cast("FeatureValues", {feature.name: feature.shown(features[feature.name]) for feature in FEATURES})


@cache
def _digits(resolution: float) -> int:
    return round(-math.log10(resolution))


def _units(cents: float | None) -> float | None:
    return None if cents is None else cents / 100


def _engagement(sent: float | None, opened: float | None, clicked: float | None) -> float | None:
    """Return the share of the e-mails that were opened or clicked; None if none was sent."""
    return min(1.0, max(opened or 0.0, clicked or 0.0) / sent) if sent else None


def _age_days(state: CustomerState, at: int) -> float | None:
    return (at - state.since) / DAY if state.since is not None and state.since <= at else None


def _points(state: CustomerState, at: int, observed: Observed) -> float | None:
    if state.loyalty.balance is None and at < observed.get(LOYALTY, at + 1):
        return None
    return state.loyalty.points_at(at)


def _deviation(values: list[float]) -> float | None:
    """Return the standard deviation of two values and more; statistics.pstdev is exact, and fifty times as slow."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
