"""Reading the alerts, and working on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import (
    Database,
    Transaction,
    alert_actions,
    alert_pages,
    alert_work,
    alerts,
    customers,
    totals,
)
from churn.adapters.mysql.alert_counters import newest_of_all
from churn.adapters.mysql.alert_pages import Wanted, Way
from churn.adapters.mysql.conditions import Counted
from churn.adapters.mysql.database import Row
from churn.domain.alert_work import Work
from churn.domain.errors import ChurnError, FieldError, InvalidInputError
from churn.services.cursors import read_alert_cursor, write_alert_cursor
from churn.services.presentation import alert_detail_json, alert_json

if TYPE_CHECKING:
    from churn.domain.alert_answers import AlertDetail, AlertPage, AlertPart

_ALL = Wanted()
_ACTIONS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several alerts: its row, whether it has changed, or why the work could not be done."""

    alert: Row | None
    has_changed: bool
    error: ChurnError | None


def list_alerts(
    database: Database, wanted: Wanted = _ALL, *, limit: int, cursor: str | None = None, customer_id: str | None = None
) -> AlertPage:
    """Return alerts, the newest first; with `changes_since` those changed since, in the order of their changes.

    `customer_id`: of that customer alone. Raises InvalidCursorError, AlertsPrunedError, DatabaseUnavailableError.
    """

    def work(transaction: Transaction) -> AlertPage:
        chosen = _chosen(transaction, wanted, customer_id)
        way = _way(transaction, chosen, cursor)
        part = _part(transaction, chosen, way, limit)
        counted = _counted(transaction, chosen, way if cursor is None else None)
        shown = len(part["alerts"])
        if cursor is None and part["next_cursor"] is None:
            # The page is the whole list.
            counted = Counted(shown, is_lower_bound=False)
        return {
            **part,
            "total": max(counted.number, shown),
            "total_is_lower_bound": counted.is_lower_bound,
            "newest_change": newest_of_all(transaction).change,
        }

    return database.read(work)


def part_of_alerts(
    database: Database, wanted: Wanted, *, limit: int, cursor: str | None, customer_id: str | None
) -> AlertPart:
    """Return alerts as `list_alerts` does, and count nothing, as every part of a file would."""

    def work(transaction: Transaction) -> AlertPart:
        chosen = _chosen(transaction, wanted, customer_id)
        return _part(transaction, chosen, _way(transaction, chosen, cursor), limit)

    return database.read(work)


def get_alert(database: Database, alert_id: int) -> AlertDetail:
    """Return an alert with what was done about it. Raises AlertNotFoundError, DatabaseUnavailableError."""
    return database.read(lambda transaction: _detail(transaction, alert_id))


def work_on(
    database: Database, alert_id: int, work: Work, by: str, now: datetime, versions: Collection[int] | None = None
) -> AlertDetail:
    """Do some work on an alert, which must be of one of the versions, if they are given; return it as it is then.

    Raises InvalidInputError, AlertNotFoundError, AlertChangedError, AlertClosedError, AlertBesideOpenError,
    DatabaseUnavailableError.
    """
    _check(work, now)
    expected = {} if versions is None else {alert_id: versions}

    def run(transaction: Transaction) -> AlertDetail:
        outcome = alert_work.work_on(transaction, [alert_id], work, by, now, expected)[alert_id]
        if isinstance(outcome, ChurnError):
            raise outcome
        return _detail(transaction, alert_id)

    return database.run(run)


def work_on_many(
    database: Database,
    alert_ids: Sequence[int],
    work: Work,
    by: str,
    now: datetime,
    versions: Mapping[int, Collection[int]] | None = None,
) -> list[Outcome]:
    """Do the same work on alerts, in one transaction; return an outcome for each, in the order that they are given.

    `versions`: by id those of which an alert must be; one of another version stays as it is. Raises
    InvalidInputError, DatabaseUnavailableError.
    """
    _check(work, now)

    def run(transaction: Transaction) -> list[Outcome]:
        outcomes = alert_work.work_on(transaction, alert_ids, work, by, now, versions)
        rows = alert_pages.by_ids(transaction, alert_ids)
        return [
            Outcome(rows.get(alert_id), outcome is True, outcome if isinstance(outcome, ChurnError) else None)
            for alert_id in alert_ids
            for outcome in [outcomes[alert_id]]
        ]

    return database.run(run)


def alert_id(text: str) -> int:
    """Return the id that a path writes. Raises AlertNotFoundError if it is the id of no alert."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise alerts.AlertNotFoundError(text)
    return int(text)


def _check(work: Work, now: datetime) -> None:
    if work.snoozed_until is not None and work.snoozed_until <= now:
        raise InvalidInputError(FieldError("snoozed_until", "must lie ahead"))


def _detail(transaction: Transaction, alert_id: int) -> AlertDetail:
    row = alert_pages.by_ids(transaction, [alert_id]).get(alert_id)
    if row is None:
        raise alerts.AlertNotFoundError(alert_id)
    return alert_detail_json(row, alert_actions.of_alert(transaction, alert_id, _ACTIONS))


def _chosen(transaction: Transaction, wanted: Wanted, customer_id: str | None) -> Wanted:
    alerts.require_kept(transaction, wanted.since)
    return wanted if customer_id is None else replace(wanted, customer_pk=_key(transaction, customer_id))


def _way(transaction: Transaction, chosen: Wanted, cursor: str | None) -> Way:
    by_change = chosen.changes_since is not None
    position = None if cursor is None else read_alert_cursor(cursor, is_change=by_change)
    return alert_pages.way(transaction, chosen, position)


def _part(transaction: Transaction, chosen: Wanted, way: Way, limit: int) -> AlertPart:
    by_change = chosen.changes_since is not None
    rows = alert_pages.page(transaction, way, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    last = rows[-1]["change_number" if by_change else "id"] if more else None
    return {
        "alerts": [alert_json(row) for row in rows],
        "next_cursor": None if last is None else write_alert_cursor(last, is_change=by_change),
    }


def _counted(transaction: Transaction, chosen: Wanted, way: Way | None) -> Counted:
    """Return how many alerts there are; `way`: that from their beginning, where it is known."""
    if not chosen.is_summed:
        return alert_pages.count(transaction, way or alert_pages.way(transaction, chosen))
    priorities = () if chosen.priority is None else (chosen.priority,)
    total = totals.read_pairs(transaction, "alerts", chosen.status, priorities)
    return Counted(total - alert_pages.snoozed(transaction, chosen), is_lower_bound=False)


def _key(transaction: Transaction, customer_id: str) -> int:
    """Return the key of a customer, 0, which nobody has, for somebody who is not known."""
    row = customers.by_id(transaction, [customer_id]).get(customer_id)
    return 0 if row is None else int(row["id"])
