"""Table `alerts`: raising, reading and closing them; every change keeps the totals of alerts right.

Ids, changes and times come from `alert_counters`. The rows `alerts:READER` and
`alert_raises:READER` of the table `counters` are a reader's cursors.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql import alert_counters, totals
from churn.adapters.mysql.alert_counters import Newest
from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.alerts import AlertPriority, AlertStatus, NewAlert
from churn.domain.errors import ConflictError, FieldError, InvalidInputError, NotFoundError
from churn.domain.timestamps import from_micros, micros_text, to_micros

# Of the newest alert that was pruned; the instant in microseconds since 1970.
_PRUNED_ID, _PRUNED_AT = "alerts.pruned", "alerts.pruned_until"
_READ = "SELECT a.*, c.customer_id, c.name AS customer_name FROM alerts a JOIN customers c ON c.id = a.customer_pk"
# The day that the totals count an alert under; those of the release before have none of their own.
_DAY = "DATE_FORMAT(IFNULL(counted_on, created_at), '%%Y-%%m-%%d') AS day"


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


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An open alert, under a lock until the transaction ends."""

    id: int
    status: AlertStatus
    priority: AlertPriority


def lock_open(transaction: Transaction, customer_pks: Sequence[int]) -> dict[tuple[int, str], OpenAlert]:
    """Lock and return the open alerts of some customers, by the customer's key and the alert's type."""
    rows = transaction.rows_among(
        "SELECT id, customer_pk, alert_type, status, priority FROM alerts "
        "WHERE is_open = 1 AND customer_pk IN ({values}) ORDER BY customer_pk, alert_type FOR UPDATE",
        customer_pks,
    )
    return {
        (int(row["customer_pk"]), row["alert_type"]): OpenAlert(row["id"], row["status"], row["priority"])
        for row in rows
    }


def store(
    transaction: Transaction,
    new: Sequence[tuple[int, NewAlert]],
    raises: Sequence[tuple[OpenAlert, NewAlert]],
    change: Mapping[str, int],
) -> list[int]:
    """Store new alerts, each with its customer's key, and raise open ones; return the new ids.

    `change`: what else changes the totals of alerts. Call it last in a transaction: the counters stay locked until
    the commit.
    """
    if not (new or raises or any(change.values())):
        return []
    newest, clock = alert_counters.lock(transaction)
    times = alert_counters.next_times(transaction, clock, len(new) + len(raises))
    created_at, raised_at = times[: len(new)], times[len(new) :]
    ids = list(range(newest.alert + 1, newest.alert + 1 + len(new)))
    sums = Counter(change)
    _insert(transaction, ids, new, created_at, newest.change)
    for (_, alert), instant in zip(new, created_at, strict=True):
        sums[f"alerts:new:{alert.priority}"] += 1
        sums[f"alerts_created:{from_micros(instant):%Y-%m-%d}"] += 1
    number = newest.change + len(new)
    for (opened, alert), instant in zip(raises, raised_at, strict=True):
        number += 1
        _raise(transaction, opened, alert, instant, number)
        sums[f"alerts:{opened.status}:{opened.priority}"] -= 1
        sums[f"alerts:{opened.status}:{alert.priority}"] += 1
    alert_counters.store(
        transaction, Newest(newest.alert + len(new), number, number if raises else newest.a_raise), times
    )
    totals.add(transaction, sums)
    return ids


def require_kept(transaction: Transaction, since: int | datetime | None) -> None:
    """Raise AlertsPrunedError if alerts after `since`, an id or a time, have been pruned."""
    pruned = {
        row["name"]: int(row["value"])
        for row in transaction.rows("SELECT name, value FROM counters WHERE name IN (%s, %s)", (_PRUNED_ID, _PRUNED_AT))
    }
    newest = pruned.get(_PRUNED_ID, 0)
    if since is not None and newest:
        is_before = since < newest if isinstance(since, int) else to_micros(since) < pruned[_PRUNED_AT]
        if is_before:
            raise AlertsPrunedError(newest)


def prune(transaction: Transaction, before: datetime, limit: int) -> tuple[int, Counter[str]]:
    """Delete at most `limit` alerts raised before an instant; return how many, and the totals' change, for `store`."""
    rows = transaction.rows(
        f"SELECT id, status, priority, created_at, {_DAY} FROM alerts "
        "WHERE created_at < %s ORDER BY created_at, id LIMIT %s FOR UPDATE",
        (before, limit),
    )
    if not rows:
        return 0, Counter()
    transaction.execute_among("DELETE FROM alerts WHERE id IN ({values})", [row["id"] for row in rows])
    transaction.insert_many(
        "INSERT INTO counters (name, value)",
        [
            (_PRUNED_AT, max(to_micros(row["created_at"]) for row in rows)),
            (_PRUNED_ID, max(row["id"] for row in rows)),
        ],
        "ON DUPLICATE KEY UPDATE value = GREATEST(value, VALUES(value))",
    )
    return len(rows), _falling(rows)


def raised_after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts that were raised after a change, in the order of their raises."""
    return transaction.rows(f"{_READ} WHERE a.raised_change > %s ORDER BY a.raised_change LIMIT %s", (cursor, limit))


def changed_after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts that have changed after a change, in the order of their newest changes."""
    return transaction.rows(f"{_READ} WHERE a.change_number > %s ORDER BY a.change_number LIMIT %s", (cursor, limit))


def after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts with ids above the cursor, in order, as `churn.services.presentation.alert_json` takes them."""
    return transaction.rows(f"{_READ} WHERE a.id > %s ORDER BY a.id LIMIT %s", (cursor, limit))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts: those of a status, of a priority, above an id or after a time (`since`), changed after a change.

    `created_from` and `created_to`: between which milliseconds they were raised, both included.
    """

    status: str | None = None
    priority: str | None = None
    since: int | datetime | None = None
    changes_since: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def page(
    transaction: Transaction, wanted: Wanted, *, limit: int, position: int | None = None
) -> tuple[list[Row], int | None]:
    """Return a page of alerts, and their number where the totals do not have it.

    They come the newest first, and `position` is the id before which the page begins; with `changes_since` in the
    order of their changes, and it is the number of the change after which it begins.
    """
    conditions = Conditions()
    conditions.add_equal("status", wanted.status)
    conditions.add_equal("priority", wanted.priority)
    if isinstance(wanted.since, datetime):
        conditions.add("created_at > %s", micros_text(wanted.since))
    elif wanted.since is not None:
        conditions.add("id > %s", wanted.since)
    by_change = wanted.changes_since is not None
    if by_change:
        conditions.add("change_number > %s", wanted.changes_since)
    if wanted.created_from is not None:
        conditions.add("created_at >= %s", micros_text(wanted.created_from))
    if wanted.created_to is not None:
        last = wanted.created_to.replace(microsecond=wanted.created_to.microsecond // 1000 * 1000 + 999)
        conditions.add("created_at <= %s", micros_text(last))
    is_summed = wanted == Wanted(wanted.status, wanted.priority)
    total = None if is_summed else conditions.count(transaction, "alerts")
    if position is not None:
        conditions.add("change_number > %s" if by_change else "id < %s", position)
    order = "change_number" if by_change else "id DESC"
    rows = transaction.rows(
        f"SELECT a.*, c.customer_id, c.name AS customer_name FROM (SELECT * FROM alerts {conditions.where()} "
        f"ORDER BY {order} LIMIT %s) a JOIN customers c ON c.id = a.customer_pk ORDER BY a.{order}",
        [*conditions.values, limit],
    )
    return rows, total


def cursor_at(transaction: Transaction, since: datetime, newest: int) -> int:
    """Return the id before the first alert that a client misses whose last alert has the time `since`."""
    time = micros_text(since)
    first = transaction.row(
        "SELECT MIN(id) AS id, COUNT(*) AS number FROM alerts WHERE created_at = %s AND id <= %s", (time, newest)
    )
    if first is not None and first["number"] == 1:
        # The time of one alert names that alert, which the client has. Of old ones that share it, it may have a part.
        return int(first["id"])
    missed = transaction.row("SELECT MIN(id) AS id FROM alerts WHERE created_at >= %s AND id <= %s", (time, newest))
    return newest if missed is None or missed["id"] is None else int(missed["id"]) - 1


def advance_reader(transaction: Transaction, reader: str, limit: int, consume: Callable[[Sequence[Row]], None]) -> int:
    """Pass the next new alerts to `consume`, move the reader's stored cursor, and return how many alerts there were.

    A concurrent call for the same reader waits. If `consume` raises, the cursor stays; if the commit is lost
    afterwards, the same alerts are passed again.
    """
    return _advance(transaction, f"alerts:{reader}", limit, consume, after, "id")


def advance_raises(transaction: Transaction, reader: str, limit: int, consume: Callable[[Sequence[Row]], None]) -> int:
    """Pass the alerts that were raised to a higher band next, as `advance_reader` does the new ones."""
    return _advance(transaction, f"alert_raises:{reader}", limit, consume, raised_after, "raised_change")


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
        _move(transaction, alert, "acknowledged" if alert["status"] == "new" else alert["status"])
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
    """Delete a customer's alerts; return the change of the totals, which is for `store`.

    They are locked as they are read: somebody may be resolving one at this moment.
    """
    rows = transaction.rows(
        f"SELECT status, priority, {_DAY} FROM alerts WHERE customer_pk = %s FOR UPDATE",
        (customer_pk,),
    )
    transaction.execute("DELETE FROM alerts WHERE customer_pk = %s", (customer_pk,))
    return _falling(rows)


def _advance(
    transaction: Transaction,
    name: str,
    limit: int,
    consume: Callable[[Sequence[Row]], None],
    fetch: Callable[[Transaction, int, int], list[Row]],
    key: str,
) -> int:
    transaction.execute("INSERT IGNORE INTO counters (name, value) VALUES (%s, 0)", (name,))
    row = transaction.row("SELECT value FROM counters WHERE name = %s FOR UPDATE", (name,))
    alerts = fetch(transaction, int(row["value"]) if row else 0, limit)
    if alerts:
        consume(alerts)
        transaction.execute("UPDATE counters SET value = %s WHERE name = %s", (alerts[-1][key], name))
    return len(alerts)


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
    """Give the change of a locked alert its number, and move the alert to the totals of its status."""
    newest, _ = alert_counters.lock(transaction)
    number = newest.change + 1
    transaction.execute("UPDATE alerts SET change_number = %s WHERE id = %s", (number, alert["id"]))
    alert_counters.store(transaction, Newest(newest.alert, number, newest.a_raise))
    change = Counter({f"alerts:{status}:{alert['priority']}": 1})
    change[f"alerts:{alert['status']}:{alert['priority']}"] -= 1
    totals.add(transaction, change)


def _insert(
    transaction: Transaction, ids: Sequence[int], new: Sequence[tuple[int, NewAlert]], times: Sequence[int], change: int
) -> None:
    transaction.insert_many(
        "INSERT INTO alerts (id, customer_pk, alert_type, priority, title, message, reason, risk_score, risk_before, "
        "created_at, counted_on, change_number)",
        [
            (
                alert_id,
                pk,
                alert.alert_type,
                alert.priority,
                alert.title[:512],
                alert.message[:1024],
                alert.reason[:512],
                alert.risk_score,
                alert.risk_before,
                micros_text(from_micros(instant)),
                from_micros(instant).date(),
                number,
            )
            for number, (alert_id, (pk, alert), instant) in enumerate(zip(ids, new, times, strict=True), change + 1)
        ],
    )


def _raise(transaction: Transaction, opened: OpenAlert, alert: NewAlert, instant: int, number: int) -> None:
    transaction.execute(
        "UPDATE alerts SET priority = %s, title = %s, message = %s, reason = %s, risk_score = %s, risk_before = %s, "
        "raised_at = %s, raised_change = %s, change_number = %s WHERE id = %s",
        (
            alert.priority,
            alert.title[:512],
            alert.message[:1024],
            alert.reason[:512],
            alert.risk_score,
            alert.risk_before,
            micros_text(from_micros(instant)),
            number,
            number,
            opened.id,
        ),
    )
