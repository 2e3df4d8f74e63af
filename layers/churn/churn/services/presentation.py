"""An alert as clients see it, over REST and on a socket, and the point in the alerts that they resume from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.domain.timestamps import iso, parse_timestamp

if TYPE_CHECKING:
    from churn.domain.answers import Alert

# Below lie ids, from here on seconds since 1970 (the year 2001).
_TIMES_FROM = 10**9


def alert_json(row: Mapping[str, Any]) -> Alert:
    """Return the alert of a row of `alerts` that has also `customer_id` and `customer_name`; instants are aware."""
    created_at = iso(row["created_at"])
    return {
        "id": row["id"],
        "customer_id": row["customer_id"],
        "customer_name": row["customer_name"] or row["customer_id"],
        "alert_type": row["alert_type"],
        "priority": row["priority"],
        "title": row["title"],
        "message": row["message"],
        "reason": row["reason"],
        "risk_score": row["risk_score"],
        "status": row["status"],
        "timestamp": created_at,
        "created_at": created_at,
        "acknowledged_at": _optional(row["acknowledged_at"]),
        "resolved_at": _optional(row["resolved_at"]),
    }


def parse_since(value: object) -> int | datetime:
    """Return the alert id (a whole number below 10^9, also as text) or else the instant that a client resumes from.

    Raises ValueError with a sentence for the client.
    """
    number = value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        # Longer than any id or time: not a number that is worth converting.
        number = int(value) if len(value.strip()) <= 20 else value
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _TIMES_FROM:
        return number
    try:
        return parse_timestamp(number)
    except ValueError:
        raise ValueError("must be the id of an alert, or a time (ISO 8601, or seconds or milliseconds)") from None


def _optional(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)
