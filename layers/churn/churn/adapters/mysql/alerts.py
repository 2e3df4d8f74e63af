"""What people do with alerts; each action is safe to repeat, and the sums of alerts change with it."""

from datetime import datetime

from churn.adapters.mysql import totals
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.errors import ConflictError, NotFoundError


class AlertNotFoundError(NotFoundError):
    """There is no alert with this id."""


class AlertClosedError(ConflictError):
    """The alert is resolved or dismissed, and this cannot be done to it any more; `status` says which."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the alert is {status}")
        self.status = status


def acknowledge(database: Database, alert_id: int, by: str, now: datetime) -> datetime:
    """Mark an alert as acknowledged; return since when. Raises AlertNotFoundError, AlertClosedError."""

    def work(transaction: Transaction) -> datetime:
        alert = _locked(transaction, alert_id)
        if alert["status"] in {"resolved", "dismissed"}:
            raise AlertClosedError(alert["status"])
        if alert["acknowledged_at"] is not None:
            since: datetime = alert["acknowledged_at"]
            return since
        transaction.execute(
            "UPDATE alerts SET status = IF(status = 'new', 'acknowledged', status), acknowledged_at = %s, "
            "acknowledged_by = %s WHERE id = %s",
            (now, by, alert_id),
        )
        if alert["status"] == "new":
            _move(transaction, alert, "acknowledged")
        return now

    return database.run(work)


def resolve(database: Database, alert_id: int, by: str, notes: str | None, now: datetime) -> datetime:
    """Mark an alert as resolved; return since when.

    Raises AlertNotFoundError, and AlertClosedError if it was dismissed.
    """

    def work(transaction: Transaction) -> datetime:
        alert = _locked(transaction, alert_id)
        if alert["status"] == "dismissed":
            raise AlertClosedError("dismissed")
        if alert["status"] == "resolved":
            since: datetime = alert["resolved_at"]
            return since
        transaction.execute(
            "UPDATE alerts SET status = 'resolved', is_open = NULL, resolved_at = %s, resolved_by = %s, "
            "resolution_notes = %s WHERE id = %s",
            (now, by, notes, alert_id),
        )
        _move(transaction, alert, "resolved")
        return now

    return database.run(work)


def _locked(transaction: Transaction, alert_id: int) -> Row:
    alert = transaction.row("SELECT * FROM alerts WHERE id = %s FOR UPDATE", (alert_id,))
    if alert is None:
        raise AlertNotFoundError(alert_id)
    return alert


def _move(transaction: Transaction, alert: Row, status: str) -> None:
    totals.add(
        transaction,
        {f"alerts:{alert['status']}:{alert['priority']}": -1, f"alerts:{status}:{alert['priority']}": 1},
    )
