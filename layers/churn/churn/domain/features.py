"""A model's inputs of a customer, defined once for streaming, imports, the rescoring sweep and training.

They are the 12 features, which anybody may give, and columns that only the stored orders tell.

A customer's events are folded into a `CustomerState`. The fold is commutative: any order of the events, and any split
into batches, gives the same state (the store sees to it that an event is folded once). The state keeps instants and
an order ledger rather than numbers that depend on the clock, so `features_at` answers for any instant, also one in
the past.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import TypedDict, cast

from churn.domain.customer import LOYALTY, CustomerState, Order
from churn.domain.timestamps import DAY, to_millis

Features = dict[str, float | None]
"""The 12 features by name, in the model's order; None where one is not known."""

Inputs = dict[str, float | None]
"""The 12 features, and after them what else a model is told of a stored customer (STATE_COLUMNS)."""

Observed = Mapping[str, int]
"""Since when (milliseconds since 1970) the shop sends a kind of event at all: before, a count of it is not known."""


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


FEATURES = (
    Feature("total_orders", "orders", "Orders of the whole life, without the cancelled", 1e6, is_count=True),
    Feature("total_spent", "currency", "Value of these orders", 1e9),
    Feature("avg_order_value", "currency", "Mean value of these orders", 1e9),
    Feature("days_since_last_order", "days", "Days since the newest order that was not cancelled", 36500),
    Feature("support_tickets", "tickets", "Support tickets of the last 90 days", 1e5, is_count=True),
    Feature("product_returns", "returns", "Returned orders of the last 90 days", 1e5, is_count=True),
    Feature("email_engagement", "share", "Share of the e-mails of the last 90 days that were opened", 1),
    Feature("login_frequency", "logins", "Successful logins of the last 30 days", 1e5, is_count=True),
    Feature("payment_failures", "failures", "Failed payments of the last 90 days", 1e5, is_count=True),
    Feature("discount_usage", "share", "Share of the orders that had a discount", 1),
    Feature("loyalty_points", "points", "Balance of loyalty points", 1e9),
    Feature("account_age_days", "days", "Days since the customer was first known", 36500),
)
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
_COUNTS = frozenset(feature.name for feature in FEATURES if feature.is_count)


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
)
"""What only the stored orders tell: spend in recent windows, and the gaps between orders (last, median, deviation)."""
INPUT_NAMES = FEATURE_NAMES + STATE_COLUMNS
_PURCHASE_FEATURES = frozenset(
    {"total_orders", "total_spent", "avg_order_value", "days_since_last_order", "account_age_days"}
)


def features_at(state: CustomerState, as_of: datetime, observed: Observed) -> Features:
    """Return the 12 features as they stood at an instant.

    `observed` says since when the shop sends each kind of event: what it does not send is not known, rather than 0.
    """
    at = to_millis(as_of)
    orders = [order for order in state.orders.values() if order.counts_at(at)]
    cents = sum(order.cents for order in orders)
    last = max((order.placed_at or 0 for order in orders), default=None)

    def count(kind: str, days: int) -> float | None:
        if at < observed.get(kind, at + 1):
            return None
        instants = state.instants.get(kind, ())
        return float(bisect_right(instants, at) - bisect_right(instants, at - days * DAY))

    return {
        "total_orders": float(len(orders)),
        "total_spent": cents / 100,
        "avg_order_value": cents / len(orders) / 100 if orders else None,
        "days_since_last_order": None if last is None else (at - last) / DAY,
        "support_tickets": count("support_tickets", WINDOW_DAYS),
        "product_returns": count("product_returns", WINDOW_DAYS),
        "email_engagement": _engagement(
            count("email_sent", WINDOW_DAYS), count("email_opened", WINDOW_DAYS), count("email_clicked", WINDOW_DAYS)
        ),
        "login_frequency": count("login_frequency", LOGIN_WINDOW_DAYS),
        "payment_failures": count("payment_failures", WINDOW_DAYS),
        "discount_usage": _share_of_discounts(orders),
        "loyalty_points": _points(state, at, observed),
        "account_age_days": _age_days(state, at),
    }


def inputs_at(state: CustomerState, as_of: datetime, observed: Observed) -> Inputs:
    """Return all inputs of a model as they stood at an instant: `features_at`, and STATE_COLUMNS."""
    at = to_millis(as_of)
    orders = sorted((order.placed_at or 0, order.cents) for order in state.orders.values() if order.counts_at(at))
    spent = {
        f"spent_{days}_days": sum(cents for placed_at, cents in orders if placed_at > at - days * DAY) / 100
        for days in (30, 90, 180)
    }
    gaps = [(later[0] - earlier[0]) / DAY for earlier, later in pairwise(orders)]
    typical = median(gaps) if gaps else None
    return {
        **features_at(state, as_of, observed),
        **spent,
        "last_gap_days": gaps[-1] if gaps else None,
        "typical_gap_days": typical,
        "gap_deviation_days": _deviation(gaps),
        "silence_in_typical_gaps": (at - orders[-1][0]) / DAY / typical if typical else None,
    }


def overridden(stored: Mapping[str, float | None], given: Mapping[str, float | None]) -> Inputs:
    """Return a stored customer's inputs with some of the 12 features replaced.

    The gaps and windows of hypothetical purchases cannot be computed: once a feature of purchases is replaced,
    STATE_COLUMNS are not known.
    """
    names = FEATURE_NAMES if _PURCHASE_FEATURES & given.keys() else INPUT_NAMES
    return {name: given.get(name, stored.get(name)) for name in names}


def shown(features: Features) -> FeatureValues:
    """Return the 12 features as clients see them: counts as whole numbers."""
    known = {name: features[name] for name in FEATURE_NAMES}
    values = {name: int(value) if name in _COUNTS and value is not None else value for name, value in known.items()}
    return cast("FeatureValues", values)


def _engagement(sent: float | None, opened: float | None, clicked: float | None) -> float | None:
    """Return the share of the e-mails that were opened or clicked; None if none was sent."""
    return min(1.0, max(opened or 0.0, clicked or 0.0) / sent) if sent else None


def _share_of_discounts(orders: Sequence[Order]) -> float | None:
    discounted = [order.discounted for order in orders if order.discounted is not None]
    return sum(discounted) / len(discounted) if discounted else None


def _age_days(state: CustomerState, at: int) -> float | None:
    return (at - state.since) / DAY if state.since is not None and state.since <= at else None


def _points(state: CustomerState, at: int, observed: Observed) -> float | None:
    if state.balance is None and at < observed.get(LOYALTY, at + 1):
        return None
    base = state.balance[1] if state.balance is not None and state.balance[0] <= at else 0.0
    # fsum, because a sum of floats would depend on the order of the changes.
    return max(0.0, base + math.fsum(points for changed_at, points in state.point_changes if changed_at <= at))


def _deviation(values: list[float]) -> float | None:
    """Return the standard deviation of two values and more; statistics.pstdev is exact, and fifty times as slow."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
