"""An alert as clients see it, over REST and on a socket, and the point in the alerts that they resume from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.domain.alert_work import NOTE_BEGINNING
from churn.domain.timestamps import iso, iso_micros, parse_exact_timestamp
from churn.domain.values import json_value

if TYPE_CHECKING:
    from churn.domain.alert_answers import Alert, AlertAction, AlertDetail

# Below lie ids, from here on seconds since 1970 (the year 2001).
_TIMES_FROM = 10**9


def alert_json(row: Mapping[str, Any]) -> Alert:
    """Return the alert of a row of `alerts` that has also `customer_id` and `customer_name`; instants are aware."""
    created_at = iso_micros(row["created_at"])
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
        "previous_risk_score": row["risk_before"],
        "model_source": row["model_source"],
        "status": row["status"],
        "timestamp": created_at,
        "created_at": created_at,
        "acknowledged_at": _optional(row["acknowledged_at"]),
        "acknowledged_by": row["acknowledged_by"],
        "resolved_at": _optional(row["resolved_at"]),
        "resolved_by": row["resolved_by"],
        "assigned_to": row["assigned_to"],
        "snoozed_until": _optional(row["snoozed_until"]),
        "raised_at": None if row["raised_at"] is None else iso_micros(row["raised_at"]),
        "change": row["change_number"],
        "outcome": row["outcome"],
        "handling": row["handling"],
        "last_action": None if row["done_at"] is None else _beginning(action_json(row, row["acted_change"])),
    }


def alert_detail_json(row: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> AlertDetail:
    """Return an alert with what was done about it, of a row as above and rows of `alert_actions`."""
    return {
        **alert_json(row),
        "resolution_notes": row["resolution_notes"],
        "actions": [action_json(action, action["change_number"]) for action in actions],
    }


def action_json(row: Mapping[str, Any], change: int) -> AlertAction:
    """Return an action on an alert, which was the change of that number."""
    return {
        "change": change,
        "by": row["done_by"],
        "at": iso(row["done_at"]),
        "changed": json.loads(row["changed"]),
        "note": row["note"],
    }


def _beginning(action: AlertAction) -> AlertAction:
    note = action["note"]
    if note is None or len(note) <= NOTE_BEGINNING:
        return action
    return {**action, "note": note[:NOTE_BEGINNING] + "…"}


def raised_json(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an alert as `churn_alert` tells it when it was raised to a higher band."""
    return {**alert_json(row), "raised": True}


def address_json(text: str | None) -> dict[str, Any] | None:
    """Return a stored address as an object: what a JSON object holds, or text as ``{"text": …}``."""
    if not text:
        return None
    found = _object(text)
    if found is None and text.startswith("{"):
        # A long object was cut when it was stored: its members before the cut are whole.
        ends = [match.start() for match in re.finditer(',\\s*"', text)]
        found = next((whole for end in reversed(ends) if (whole := _object(text[:end] + "}")) is not None), None)
    return {"text": text} if found is None else found


def _object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text writes, None if it writes none."""
    try:
        value = json_value(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


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
        return parse_exact_timestamp(number)
    except ValueError:
        raise ValueError("must be the id of an alert, or a time (ISO 8601, or seconds or milliseconds)") from None


def parse_change(value: object) -> int:
    """Return the number of a change of an alert, also from text. Raises ValueError with a sentence for the client."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20:
        text = int(text)
    if isinstance(text, bool) or not isinstance(text, int) or not 0 <= text < 2**63:
        raise ValueError("must be the number of a change of an alert")
    return text


def _optional(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)
