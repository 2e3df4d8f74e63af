"""Every filter and every order of the lists of customers that the API offers, made from the definitions of both."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, get_args

from churn.domain.customer_record import CustomerSort, SortOrder
from churn.domain.risk import ACTIVE_STATUSES
from churn.services.customer_filters import CustomerFilters


def filters(now: datetime) -> dict[str, dict[str, Any]]:
    """Return a value for each filter by the filter's name, none, and those that go together.

    Raises RuntimeError if there is a filter that it does not know.
    """
    alone: dict[str, Any] = {
        "risk_level": ("high", "critical"),
        "status": ACTIVE_STATUSES,
        "lapsed_since": now - timedelta(days=30),
        "lapsed_until": now - timedelta(days=60),
        "first_order_from": (now - timedelta(days=90)).date(),
        "first_order_to": (now - timedelta(days=300)).date(),
        "ordered_again_from": (now - timedelta(days=60)).date(),
        "ordered_again_to": (now - timedelta(days=100)).date(),
        "search": "anna",
        "has_open_alert": True,
        "changed_since": now - timedelta(days=1),
        "min_churn_probability": 0.5,
        "max_churn_probability": 0.2,
        "min_value_at_risk": 30,
        "max_value_at_risk": 10,
        "min_value_ratio": 2,
        "min_total_spent": 900,
        "max_total_spent": 50,
        "min_total_orders": 7,
        "max_total_orders": 1,
        "min_days_since_last_order": 300,
        "max_days_since_last_order": 10,
        "min_account_age_days": 600,
        "max_account_age_days": 60,
        "min_days_at_risk": 2,
        "max_days_at_risk": 7,
        "min_days_since_return": 10,
        "max_days_since_return": 30,
    }
    if alone.keys() != {field.name for field in fields(CustomerFilters)}:
        raise RuntimeError("a filter of the lists is not known here, or is no more")
    together: dict[str, dict[str, Any]] = {
        "nothing": {},
        "nobody with an open alert": {"has_open_alert": False},
        "two words": {"search": "anna baker"},
        "high value, silent": {"status": ACTIVE_STATUSES, "min_value_at_risk": 30, "min_days_since_last_order": 20},
        "a word of the lapsed": {"search": "anna", "status": ("lapsed",), "min_total_spent": 300},
        "lapsed in a month": {"lapsed_since": now - timedelta(days=60), "lapsed_until": now - timedelta(days=30)},
    }
    return {**{name: {name: value} for name, value in alone.items()}, **together}


def orders() -> Iterator[tuple[CustomerSort, SortOrder]]:
    """Yield every order of the lists."""
    for sort in get_args(CustomerSort):
        for order in get_args(SortOrder):
            yield sort, order
