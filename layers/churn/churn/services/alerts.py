"""Reading the alerts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, alerts, totals
from churn.services.cursors import read_alert_cursor, write_alert_cursor
from churn.services.presentation import alert_json

if TYPE_CHECKING:
    from churn.domain.answers import AlertPage


def list_alerts(
    database: Database,
    *,
    limit: int,
    status: str | None = None,
    priority: str | None = None,
    since: int | datetime | None = None,
    cursor: str | None = None,
) -> AlertPage:
    """Return alerts, the newest first. Raises InvalidCursorError, AlertsPrunedError, DatabaseUnavailableError."""
    before = None if cursor is None else read_alert_cursor(cursor)

    def work(transaction: Transaction) -> AlertPage:
        alerts.require_kept(transaction, since)
        rows, total = alerts.newest(
            transaction, limit=limit + 1, status=status, priority=priority, since=since, before=before
        )
        if total is None:
            total = totals.read_pairs(transaction, "alerts", status, priority)
        more, rows = len(rows) > limit, rows[:limit]
        return {
            "alerts": [alert_json(row) for row in rows],
            "total": total,
            "next_cursor": write_alert_cursor(rows[-1]["id"]) if more else None,
        }

    return database.read(work)


def alert_id(text: str) -> int:
    """Return the id that a path writes. Raises AlertNotFoundError if it is the id of no alert."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise alerts.AlertNotFoundError(text)
    return int(text)
