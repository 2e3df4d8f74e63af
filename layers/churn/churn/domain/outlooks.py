"""What the customers' table holds of an outlook, and what clients are shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from churn.domain.model import Outlook
from churn.domain.timestamps import iso
from churn.domain.values import MAX_SUM

if TYPE_CHECKING:
    from churn.domain.answers import ExpectedMoney, ExpectedSpend


def outlook_columns(outlook: Outlook | None, as_of: datetime) -> dict[str, Any]:
    """Return the columns of `CustomerRecord` that hold an outlook of an instant; all None without one."""
    gap = days = None
    if outlook is not None:
        gap, days = outlook.usual_gap_days, outlook.next_order_days
    at = None if days is None else as_of + timedelta(days=days)
    return {**_amounts(outlook), "usual_gap_days": gap, "next_order_at": at}


def expected_money(row: Mapping[str, Any], recency: float | None) -> ExpectedMoney:
    """Return what clients are shown of a stored outlook; `recency` is the days since the last order now."""
    gap, at = row["usual_gap_days"], row["next_order_at"]
    return {
        **_shown(row),
        "next_order_expected_at": None if at is None else iso(at),
        "overdue_factor": None if recency is None or not gap else round(recency / gap, 2),
    }


def expected_of(outlook: Outlook | None, spend: float | None) -> ExpectedSpend:
    """Return what clients are shown of an outlook that is not stored; `spend` is the expected one."""
    return _shown({**_amounts(outlook), "expected_spend": spend})


def _shown(row: Mapping[str, Any]) -> ExpectedSpend:
    orders, spend = row["expected_orders"], row["expected_spend"]
    low, high = row["expected_spend_low"], row["expected_spend_high"]
    return {
        "expected_orders": None if orders is None else round(orders, 3),
        "expected_spend": None if spend is None else float(spend),
        "expected_spend_basis": None if spend is None else "purchase_process",
        "expected_spend_interval": None if low is None or high is None else {"low": float(low), "high": float(high)},
    }


def _amounts(outlook: Outlook | None) -> dict[str, float | None]:
    interval = None if outlook is None else outlook.interval
    low, high = (None, None) if interval is None else (_money(end) for end in interval)
    return {
        "expected_orders": None if outlook is None else outlook.orders,
        "expected_spend_low": low,
        "expected_spend_high": high,
    }


def _money(value: float) -> float:
    return min(round(value, 2), MAX_SUM)
