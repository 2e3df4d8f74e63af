"""Reading the alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, alerts, totals
from churn.adapters.mysql.alert_counters import newest_of_all
from churn.adapters.mysql.alerts import Wanted
from churn.services.cursors import read_alert_cursor, write_alert_cursor
from churn.services.presentation import alert_json

if TYPE_CHECKING:
    from churn.domain.answers import AlertPage

_ALL = Wanted()


def list_alerts(database: Database, wanted: Wanted = _ALL, *, limit: int, cursor: str | None = None) -> AlertPage:
    """Return alerts, the newest first; with `changes_since` those changed since, in the order of their changes.

    Raises InvalidCursorError, AlertsPrunedError, DatabaseUnavailableError.
    """
    by_change = wanted.changes_since is not None
    position = None if cursor is None else read_alert_cursor(cursor, is_change=by_change)

    def work(transaction: Transaction) -> AlertPage:
        alerts.require_kept(transaction, wanted.since)
        rows, total = alerts.page(transaction, wanted, limit=limit + 1, position=position)
        if total is None:
            chosen = [() if value is None else (value,) for value in (wanted.status, wanted.priority)]
            total = totals.read_pairs(transaction, "alerts", *chosen)
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
