"""Table `alerts`, read: pages of lists, and what comes after a place in the alerts, their raises and their changes.

Rows have what `churn.services.presentation.alert_json` takes: also the customer's id and name, and the newest action.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from churn.adapters.mysql.conditions import MOST_COUNTED, Conditions, Counted, merged, size_of
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.alert_work import NOTE_BEGINNING
from churn.domain.alerts import CHURN_RISK, AlertStatus
from churn.domain.outcomes import OUTCOMES, Handling, Outcome
from churn.domain.timeline import Window
from churn.domain.timestamps import micros_text

# Indexes with a range, in the order of the ids, for each value of a column; as a rule the first has the shortest.
_INDEXES: dict[str, tuple[str, ...]] = {
    "alerts_by_customer": ("customer_pk",),
    "alerts_by_assignee": ("assigned_to",),
    "alerts_by_outcome": ("outcome",),
    "alerts_by_status": ("status",),
    "alerts_by_priority": ("priority",),
    "alerts_by_kind": ("alert_type", "outcome"),
}
# Times rise with the ids; but those of the first releases, which were taken before the commit, may differ by so many.
_OUT_OF_ORDER = 1000
_NO_ID = 2**63 - 1
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

    def values(self) -> dict[str, tuple[object, ...]]:
        """Return the values that columns may have, without the columns that may have any."""
        values: dict[str, tuple[object, ...]] = {"status": self.status, "outcome": self.outcome}
        for column in ("customer_pk", "assigned_to", "priority", "alert_type", "handling"):
            value = getattr(self, column)
            values[column] = () if value is None else (value,)
        return {column: own for column, own in values.items() if own}


@dataclass(frozen=True, slots=True)
class Way:
    """How alerts are found: ranges of an index, what else the alerts in them must meet, and their order."""

    index: str
    ranges: list[Conditions]
    rest: Conditions
    order: str

    @property
    def table(self) -> str:
        """The table, read by the index: left to itself, a server reads all before a place, or sorts all of a span."""
        return f"alerts FORCE INDEX ({self.index})"


def way(transaction: Transaction, wanted: Wanted, position: int | None = None) -> Way:
    """Return the way on which the fewest alerts lie, as far as `MOST_COUNTED` tell; `position`: see `page`."""
    ways = _ways(transaction, wanted, position)
    # Where each is too long, the one on which nothing needs to be sorted.
    chosen, fewest = ways[0] if wanted.changes_since is None else ways[-1], MOST_COUNTED + 1
    for one in ways if len(ways) > 1 else []:
        size = size_of(transaction, one.table, one.ranges, fewest - 1)
        if size < fewest:
            chosen, fewest = one, size
    return chosen


def count(transaction: Transaction, chosen: Way) -> Counted:
    """Return how many alerts there are on a way from its beginning."""
    fits = " AND ".join(chosen.rest.texts) or "TRUE"
    looked_at = number = 0
    for ranged in chosen.ranges:
        row = transaction.row(
            f"SELECT COUNT(*) AS looked_at, IFNULL(SUM(fits), 0) AS number FROM (SELECT ({fits}) AS fits "
            f"FROM {chosen.table} {ranged.where()} LIMIT %s) looked_at",
            [*chosen.rest.values, *ranged.values, MOST_COUNTED + 1 - looked_at],
        )
        if row is not None:
            looked_at, number = looked_at + int(row["looked_at"]), number + int(row["number"])
        if looked_at > MOST_COUNTED:
            break
    return Counted(min(number, MOST_COUNTED), is_lower_bound=looked_at > MOST_COUNTED)


def page(transaction: Transaction, chosen: Way, limit: int) -> list[Row]:
    """Return a page of alerts.

    They come the newest first, and the way's `position` is the id before which the page begins; with `changes_since`
    in the order of their changes, and it is the number of the change after which it begins.
    """
    # Of each range as many as the page needs.
    parts, values = [], []
    for ranged in chosen.ranges:
        whole = merged([ranged, chosen.rest])
        parts.append(f"(SELECT * FROM {chosen.table} {whole.where()} ORDER BY {chosen.order} LIMIT %s)")
        values += [*whole.values, limit]
    union = " UNION ALL ".join(parts) if len(parts) > 1 else parts[0][1:-1]
    return transaction.rows(
        f"SELECT {_COLUMNS} FROM ({union}) a {_JOINED} ORDER BY a.{chosen.order} LIMIT %s", [*values, limit]
    )


def _ways(transaction: Transaction, wanted: Wanted, position: int | None) -> list[Way]:
    """Return the ways to the alerts, what is the shortest as a rule first, and that of the changes last."""
    values, others = wanted.values(), _others(wanted)
    by_change = wanted.changes_since is not None
    order = "change_number" if by_change else "id DESC"
    ids = _ids(transaction, wanted, None if by_change else position)
    changes = Conditions()
    if wanted.changes_since is not None:
        changes.add("change_number > %s", max(wanted.changes_since, position or 0))
    ways: list[Way] = []
    for index, columns in _INDEXES.items():
        if columns[0] in values:
            # A kind has a range an outcome.
            chosen = product(*(values.get(column, OUTCOMES) for column in columns))
            ranges = [merged([Conditions([f"{column} = %s" for column in columns], [*own]), ids]) for own in chosen]
            rest = {column: own for column, own in values.items() if column not in columns}
            ways.append(Way(index, ranges, _among(rest, changes, others), order))
    if not ways and not by_change:
        everything = Conditions(["id > 0"])
        ways.append(Way("PRIMARY", [ids if ids.texts else everything], _among(values, others), order))
    if wanted.snoozed_at is not None:
        snoozed = Conditions(["snoozed_until > %s"], [wanted.snoozed_at])
        ways.append(Way("alerts_by_snooze", [snoozed], _among(values, ids, changes, others), order))
    if by_change:
        ways.append(Way("alerts_by_change", [changes], _among(values, ids, others), order))
    return ways


def _among(values: Mapping[str, Sequence[object]], *others: Conditions) -> Conditions:
    """Return that columns have one of some values each, and other conditions."""
    whole = merged(others)
    for column, own in values.items():
        whole.add_among(column, own)
    return whole


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


def _ids(transaction: Transaction, wanted: Wanted, position: int | None) -> Conditions:
    """Return between which ids the alerts lie: a span of time is a range of every index then."""
    conditions = Conditions()
    if isinstance(wanted.since, int):
        conditions.add("id > %s", wanted.since)
    elif wanted.since is not None:
        conditions.add("id >= %s", _first_id(transaction, wanted.since))
    if wanted.created_from is not None:
        conditions.add("id >= %s", _first_id(transaction, wanted.created_from))
    if wanted.created_to is not None:
        conditions.add("id <= %s", _last_id(transaction, _end_of_milli(wanted.created_to)))
    if position is not None:
        conditions.add("id < %s", position)
    return conditions


def _others(wanted: Wanted) -> Conditions:
    """Return what the alerts must meet besides the values of columns."""
    conditions = Conditions()
    if isinstance(wanted.since, datetime):
        conditions.add("created_at > %s", micros_text(wanted.since))
    if wanted.created_from is not None:
        conditions.add("created_at >= %s", micros_text(wanted.created_from))
    if wanted.created_to is not None:
        conditions.add("created_at <= %s", micros_text(_end_of_milli(wanted.created_to)))
    if wanted.awake_at is not None:
        conditions.add("(snoozed_until IS NULL OR snoozed_until <= %s)", wanted.awake_at)
    if wanted.snoozed_at is not None:
        conditions.add("snoozed_until > %s", wanted.snoozed_at)
    return conditions


def _end_of_milli(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000 + 999)


def _first_id(transaction: Transaction, since: datetime) -> int:
    """Return the first id of the alerts that were raised at an instant or later, one that nobody has without any."""
    row = transaction.row(
        "SELECT MIN(id) AS id FROM (SELECT id FROM alerts FORCE INDEX (alerts_by_time) WHERE created_at >= %s "
        "ORDER BY created_at, id LIMIT %s) first_ones",
        (micros_text(since), _OUT_OF_ORDER),
    )
    return _NO_ID if row is None or row["id"] is None else int(row["id"])


def _last_id(transaction: Transaction, until: datetime) -> int:
    """Return the last id of the alerts that were raised at an instant or earlier, 0 without any."""
    row = transaction.row(
        "SELECT MAX(id) AS id FROM (SELECT id FROM alerts FORCE INDEX (alerts_by_time) WHERE created_at <= %s "
        "ORDER BY created_at DESC, id DESC LIMIT %s) last_ones",
        (micros_text(until), _OUT_OF_ORDER),
    )
    return 0 if row is None or row["id"] is None else int(row["id"])


def cursor_at(transaction: Transaction, since: datetime, newest: int) -> int:
    """Return the id before the first alert that a client misses whose last alert has the time `since`."""
    time = micros_text(since)
    first = transaction.row(
        "SELECT MIN(id) AS id, COUNT(*) AS number FROM alerts WHERE created_at = %s AND id <= %s", (time, newest)
    )
    if first is not None and first["number"] == 1:
        # The time of one alert names that alert, which the client has. Of old ones that share it, it may have a part.
        return int(first["id"])
    return min(_first_id(transaction, since) - 1, newest)
