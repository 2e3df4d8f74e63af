"""Table `customer_words`, and the list of customers: each page is a range of an index, whatever the shop's size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from churn.adapters.mysql import customers
from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Row, Transaction, placeholders
from churn.domain.customer_record import CustomerSort

MANY_MATCHES = 10_000
"""Up to so many customers found by a word are sorted; beyond that, a scan along the order meets enough of them."""

SORT_COLUMNS: dict[CustomerSort, str] = {
    "churn_probability": "churn_probability",
    "total_spent": "total_spent",
    # The longest silence is the earliest order: the two run against each other.
    "days_since_last_order": "last_order_at",
    "customer_id": "customer_id",
}
_NULLABLE = frozenset({"churn_probability", "last_order_at"})
# Greater than any character that a word can hold.
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """A choice of customers; each of `words` must be the beginning of one of the customer's words."""

    risk_level: str | None = None
    status: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: the value and key of the last row before it; `value` None among those without one."""

    value: Any
    key: int


@dataclass(frozen=True, slots=True)
class Search:
    """A filter as conditions, with the number of customers that match if the words were few enough to count."""

    conditions: Conditions
    total: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list of customers: `limit` customers after `offset` others or after a position."""

    column: str
    descending: bool
    limit: int
    offset: int = 0
    after: Position | None = None

    @property
    def key(self) -> str:
        """The column that orders customers with the same value."""
        return "customer_id" if self.column == "customer_id" else "id"

    @property
    def direction(self) -> str:
        """The SQL keyword of the order."""
        return "DESC" if self.descending else "ASC"

    @property
    def beyond(self) -> str:
        """The operator that compares a row with those before it."""
        return "<" if self.descending else ">"


def index_words(transaction: Transaction, words: Mapping[int, Iterable[str]]) -> None:
    """Replace the search words of customers, by their keys."""
    if words:
        keys = sorted(words)
        transaction.execute_among("DELETE FROM customer_words WHERE customer_pk IN ({values})", keys)
        transaction.insert_many(
            "INSERT INTO customer_words (word, customer_pk)",
            [(word, key) for key in keys for word in sorted(words[key])],
        )


def search(transaction: Transaction, wanted: CustomerFilter) -> Search:
    """Prepare the list of the customers that a filter matches."""
    conditions = Conditions()
    conditions.add("c.deleted = 0")
    conditions.add_equal("c.risk_level", wanted.risk_level)
    conditions.add_equal("c.status", wanted.status)
    is_counted = False
    # The longest beginning has the fewest words.
    for word in sorted(wanted.words, key=len, reverse=True):
        keys = None if is_counted else _matches(transaction, word)
        if keys is None:
            conditions.add(
                "EXISTS (SELECT 1 FROM customer_words w WHERE w.customer_pk = c.id AND w.word >= %s AND w.word < %s)",
                word,
                word + _LAST,
            )
        else:
            is_counted = True
            conditions.add(f"c.id IN ({placeholders(keys)})" if keys else "FALSE", *keys)
    return Search(conditions, conditions.count(transaction, "customers c") if is_counted else None)


def page(transaction: Transaction, conditions: Conditions, wanted: Page) -> list[Row]:
    """Return customers with their states, sorted by a column and then by key; those without a value come last."""
    nullable = wanted.column in _NULLABLE
    is_past_values = nullable and wanted.after is not None and wanted.after.value is None
    keys = [] if is_past_values else _keys_with_value(transaction, conditions, wanted)
    if nullable and len(keys) < wanted.limit:
        keys += _keys_without_value(transaction, conditions, wanted, keys, is_past_values=is_past_values)
    return customers.by_key(transaction, keys)


def _keys_with_value(transaction: Transaction, conditions: Conditions, wanted: Page) -> list[int]:
    column, key, beyond, after = wanted.column, wanted.key, wanted.beyond, wanted.after
    ranged = conditions.copy()
    if column in _NULLABLE:
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
    order = f"c.{column} {wanted.direction}" + ("" if key == column else f", c.{key} {wanted.direction}")
    return _keys(transaction, ranged, order, wanted.limit, wanted.offset)


def _keys_without_value(
    transaction: Transaction, conditions: Conditions, wanted: Page, before: list[int], *, is_past_values: bool
) -> list[int]:
    offset = 0
    if wanted.offset and not before:
        # The page lies beyond those with a value, of whom there are fewer than the offset.
        ranged = conditions.copy()
        ranged.add(f"c.{wanted.column} IS NOT NULL")
        offset = wanted.offset - ranged.count(transaction, "customers c")
    ranged = conditions.copy()
    ranged.add(f"c.{wanted.column} IS NULL")
    if is_past_values and wanted.after is not None:
        ranged.add(f"c.id {wanted.beyond} %s", wanted.after.key)
    return _keys(transaction, ranged, f"c.id {wanted.direction}", wanted.limit - len(before), offset)


def _matches(transaction: Transaction, word: str) -> list[int] | None:
    rows = transaction.rows(
        "SELECT DISTINCT customer_pk FROM customer_words WHERE word >= %s AND word < %s LIMIT %s",
        (word, word + _LAST, MANY_MATCHES + 1),
    )
    return None if len(rows) > MANY_MATCHES else [int(row["customer_pk"]) for row in rows]


def _keys(transaction: Transaction, conditions: Conditions, order: str, limit: int, offset: int) -> list[int]:
    rows = transaction.rows(
        f"SELECT c.id FROM customers c {conditions.where()} ORDER BY {order} LIMIT %s OFFSET %s",
        [*conditions.values, limit, offset],
    )
    return [int(row["id"]) for row in rows]
