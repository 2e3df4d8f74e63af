"""Table `alerts`: raising, reading and closing them; every change keeps the totals of alerts right.

The row `alerts` of the table `counters` holds the id of the newest alert, and `alerts:READER` a reader's cursor.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from churn.adapters.mysql import totals
from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.alerts import AlertStatus, NewAlert
from churn.domain.errors import ConflictError, FieldError, InvalidInputError, NotFoundError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
# Of the newest alert that was pruned; the instant in microseconds since 1970.
_PRUNED_ID, _PRUNED_AT = "alerts.pruned", "alerts.pruned_until"


class AlertNotFoundError(NotFoundError):
    """There is no alert with this id."""

    sentence = "There is no such alert."


class AlertClosedError(ConflictError):
    """The alert is closed, which rules the action out; it is resolved or dismissed."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The alert is {status} already.")


class AlertsPrunedError(InvalidInputError):
    """Alerts after the place that a client asks from are not kept any more."""

    def __init__(self, newest: int) -> None:
        message = f"is before the oldest alert that is kept: those up to {newest} were deleted, begin with {newest}"
        super().__init__(FieldError("since", message))


def open_types(transaction: Transaction, customer_pks: Sequence[int]) -> set[tuple[int, str]]:
    """Return the open alerts of some customers, as pairs of the customer's key and the alert's type."""
    rows = transaction.rows_among(
        "SELECT customer_pk, alert_type FROM alerts WHERE is_open = 1 AND customer_pk IN ({values})", customer_pks
    )
    return {(int(row["customer_pk"]), row["alert_type"]) for row in rows}


def add(transaction: Transaction, alerts: Sequence[tuple[int, NewAlert]], now: datetime) -> list[int]:
    """Store alerts, each with its customer's key, and return their ids.

    Call it last in a transaction: the ids come from a row that stays locked until the commit, so that they rise in the
    order of the commits and a reader that asks for ids above the last one it saw misses none.
    """
    if not alerts:
        return []
    transaction.execute("UPDATE counters SET value = value + %s WHERE name = 'alerts'", (len(alerts),))
    counter = transaction.row("SELECT value FROM counters WHERE name = 'alerts'")
    last = int(counter["value"]) if counter else 0
    ids = list(range(last - len(alerts) + 1, last + 1))
    transaction.insert_many(
        "INSERT INTO alerts (id, customer_pk, alert_type, priority, title, message, reason, risk_score, created_at)",
        [
            (
                number,
                pk,
                alert.alert_type,
                alert.priority,
                alert.title[:512],
                alert.message[:1024],
                alert.reason[:512],
                alert.risk_score,
                now,
            )
            for number, (pk, alert) in zip(ids, alerts, strict=True)
        ],
    )
    return ids


def require_kept(transaction: Transaction, since: int | datetime | None) -> None:
    """Raise AlertsPrunedError if alerts after `since`, an id or a time, have been pruned."""
    pruned = {
        row["name"]: int(row["value"])
        for row in transaction.rows("SELECT name, value FROM counters WHERE name IN (%s, %s)", (_PRUNED_ID, _PRUNED_AT))
    }
    newest = pruned.get(_PRUNED_ID, 0)
    if since is not None and newest:
        is_before = since < newest if isinstance(since, int) else (since - _EPOCH) // _MICRO < pruned[_PRUNED_AT]
        if is_before:
            raise AlertsPrunedError(newest)


def prune(transaction: Transaction, before: datetime, limit: int) -> tuple[int, Counter[str]]:
    """Delete at most `limit` alerts raised before an instant; return how many, and the change of the totals."""
    rows = transaction.rows(
        "SELECT id, status, priority, created_at, DATE_FORMAT(created_at, '%%Y-%%m-%%d') AS day FROM alerts "
        "WHERE created_at < %s ORDER BY created_at, id LIMIT %s FOR UPDATE",
        (before, limit),
    )
    if not rows:
        return 0, Counter()
    transaction.execute_among("DELETE FROM alerts WHERE id IN ({values})", [row["id"] for row in rows])
    transaction.insert_many(
        "INSERT INTO counters (name, value)",
        [
            (_PRUNED_AT, max((row["created_at"] - _EPOCH) // _MICRO for row in rows)),
            (_PRUNED_ID, max(row["id"] for row in rows)),
        ],
        "ON DUPLICATE KEY UPDATE value = GREATEST(value, VALUES(value))",
    )
    return len(rows), _falling(rows)


def newest_id(transaction: Transaction) -> int:
    """Return the id of the alert that was committed last, 0 before the first."""
    row = transaction.row("SELECT value FROM counters WHERE name = 'alerts'")
    return 0 if row is None else int(row["value"])


def after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts with ids above the cursor, in order, as `churn.services.presentation.alert_json` takes them."""
    return transaction.rows(
        "SELECT a.*, c.customer_id, c.name AS customer_name FROM alerts a "
        "JOIN customers c ON c.id = a.customer_pk WHERE a.id > %s ORDER BY a.id LIMIT %s",
        (cursor, limit),
    )


def newest(
    transaction: Transaction,
    *,
    limit: int,
    status: str | None = None,
    priority: str | None = None,
    since: int | datetime | None = None,
    before: int | None = None,
) -> tuple[list[Row], int | None]:
    """Return alerts below the id `before`, the newest first, and their number after `since` if that is given."""
    conditions = Conditions()
    conditions.add_equal("status", status)
    conditions.add_equal("priority", priority)
    if since is not None:
        conditions.add("created_at > %s" if isinstance(since, datetime) else "id > %s", since)
    total = None if since is None else conditions.count(transaction, "alerts")
    if before is not None:
        conditions.add("id < %s", before)
    rows = transaction.rows(
        "SELECT a.*, c.customer_id, c.name AS customer_name FROM "
        f"(SELECT * FROM alerts {conditions.where()} ORDER BY id DESC LIMIT %s) a "
        "JOIN customers c ON c.id = a.customer_pk ORDER BY a.id DESC",
        [*conditions.values, limit],
    )
    return rows, total


def cursor_at(transaction: Transaction, since: datetime, newest: int) -> int:
    """Return the id before the first alert that a client misses whose last alert has the time `since`."""
    first = transaction.row(
        "SELECT MIN(id) AS id, COUNT(*) AS number FROM alerts WHERE created_at = %s AND id <= %s", (since, newest)
    )
    if first is not None and first["number"] == 1:
        # The time of one alert names that alert, which the client has. Of several it may have only a part.
        return int(first["id"])
    missed = transaction.row("SELECT MIN(id) AS id FROM alerts WHERE created_at >= %s AND id <= %s", (since, newest))
    return newest if missed is None or missed["id"] is None else int(missed["id"]) - 1


def advance_reader(transaction: Transaction, reader: str, limit: int, consume: Callable[[Sequence[Row]], None]) -> int:
    """Pass the next alerts to `consume`, move the reader's stored cursor, and return how many alerts there were.

    A concurrent call for the same reader waits. If `consume` raises, the cursor stays; if the commit is lost
    afterwards, the same alerts are passed again.
    """
    name = f"alerts:{reader}"
    transaction.execute("INSERT IGNORE INTO counters (name, value) VALUES (%s, 0)", (name,))
    row = transaction.row("SELECT value FROM counters WHERE name = %s FOR UPDATE", (name,))
    alerts = after(transaction, int(row["value"]) if row else 0, limit)
    if alerts:
        consume(alerts)
        transaction.execute("UPDATE counters SET value = %s WHERE name = %s", (alerts[-1]["id"], name))
    return len(alerts)


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


def erase(transaction: Transaction, customer_pk: int) -> Counter[str]:
    """Delete a customer's alerts; return the change of the totals.

    They are locked as they are read: somebody may be resolving one at this moment.
    """
    rows = transaction.rows(
        "SELECT status, priority, DATE_FORMAT(created_at, '%%Y-%%m-%%d') AS day FROM alerts WHERE customer_pk = %s "
        "FOR UPDATE",
        (customer_pk,),
    )
    transaction.execute("DELETE FROM alerts WHERE customer_pk = %s", (customer_pk,))
    return _falling(rows)


def _falling(rows: Sequence[Row]) -> Counter[str]:
    """Return the change of the totals by alerts that are deleted."""
    change: Counter[str] = Counter()
    for row in rows:
        change[f"alerts:{row['status']}:{row['priority']}"] -= 1
        change[f"alerts_created:{row['day']}"] -= 1
    return change


def _locked(transaction: Transaction, alert_id: int) -> Row:
    alert = transaction.row("SELECT * FROM alerts WHERE id = %s FOR UPDATE", (alert_id,))
    if alert is None:
        raise AlertNotFoundError(alert_id)
    return alert


def _move(transaction: Transaction, alert: Row, status: AlertStatus) -> None:
    totals.add(
        transaction,
        {f"alerts:{alert['status']}:{alert['priority']}": -1, f"alerts:{status}:{alert['priority']}": 1},
    )
