"""Reading the alerts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, alerts, totals
from churn.adapters.mysql.alert_counters import newest_of_all
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
    changes_since: int | None = None,
    cursor: str | None = None,
) -> AlertPage:
    """Return alerts, the newest first; with `changes_since` those changed since, in the order of their changes.

    Raises InvalidCursorError, AlertsPrunedError, DatabaseUnavailableError.
    """
    by_change = changes_since is not None
    position = None if cursor is None else read_alert_cursor(cursor, is_change=by_change)
    wanted = alerts.Wanted(status, priority, since, changes_since)

    def work(transaction: Transaction) -> AlertPage:
        alerts.require_kept(transaction, since)
        rows, total = alerts.page(transaction, wanted, limit=limit + 1, position=position)
        if total is None:
            total = totals.read_pairs(
                transaction, "alerts", () if status is None else (status,), () if priority is None else (priority,)
            )
        more, rows = len(rows) > limit, rows[:limit]
        last = rows[-1]["change_number" if by_change else "id"] if more else None
        return {
            "alerts": [alert_json(row) for row in rows],
            "total": total,
            "next_cursor": None if last is None else write_alert_cursor(last, is_change=by_change),
            "newest_change": newest_of_all(transaction).change,
        }

    return database.read(work)


def alert_id(text: str) -> int:
    """Return the id that a path writes. Raises AlertNotFoundError if it is the id of no alert."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise alerts.AlertNotFoundError(text)
    return int(text)
