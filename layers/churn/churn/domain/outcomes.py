"""What becomes of a customer after a prediction or an alert, when that is known, and how alerts are counted by it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, Self, get_args

from churn.domain.alerts import AlertPriority, AlertStatus
from churn.domain.customer import CustomerState
from churn.domain.timestamps import DAY

GRACE = timedelta(days=1)
"""After the horizon of a prediction or an alert its outcome is known once late events have had so long to come."""
LATE = timedelta(days=28)
"""So long after it was known an outcome is looked at a last time, with what has come late."""

Outcome = Literal["pending", "left", "stayed", "none"]
"""`pending` until it is known; `none` for somebody who was no current customer, and so could not leave."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Handling = Literal["untouched", "worked", "dismissed"]
"""What people made of an alert by the time that its outcome was known; of a pending one, by now."""
HANDLINGS: tuple[Handling, ...] = get_args(Handling)

PerformanceGroup = Literal["kind", "week"]
"""What the outcomes of alerts can be told by."""

BY_WEEK = "alerts_by_week"
"""Sums of alerts by week are named ``alerts_by_week:MONDAY:KIND:HANDLING:OUTCOME``."""


def has_left(state: CustomerState, at: int, horizon_days: int) -> bool:
    """Return whether a customer did not order within the horizon after an instant (milliseconds since 1970)."""
    # Orders up to that instant were known then.
    return not state.ordered_between(at + 1, at + 1 + horizon_days * DAY)


def outcome_of(state: CustomerState, at: int, horizon_days: int, within_days: int) -> Outcome:
    """Return what became of a customer in the horizon after an instant (milliseconds since 1970), which is over.

    `within_days`: a current customer has ordered within so many days before.
    """
    if not state.is_eligible(at, within_days):
        return "none"
    return "left" if has_left(state, at, horizon_days) else "stayed"


def left_rate(left: int, matured: int) -> float | None:
    """Return per cent of the alerts with a known outcome whose customers left, None where nothing has matured."""
    return round(100 * left / matured, 2) if matured else None


def handling_of(status: AlertStatus) -> Handling:
    """Return what people have made of an alert of a status."""
    if status == "new":
        return "untouched"
    return "dismissed" if status == "dismissed" else "worked"


def monday(day: date) -> date:
    """Return the first day of a day's week."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class CountedAlert:
    """What the sums of alerts count an alert by; without a handling, those by week do not count it yet."""

    status: AlertStatus
    priority: AlertPriority
    day: date
    alert_type: str
    handling: Handling | None
    outcome: Outcome = "pending"

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return it of a row of `alerts`; the first releases stored no day of its own."""
        day = row["counted_on"] or row["created_at"].date()
        return cls(row["status"], row["priority"], day, row["alert_type"], row["handling"], row["outcome"])

    def share(self) -> Counter[str]:
        """Return what the alert adds to the sums, by their names."""
        share = Counter([f"alerts:{self.status}:{self.priority}", f"alerts_created:{self.day}"])
        if self.handling is not None:
            share[f"{BY_WEEK}:{monday(self.day)}:{self.alert_type}:{self.handling}:{self.outcome}"] = 1
        return share
