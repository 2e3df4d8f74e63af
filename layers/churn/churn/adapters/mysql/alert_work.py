"""Table `alerts`: what people do with them, one alert or many in one transaction, each action with its record."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import batched

from churn.adapters.mysql import alert_actions, alert_counters, alert_weeks, customers
from churn.adapters.mysql.alert_actions import Action
from churn.adapters.mysql.alerts import AlertNotFoundError, lock_open
from churn.adapters.mysql.database import Database, Row, Transaction, placeholders
from churn.domain.alert_work import Work, WorkState
from churn.domain.errors import ChurnError, ConflictError, OutdatedError
from churn.domain.outcomes import CountedAlert, Handling, handling_of

_NUMBERED_TOGETHER = 100


class AlertBesideOpenError(ConflictError):
    """An alert cannot be opened again, as another one of its kind is open for the customer."""

    def __init__(self, other: int) -> None:
        super().__init__(f"Alert {other} of the same kind is open for this customer.")


class AlertChangedError(OutdatedError):
    """The alert is of another version than the caller has."""

    def __init__(self, change: int) -> None:
        super().__init__(f"The alert has changed: its version is {change} now.")


@dataclass(frozen=True, slots=True)
class _Done:
    """An alert, under a lock, and what becomes of it."""

    alert: Row
    after: WorkState
    action: Action


def work_on(
    transaction: Transaction,
    alert_ids: Collection[int],
    work: Work,
    by: str,
    now: datetime,
    versions: Mapping[int, Collection[int]] | None = None,
) -> dict[int, ChurnError | bool]:
    """Do the same work on alerts; return for each whether it has changed, or why it cannot be done.

    `versions`: by id those of which an alert must be, any without them. Call it last in a transaction: the counters
    stay locked until the commit.
    """
    locked, taken = _locked(transaction, alert_ids, opens=work.status == "new")
    outcomes: dict[int, ChurnError | bool] = {}
    done: list[_Done] = []
    for alert_id in sorted(alert_ids):
        alert = locked.get(alert_id)
        if alert is None:
            outcomes[alert_id] = AlertNotFoundError(alert_id)
            continue
        try:
            _require_version(alert, (versions or {}).get(alert_id))
            after = _after(alert, work, by, now, taken)
        except ConflictError as error:
            outcomes[alert_id] = error
            continue
        changed = work.told(WorkState.from_row(alert), after)
        outcomes[alert_id] = bool(changed or work.note)
        if outcomes[alert_id]:
            done.append(_Done(alert, after, Action(alert_id, alert["customer_pk"], changed, work.note)))
    _store(transaction, done, by, now)
    return outcomes


def acknowledge(database: Database, alert_id: int, by: str, now: datetime) -> datetime:
    """Mark an alert as acknowledged; return since when. Raises AlertNotFoundError, AlertClosedError."""

    def work(transaction: Transaction) -> datetime:
        locked, _ = _locked(transaction, [alert_id])
        is_known = alert_id in locked and locked[alert_id]["acknowledged_at"] is not None
        if is_known and WorkState.from_row(locked[alert_id]).is_open:
            since: datetime = locked[alert_id]["acknowledged_at"]
            return since
        _require_done(work_on(transaction, [alert_id], Work("acknowledged"), by, now)[alert_id])
        return now

    return database.run(work)


def resolve(database: Database, alert_id: int, by: str, notes: str | None, now: datetime) -> datetime:
    """Mark an alert as resolved; return since when.

    Raises AlertNotFoundError, and AlertClosedError if it was dismissed.
    """

    def work(transaction: Transaction) -> datetime:
        locked, _ = _locked(transaction, [alert_id])
        if alert_id in locked and locked[alert_id]["status"] == "resolved":
            since: datetime = locked[alert_id]["resolved_at"]
            return since
        _require_done(work_on(transaction, [alert_id], Work("resolved", note=notes), by, now)[alert_id])
        return now

    return database.run(work)


def _require_done(outcome: ChurnError | bool) -> None:
    if isinstance(outcome, ChurnError):
        raise outcome


def _require_version(alert: Row, versions: Collection[int] | None) -> None:
    if versions is not None and alert["change_number"] not in versions:
        raise AlertChangedError(alert["change_number"])


def _locked(
    transaction: Transaction, alert_ids: Collection[int], *, opens: bool = False
) -> tuple[dict[int, Row], dict[tuple[int, str], int]]:
    """Lock alerts; return them by id and, where the work may open some again, the ids of those that are open."""
    taken: dict[tuple[int, str], int] = {}
    if opens:
        # Who raises alerts holds the customer: none is raised between the look at the open ones and the commit.
        found = transaction.rows_among("SELECT customer_pk FROM alerts WHERE id IN ({values})", alert_ids)
        keys = sorted({row["customer_pk"] for row in found})
        customers.hold(transaction, keys)
        taken = {kind: alert.id for kind, alert in lock_open(transaction, keys).items()}
    # In the order in which those who raise alerts lock them.
    query = "SELECT * FROM alerts WHERE id IN ({values}) ORDER BY customer_pk, alert_type, id FOR UPDATE"
    return {row["id"]: row for row in transaction.rows_among(query, alert_ids)}, taken


def _after(alert: Row, work: Work, by: str, now: datetime, taken: dict[tuple[int, str], int]) -> WorkState:
    """Return the state after the work; one that is opened again takes the place of its kind. Raises ConflictError."""
    before = WorkState.from_row(alert)
    after = work.done(before, by, now)
    if after.is_open and not before.is_open:
        other = taken.setdefault((alert["customer_pk"], alert["alert_type"]), alert["id"])
        if other != alert["id"]:
            raise AlertBesideOpenError(other)
    return after


def _store(transaction: Transaction, done: Sequence[_Done], by: str, now: datetime) -> None:
    """Store what was done with locked alerts, give each change its number, and move the totals."""
    if not done:
        return
    change: Counter[str] = Counter()
    for one in done:
        before = CountedAlert.from_row(one.alert)
        # What is made of an alert once its outcome is known no longer counts.
        handling = handling_of(one.after.status) if before.outcome == "pending" else before.handling
        _update(transaction, one, handling)
        change.subtract(before.share())
        change.update(replace(before, status=one.after.status, handling=handling).share())
    newest, _ = alert_counters.lock(transaction)
    last = newest.change + len(done)
    alert_actions.add(transaction, [one.action for one in done], newest.change + 1, by, now)
    number = newest.change
    for part in batched((one.alert["id"] for one in done), _NUMBERED_TOGETHER, strict=False):
        position = f"%s + FIELD(id, {placeholders(part)})"
        transaction.execute(
            f"UPDATE alerts SET change_number = {position}, acted_change = {position} "
            f"WHERE id IN ({placeholders(part)})",
            (number, *part, number, *part, *part),
        )
        number += len(part)
    alert_counters.store(transaction, replace(newest, change=last, an_action=last))
    alert_weeks.add(transaction, change)


def _update(transaction: Transaction, one: _Done, handling: Handling | None) -> None:
    values = asdict(one.after)
    columns = ", ".join(f"{column} = %s" for column in values)
    transaction.execute(
        f"UPDATE alerts SET {columns}, is_open = %s, handling = %s WHERE id = %s",
        (*values.values(), 1 if one.after.is_open else None, handling, one.alert["id"]),
    )
