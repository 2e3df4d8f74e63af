"""Table `alerts`: raising, pruning and erasing them; every change keeps the totals of alerts right.

`alert_pages` reads them, `alert_work` changes them as people work on them, `alert_outcomes` as their outcomes are
known. Ids, changes and times come from `alert_counters`. The rows `alerts:READER` and `alert_raises:READER` of the
table `counters` are a reader's cursors.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from churn.adapters.mysql import alert_actions, alert_counters, alert_weeks
from churn.adapters.mysql.alert_pages import after, raised_after
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.alerts import AlertPriority, AlertStatus, NewAlert
from churn.domain.errors import FieldError, InvalidInputError, NotFoundError
from churn.domain.outcomes import CountedAlert, handling_of
from churn.domain.timestamps import from_micros, micros_text, to_micros

# Of the newest alert that was pruned; the instant in microseconds since 1970.
_PRUNED_ID, _PRUNED_AT = "alerts.pruned", "alerts.pruned_until"
_COUNTED = "id, status, priority, alert_type, created_at, counted_on, handling, outcome"


class AlertNotFoundError(NotFoundError):
    """There is no alert with this id."""

    sentence = "There is no such alert."


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
        day = from_micros(instant).date()
        sums.update(CountedAlert("new", alert.priority, day, alert.alert_type, handling_of("new")).share())
    number = newest.change + len(new)
    for (opened, alert), instant in zip(raises, raised_at, strict=True):
        number += 1
        _raise(transaction, opened, alert, instant, number)
        sums[f"alerts:{opened.status}:{opened.priority}"] -= 1
        sums[f"alerts:{opened.status}:{alert.priority}"] += 1
    last = replace(newest, alert=newest.alert + len(new), change=number, a_raise=number if raises else newest.a_raise)
    alert_counters.store(transaction, last, times)
    alert_weeks.add(transaction, sums)
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
        f"SELECT {_COUNTED} FROM alerts WHERE created_at < %s ORDER BY created_at, id LIMIT %s FOR UPDATE",
        (before, limit),
    )
    if not rows:
        return 0, Counter()
    ids = [row["id"] for row in rows]
    alert_actions.delete(transaction, ids)
    transaction.execute_among("DELETE FROM alerts WHERE id IN ({values})", ids)
    transaction.insert_many(
        "INSERT INTO counters (name, value)",
        [
            (_PRUNED_AT, max(to_micros(row["created_at"]) for row in rows)),
            (_PRUNED_ID, max(row["id"] for row in rows)),
        ],
        "ON DUPLICATE KEY UPDATE value = GREATEST(value, VALUES(value))",
    )
    return len(rows), _falling(rows)


def advance_reader(transaction: Transaction, reader: str, limit: int, consume: Callable[[Sequence[Row]], None]) -> int:
    """Pass the next new alerts to `consume`, move the reader's stored cursor, and return how many alerts there were.

    A concurrent call for the same reader waits. If `consume` raises, the cursor stays; if the commit is lost
    afterwards, the same alerts are passed again.
    """
    return _advance(transaction, f"alerts:{reader}", limit, consume, after, "id")


def advance_raises(transaction: Transaction, reader: str, limit: int, consume: Callable[[Sequence[Row]], None]) -> int:
    """Pass the alerts that were raised to a higher band next, as `advance_reader` does the new ones."""
    return _advance(transaction, f"alert_raises:{reader}", limit, consume, raised_after, "raised_change")


def erase(transaction: Transaction, customer_pk: int) -> Counter[str]:
    """Delete a customer's alerts and what was done about them; return the change of the totals, for `store`.

    They are locked as they are read: somebody may be resolving one at this moment.
    """
    rows = transaction.rows(
        f"SELECT {_COUNTED} FROM alerts WHERE customer_pk = %s FOR UPDATE",
        (customer_pk,),
    )
    alert_actions.delete(transaction, [row["id"] for row in rows])
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
        change.subtract(CountedAlert.from_row(row).share())
    return change


def _insert(
    transaction: Transaction, ids: Sequence[int], new: Sequence[tuple[int, NewAlert]], times: Sequence[int], change: int
) -> None:
    transaction.insert_many(
        "INSERT INTO alerts (id, customer_pk, alert_type, priority, title, message, reason, risk_score, risk_before, "
        "model_version, created_at, counted_on, handling, change_number)",
        [
            (
                alert_id,
                pk,
                alert.alert_type,
                *_content(alert),
                micros_text(from_micros(instant)),
                from_micros(instant).date(),
                handling_of("new"),
                number,
            )
            for number, (alert_id, (pk, alert), instant) in enumerate(zip(ids, new, times, strict=True), change + 1)
        ],
    )


def _content(alert: NewAlert) -> tuple[object, ...]:
    """Return what an alert says: the columns from its priority to the model's version, cut to their lengths."""
    texts = (alert.title[:512], alert.message[:1024], alert.reason[:512])
    return alert.priority, *texts, alert.risk_score, alert.risk_before, alert.model_version


def _raise(transaction: Transaction, opened: OpenAlert, alert: NewAlert, instant: int, number: int) -> None:
    transaction.execute(
        "UPDATE alerts SET priority = %s, title = %s, message = %s, reason = %s, risk_score = %s, risk_before = %s, "
        "model_version = %s, raised_at = %s, raised_change = %s, change_number = %s, snoozed_until = NULL "
        "WHERE id = %s",
        (
            *_content(alert),
            micros_text(from_micros(instant)),
            number,
            number,
            opened.id,
        ),
    )
