"""What the dashboard's figures over time can be asked for, and what a churn rate is."""

from typing import Literal

Period = Literal["7d", "30d", "90d", "1y"]
Granularity = Literal["hour", "day", "week", "month"]

PERIOD_DAYS: dict[Period, int] = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}

RATE_DAYS = 30
"""The churn rate is the share of the customers active so many days ago who lapsed since and are still away."""


def churn_rate(lapsed: int, active: int | None) -> float | None:
    """Return per cent of the active customers who have lapsed since, None where these are not known or nobody."""
    return round(min(100.0, 100 * lapsed / active), 2) if active else None
