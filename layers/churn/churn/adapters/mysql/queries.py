"""The queries behind lists and dashboards: each page is a range of an index, whatever the size of the shop."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from churn.adapters.mysql.database import Row, Transaction

# Up to so many customers found by their words are sorted; where there are more, a walk along the order meets enough.
MANY_FOUND = 10_000
# Greater than any character that a word can hold.
_LAST = "\U0010ffff"

SORT_COLUMNS = {
    "churn_probability": "churn_probability",
    "total_spent": "total_spent",
    # The longest silence is the earliest order: the two run against each other.
    "days_since_last_order": "last_order_at",
    "customer_id": "customer_id",
}
_NULLABLE = frozenset({"churn_probability", "last_order_at"})
_CUSTOMER = (
    "SELECT c.*, s.state, s.contributions, m.kind AS model_kind FROM customers c "
    "LEFT JOIN customer_states s ON s.customer_pk = c.id LEFT JOIN models m ON m.version = c.model_version"
)


@dataclass(slots=True)
class Conditions:
    """Conditions that are all to hold, and the values that they are bound to."""

    texts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, text: str, *values: object) -> None:
        """Adds one condition."""
        self.texts.append(text)
        self.values.extend(values)

    def where(self) -> str:
        """The WHERE clause, empty without conditions."""
        return f"WHERE {' AND '.join(self.texts)}" if self.texts else ""


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers; `words` are beginnings, of each of which the customer has a word."""

    risk_level: str | None = None
    status: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: the value and key of the last row before it; `value` None among those without one."""

    value: Any
    key: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A filter made ready: its conditions, and how many customers it holds where the words were few enough to count."""

    conditions: Conditions
    total: int | None


def listing(transaction: Transaction, wanted: CustomerFilter) -> Listing:
    """Prepares the list of the customers that a filter holds."""
    conditions = Conditions()
    conditions.add("c.deleted = 0")
    if wanted.risk_level is not None:
        conditions.add("c.risk_level = %s", wanted.risk_level)
    if wanted.status is not None:
        conditions.add("c.status = %s", wanted.status)
    counted = False
    # The longest beginning has the fewest words.
    for word in sorted(wanted.words, key=len, reverse=True):
        found = None if counted else _found(transaction, word)
        if found is None:
            conditions.add(
                "EXISTS (SELECT 1 FROM customer_words w WHERE w.customer_pk = c.id AND w.word >= %s AND w.word < %s)",
                word,
                word + _LAST,
            )
        else:
            counted = True
            conditions.add(f"c.id IN ({', '.join(['%s'] * len(found))})" if found else "FALSE", *found)
    total = None
    if counted:
        row = transaction.row(f"SELECT COUNT(*) AS number FROM customers c {conditions.where()}", conditions.values)
        total = int(row["number"]) if row else 0
    return Listing(conditions, total)


def customer_page(
    transaction: Transaction,
    conditions: Conditions,
    *,
    column: str,
    descending: bool,
    limit: int,
    offset: int = 0,
    after: Position | None = None,
) -> list[Row]:
    """Customers with their states, sorted by a column and then by key; those without a value come last either way."""
    key = "customer_id" if column == "customer_id" else "id"
    direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
    order = f"c.{column} {direction}" + ("" if key == column else f", c.{key} {direction}")
    nullable = column in _NULLABLE
    keys: list[int] = []
    if after is None or after.value is not None or not nullable:
        ranged = Conditions([*conditions.texts], [*conditions.values])
        if nullable:
            ranged.add(f"c.{column} IS NOT NULL")
        if after is not None and key == column:
            ranged.add(f"c.{column} {beyond} %s", after.value)
        elif after is not None:
            ranged.add(
                f"c.{column} {beyond}= %s AND (c.{column} {beyond} %s OR c.{key} {beyond} %s)",
                after.value,
                after.value,
                after.key,
            )
        keys = _keys(transaction, ranged, order, limit, offset)
        after = None
    if nullable and len(keys) < limit:
        ranged = Conditions([*conditions.texts], [*conditions.values])
        if offset and not keys:
            # The page lies beyond those with a value, of whom there are fewer than the offset.
            ranged.add(f"c.{column} IS NOT NULL")
            row = transaction.row(f"SELECT COUNT(*) AS number FROM customers c {ranged.where()}", ranged.values)
            offset -= int(row["number"]) if row else 0
            ranged = Conditions([*conditions.texts], [*conditions.values])
        else:
            offset = 0
        ranged.add(f"c.{column} IS NULL")
        if after is not None:
            ranged.add(f"c.id {beyond} %s", after.key)
        keys += _keys(transaction, ranged, f"c.id {direction}", limit - len(keys), offset)
    rows = {row["id"]: row for row in _by_keys(transaction, "c.id", keys)}
    return [rows[key] for key in keys]


def customers_by_id(transaction: Transaction, customer_ids: Collection[str]) -> dict[str, Row]:
    """Customers with their states by their ids, without the deleted."""
    rows = _by_keys(transaction, "c.deleted = 0 AND c.customer_id", sorted(customer_ids))
    return {row["customer_id"]: row for row in rows}


def events(
    transaction: Transaction,
    customer_pk: int,
    *,
    limit: int,
    event_type: str | None,
    date_from: datetime | None,
    date_to: datetime | None,
) -> tuple[list[Row], int]:
    """A customer's events, the newest first, and how many there are."""
    conditions = Conditions()
    conditions.add("customer_pk = %s", customer_pk)
    if event_type is not None:
        conditions.add("event_type = %s", event_type)
    _between(conditions, "occurred_at", date_from, date_to)
    rows = transaction.rows(
        f"SELECT event_id, event_type, occurred_at, data FROM events {conditions.where()} "
        "ORDER BY occurred_at DESC, event_id DESC LIMIT %s",
        [*conditions.values, limit],
    )
    return rows, _count(transaction, "events", conditions)


def predictions(
    transaction: Transaction,
    *,
    limit: int,
    risk_level: str | None = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
) -> tuple[list[Row], int | None]:
    """Stored predictions, the newest first, and how many there are where times were named (else the totals know)."""
    conditions = Conditions()
    if risk_level is not None:
        conditions.add("risk_level = %s", risk_level)
    _between(conditions, "created_at", date_from, date_to)
    rows = transaction.rows(
        "SELECT p.*, c.customer_id, m.kind AS model_kind FROM (SELECT * FROM predictions "
        f"{conditions.where()} ORDER BY created_at DESC, id DESC LIMIT %s) p "
        "JOIN customers c ON c.id = p.customer_pk LEFT JOIN models m ON m.version = p.model_version "
        "ORDER BY p.created_at DESC, p.id DESC",
        [*conditions.values, limit],
    )
    named = date_from is not None or date_to is not None
    return rows, _count(transaction, "predictions", conditions) if named else None


def alerts(
    transaction: Transaction,
    *,
    limit: int,
    status: str | None = None,
    priority: str | None = None,
    since: int | datetime | None = None,
    before: int | None = None,
) -> tuple[list[Row], int | None]:
    """Alerts below the id `before`, the newest first, and how many there are after `since` where that was named."""
    conditions = Conditions()
    if status is not None:
        conditions.add("status = %s", status)
    if priority is not None:
        conditions.add("priority = %s", priority)
    if isinstance(since, datetime):
        conditions.add("created_at > %s", since)
    elif since is not None:
        conditions.add("id > %s", since)
    total = None if since is None else _count(transaction, "alerts", conditions)
    if before is not None:
        conditions.add("id < %s", before)
    rows = transaction.rows(
        "SELECT a.*, c.customer_id, c.name AS customer_name FROM "
        f"(SELECT * FROM alerts {conditions.where()} ORDER BY id DESC LIMIT %s) a "
        "JOIN customers c ON c.id = a.customer_pk ORDER BY a.id DESC",
        [*conditions.values, limit],
    )
    return rows, total


def serving_model(transaction: Transaction) -> Row | None:
    """The model that served last: version, metadata (JSON), loaded_at."""
    return transaction.row("SELECT version, metadata, loaded_at FROM models ORDER BY loaded_at DESC LIMIT 1")


def lapsed_between(transaction: Transaction, after: datetime, until: datetime) -> int:
    """How many customers ordered last in a stretch of time, its beginning left out."""
    conditions = Conditions(["deleted = 0", "last_order_at > %s", "last_order_at <= %s"], [after, until])
    return _count(transaction, "customers", conditions)


def active_at(transaction: Transaction, instant: datetime) -> int | None:
    """How many customers were active in the newest known hour that began no later; None before all known hours."""
    row = transaction.row(
        "SELECT active_customers FROM hourly_stats WHERE hour <= %s ORDER BY hour DESC LIMIT 1", (instant,)
    )
    return None if row is None else int(row["active_customers"])


def hours(transaction: Transaction, first: datetime, last: datetime) -> list[Row]:
    """The dashboard's hours of a stretch of time, the oldest first."""
    return transaction.rows("SELECT * FROM hourly_stats WHERE hour >= %s AND hour <= %s ORDER BY hour", (first, last))


def _found(transaction: Transaction, word: str) -> list[int] | None:
    rows = transaction.rows(
        "SELECT DISTINCT customer_pk FROM customer_words WHERE word >= %s AND word < %s LIMIT %s",
        (word, word + _LAST, MANY_FOUND + 1),
    )
    return None if len(rows) > MANY_FOUND else [int(row["customer_pk"]) for row in rows]


def _keys(transaction: Transaction, conditions: Conditions, order: str, limit: int, offset: int) -> list[int]:
    rows = transaction.rows(
        f"SELECT c.id FROM customers c {conditions.where()} ORDER BY {order} LIMIT %s OFFSET %s",
        [*conditions.values, limit, offset],
    )
    return [int(row["id"]) for row in rows]


def _by_keys(transaction: Transaction, column: str, keys: Sequence[object]) -> list[Row]:
    if not keys:
        return []
    return transaction.rows(f"{_CUSTOMER} WHERE {column} IN ({', '.join(['%s'] * len(keys))})", keys)


def _between(conditions: Conditions, column: str, first: datetime | None, last: datetime | None) -> None:
    if first is not None:
        conditions.add(f"{column} >= %s", first)
    if last is not None:
        conditions.add(f"{column} <= %s", last)


def _count(transaction: Transaction, table: str, conditions: Conditions) -> int:
    row = transaction.row(f"SELECT COUNT(*) AS number FROM {table} {conditions.where()}", conditions.values)
    return int(row["number"]) if row else 0
