"""Table `alert_actions`: who did what with an alert, and when."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.timeline import Window


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody has done with an alert: the fields that changed, and a note."""

    alert_id: int
    customer_pk: int
    changed: dict[str, str | None]
    note: str | None


def add(transaction: Transaction, actions: Sequence[Action], first_change: int, by: str, now: datetime) -> None:
    """Store actions with numbers that rise from `first_change` on."""
    transaction.insert_many(
        "INSERT INTO alert_actions (alert_id, customer_pk, change_number, done_at, done_by, changed, note)",
        [
            (action.alert_id, action.customer_pk, number, now, by, _json(action.changed), action.note)
            for number, action in enumerate(actions, first_change)
        ],
    )


def _json(changed: Mapping[str, str | None]) -> str:
    # As text of UTF-8: a reason that is escaped would be three times as long.
    return json.dumps(changed, ensure_ascii=False)


def of_alert(transaction: Transaction, alert_id: int, limit: int) -> list[Row]:
    """Return the newest actions on an alert, the newest first."""
    return transaction.rows(
        "SELECT change_number, done_at, done_by, changed, note FROM alert_actions WHERE alert_id = %s "
        "ORDER BY change_number DESC LIMIT %s",
        (alert_id, limit),
    )


def of_customer(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> list[Row]:
    """Return what was done with a customer's alerts, the newest first, each with the alert's type."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    conditions.add_window(window, "done_at", "change_number")
    return transaction.rows(
        "SELECT x.*, a.alert_type FROM "
        f"(SELECT * FROM alert_actions FORCE INDEX (alert_actions_by_customer) {conditions.where()} "
        "ORDER BY done_at DESC, change_number DESC LIMIT %s) x JOIN alerts a ON a.id = x.alert_id "
        "ORDER BY x.done_at DESC, x.change_number DESC",
        [*conditions.values, limit],
    )


def of_alerts(transaction: Transaction, alert_ids: Collection[int]) -> list[Row]:
    """Return all actions on some alerts, the oldest first."""
    rows = transaction.rows_among(
        "SELECT alert_id, change_number, done_at, changed FROM alert_actions WHERE alert_id IN ({values})", alert_ids
    )
    return sorted(rows, key=lambda row: row["change_number"])


def complete(transaction: Transaction, limit: int) -> int:
    """Name the customer of at most `limit` actions that a version of before has stored; return how many there were."""
    rows = transaction.rows(
        "SELECT alert_id, change_number FROM alert_actions WHERE customer_pk IS NULL LIMIT %s FOR UPDATE", (limit,)
    )
    for row in rows:
        transaction.execute(
            "UPDATE alert_actions x JOIN alerts a ON a.id = x.alert_id SET x.customer_pk = a.customer_pk "
            "WHERE x.alert_id = %s AND x.change_number = %s",
            (row["alert_id"], row["change_number"]),
        )
    return len(rows)


def delete(transaction: Transaction, alert_ids: Collection[int]) -> None:
    """Delete the actions on alerts, which are locked and go too."""
    transaction.execute_among("DELETE FROM alert_actions WHERE alert_id IN ({values})", alert_ids)
