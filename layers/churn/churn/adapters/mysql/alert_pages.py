"""Table `alerts`, read: pages of lists, and what comes after a place in the alerts, their raises and their changes.

Rows have what `churn.services.presentation.alert_json` takes: also the customer's id and name, and the newest action.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.alert_work import NOTE_BEGINNING
from churn.domain.alerts import CHURN_RISK, AlertStatus
from churn.domain.outcomes import OUTCOMES, Handling, Outcome
from churn.domain.timeline import Window
from churn.domain.timestamps import micros_text

# One character more tells that a note is longer.
_COLUMNS = (
    "a.*, c.customer_id, c.name AS customer_name, m.source AS model_source, x.done_at, x.done_by, x.changed, "
    f"LEFT(x.note, {NOTE_BEGINNING + 1}) AS note"
)
_JOINED = (
    "JOIN customers c ON c.id = a.customer_pk LEFT JOIN models m ON m.version = a.model_version "
    "LEFT JOIN alert_actions x ON x.alert_id = a.id AND x.change_number = a.acted_change"
)
_READ = f"SELECT {_COLUMNS} FROM alerts a {_JOINED}"


def by_ids(transaction: Transaction, alert_ids: Sequence[int]) -> dict[int, Row]:
    """Return alerts by their ids."""
    rows = transaction.rows_among(f"{_READ} WHERE a.id IN ({{values}})", alert_ids)
    return {row["id"]: row for row in rows}


def raised_after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts that were raised after a change, in the order of their raises."""
    return transaction.rows(f"{_READ} WHERE a.raised_change > %s ORDER BY a.raised_change LIMIT %s", (cursor, limit))


def changed_after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts that have changed after a change, in the order of their newest changes."""
    return transaction.rows(f"{_READ} WHERE a.change_number > %s ORDER BY a.change_number LIMIT %s", (cursor, limit))


def after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts with ids above the cursor, in order, as `churn.services.presentation.alert_json` takes them."""
    return transaction.rows(f"{_READ} WHERE a.id > %s ORDER BY a.id LIMIT %s", (cursor, limit))


def acted_after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """Return the alerts that somebody has worked on after a change, in the order of the newest of these changes."""
    return transaction.rows(f"{_READ} WHERE a.acted_change > %s ORDER BY a.acted_change LIMIT %s", (cursor, limit))


def of_customer(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> list[Row]:
    """Return a customer's alerts, the newest first."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    conditions.add_window(window, "created_at", "id", is_exact=True)
    return transaction.rows(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM alerts FORCE INDEX (alerts_by_customer_and_time) {conditions.where()} "
        f"ORDER BY created_at DESC, id DESC LIMIT %s) a {_JOINED} ORDER BY a.created_at DESC, a.id DESC",
        [*conditions.values, limit],
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts: those of some statuses, of a priority, above an id or after a time (`since`), and so on.

    `changes_since`: those that have changed after a change. `created_from` and `created_to`: between which
    milliseconds they were raised, both included. `awake_at` leaves out those that are snoozed at an instant, and
    `snoozed_at` the others.
    """

    status: tuple[AlertStatus, ...] = ()
    priority: str | None = None
    alert_type: str | None = None
    outcome: tuple[Outcome, ...] = ()
    handling: Handling | None = None
    since: int | datetime | None = None
    changes_since: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    customer_pk: int | None = None
    assigned_to: str | None = None
    awake_at: datetime | None = None
    snoozed_at: datetime | None = None

    @property
    def is_summed(self) -> bool:
        """Whether the totals have the number of these alerts, together with those that are snoozed."""
        return self == Wanted(self.status, self.priority, awake_at=self.awake_at)


def count(transaction: Transaction, wanted: Wanted) -> int:
    """Return how many alerts there are."""
    conditions = _conditions(wanted)
    conditions.add_among("status", wanted.status)
    conditions.add_among("outcome", wanted.outcome)
    return conditions.count(transaction, "alerts")


def page(transaction: Transaction, wanted: Wanted, *, limit: int, position: int | None = None) -> list[Row]:
    """Return a page of alerts.

    They come the newest first, and `position` is the id before which the page begins; with `changes_since` in the
    order of their changes, and it is the number of the change after which it begins.
    """
    conditions = _conditions(wanted)
    by_change = wanted.changes_since is not None
    if position is not None:
        conditions.add("change_number > %s" if by_change else "id < %s", position)
    order = "change_number" if by_change else "id DESC"
    # Of each status or outcome as many as the page needs, each from its index in order; a kind has a range an outcome.
    outcomes = wanted.outcome or (OUTCOMES if wanted.alert_type is not None and not wanted.status else (None,))
    parts, values = [], []
    for status, outcome in product(wanted.status or (None,), outcomes):
        own = conditions.copy()
        own.add_equal("status", status)
        own.add_equal("outcome", outcome)
        forced = "" if position is None and outcome is None else _forced(wanted, status, outcome)
        parts.append(f"(SELECT * FROM alerts {forced} {own.where()} ORDER BY {order} LIMIT %s)")
        values += [*own.values, limit]
    union = " UNION ALL ".join(parts) if len(parts) > 1 else parts[0][1:-1]
    return transaction.rows(
        f"SELECT {_COLUMNS} FROM ({union}) a {_JOINED} ORDER BY a.{order} LIMIT %s", [*values, limit]
    )


def _forced(wanted: Wanted, status: AlertStatus | None, outcome: Outcome | None) -> str:
    """Return which index a page is read from.

    Left to itself, a server reads all that is before a place, or sorts all alerts of some days for those of an outcome.
    """
    indexes = {
        "alerts_by_change": wanted.changes_since,
        "alerts_by_customer": wanted.customer_pk,
        "alerts_by_assignee": wanted.assigned_to,
        "alerts_by_kind": wanted.alert_type if outcome is not None else None,
        "alerts_by_outcome": outcome,
        "alerts_by_status": status,
        "alerts_by_priority": wanted.priority,
    }
    chosen = next((index for index, value in indexes.items() if value is not None), None)
    return "" if chosen is None else f"FORCE INDEX ({chosen})"


def on_risk(transaction: Transaction, customer_pks: Sequence[int]) -> list[Row]:
    """Return all alerts on the risk of some customers: who, how pressing, since when, and when they were resolved."""
    return transaction.rows_among(
        "SELECT id, customer_pk, priority, created_at, resolved_at FROM alerts "
        f"WHERE alert_type = '{CHURN_RISK}' AND customer_pk IN ({{values}})",
        customer_pks,
    )


def snoozed(transaction: Transaction, wanted: Wanted) -> int:
    """Return how many alerts are left out because they are snoozed at `awake_at`."""
    if wanted.awake_at is None:
        return 0
    conditions = Conditions()
    conditions.add("snoozed_until > %s", wanted.awake_at)
    conditions.add_among("status", wanted.status)
    conditions.add_equal("priority", wanted.priority)
    return conditions.count(transaction, "alerts")


def _conditions(wanted: Wanted) -> Conditions:
    """Return what the alerts must meet, besides their status."""
    conditions = Conditions()
    conditions.add_equal("customer_pk", wanted.customer_pk)
    conditions.add_equal("assigned_to", wanted.assigned_to)
    conditions.add_equal("priority", wanted.priority)
    conditions.add_equal("alert_type", wanted.alert_type)
    conditions.add_equal("handling", wanted.handling)
    if isinstance(wanted.since, datetime):
        conditions.add("created_at > %s", micros_text(wanted.since))
    elif wanted.since is not None:
        conditions.add("id > %s", wanted.since)
    if wanted.changes_since is not None:
        conditions.add("change_number > %s", wanted.changes_since)
    if wanted.created_from is not None:
        conditions.add("created_at >= %s", micros_text(wanted.created_from))
    if wanted.created_to is not None:
        last = wanted.created_to.replace(microsecond=wanted.created_to.microsecond // 1000 * 1000 + 999)
        conditions.add("created_at <= %s", micros_text(last))
    if wanted.awake_at is not None:
        conditions.add("(snoozed_until IS NULL OR snoozed_until <= %s)", wanted.awake_at)
    if wanted.snoozed_at is not None:
        conditions.add("snoozed_until > %s", wanted.snoozed_at)
    return conditions


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
