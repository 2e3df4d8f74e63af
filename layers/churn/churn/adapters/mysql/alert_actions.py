"""Table `alert_actions`: who did what with an alert, and when."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody has done with an alert: the fields that changed, and a note."""

    alert_id: int
    changed: dict[str, str | None]
    note: str | None


def add(transaction: Transaction, actions: Sequence[Action], first_change: int, by: str, now: datetime) -> None:
    """Store actions with numbers that rise from `first_change` on."""
    transaction.insert_many(
        "INSERT INTO alert_actions (alert_id, change_number, done_at, done_by, changed, note)",
        [
            (action.alert_id, number, now, by, json.dumps(action.changed), action.note)
            for number, action in enumerate(actions, first_change)
        ],
    )


def of_alert(transaction: Transaction, alert_id: int, limit: int) -> list[Row]:
    """Return the newest actions on an alert, the newest first."""
    return transaction.rows(
        "SELECT change_number, done_at, done_by, changed, note FROM alert_actions WHERE alert_id = %s "
        "ORDER BY change_number DESC LIMIT %s",
        (alert_id, limit),
    )


def delete(transaction: Transaction, alert_ids: Collection[int]) -> None:
    """Delete the actions on alerts, which are locked and go too."""
    transaction.execute_among("DELETE FROM alert_actions WHERE alert_id IN ({values})", alert_ids)
