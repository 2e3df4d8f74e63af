"""Table `customer_words`, and the list of customers: each page is a range of an index, whatever the shop's size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Any

from churn.adapters.mysql import customers
from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Row, Transaction, placeholders
from churn.domain.customer_record import CustomerSort
from churn.domain.risk import CUSTOMER_STATUSES, RISK_LEVELS

MANY_MATCHES = 10_000
"""Up to so many customers that match are sorted; beyond that, a scan along the order meets enough of them."""

SORT_COLUMNS: dict[CustomerSort, str] = {
    "churn_probability": "churn_probability",
    "total_spent": "total_spent",
    # The longest silence is the earliest order: the two run against each other.
    "days_since_last_order": "last_order_at",
    "customer_id": "customer_id",
}
_MANY_IN_WINDOW = 100_000
"""The same for customers whose last order lies between two instants: the order may well be against their risk."""
_INDEXES = {
    "churn_probability": "customers_by_probability",
    "total_spent": "customers_by_spend",
    "last_order_at": "customers_by_last_order",
    "customer_id": "customers_by_id",
}
_INDEXES_BY_GROUP = {
    "churn_probability": "customers_by_group_and_probability",
    "last_order_at": "customers_by_group_and_last_order",
}
"""Of the customers of one status and one risk level, who are a group."""
_GROUPS = tuple(product(CUSTOMER_STATUSES, (*RISK_LEVELS, None)))
_NULLABLE = frozenset({"churn_probability", "last_order_at"})
# Greater than any character that a word can hold.
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """A choice of customers: of one of the levels and statuses (all without any), and found by every one of `words`.

    `ordered_after` and `ordered_until`: between which instants the last order lies.
    """

    risk_levels: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    ordered_after: datetime | None = None
    ordered_until: datetime | None = None
    words: tuple[str, ...] = ()

    @property
    def has_window(self) -> bool:
        """Whether the instant of the last order is bounded."""
        return self.ordered_after is not None or self.ordered_until is not None

    @property
    def is_summed(self) -> bool:
        """Whether the totals have the number of customers that match."""
        return not self.words and not self.has_window


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: the value and key of the last row before it; `value` None among those without one."""

    value: Any
    key: int


@dataclass(frozen=True, slots=True)
class Search:
    """A filter as conditions: those of levels and statuses, and all others; and the number of customers that match.

    `total` is None where the totals have the number, and where it is too great to count.
    """

    wanted: CustomerFilter
    others: Conditions
    total: int | None
    is_sorted: bool = False
    """Whether the customers are few and known, so that they are sorted whatever they are sorted by."""

    def are_groups(self, column: str) -> bool:
        """Return whether each group of the customers is a range of an index that is sorted by a column."""
        asked = self.wanted
        has_group = bool(asked.statuses or asked.risk_levels)
        return column in _INDEXES_BY_GROUP and has_group and not self.is_sorted and not asked.has_window

    def ranges(self, column: str, others: Conditions) -> list[Conditions]:
        """Return conditions that divide the customers into groups if that helps to sort them by a column."""
        levels, statuses = self.wanted.risk_levels, self.wanted.statuses
        if not self.are_groups(column):
            return [self.whole(others)]
        parts = []
        for status, level in _GROUPS:
            if (not statuses or status in statuses) and (not levels or level in levels):
                part = others.copy()
                part.add("c.status = %s", status)
                part.add("c.risk_level <=> %s", level)
                parts.append(part)
        return parts

    def whole(self, others: Conditions) -> Conditions:
        """Return other conditions and those of levels and statuses as one."""
        whole = others.copy()
        whole.add_among("c.status", self.wanted.statuses)
        whole.add_among("c.risk_level", self.wanted.risk_levels)
        return whole


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
    if wanted.ordered_after is not None:
        conditions.add("c.last_order_at > %s", wanted.ordered_after)
    conditions.add_between("c.last_order_at", None, wanted.ordered_until)
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
    found = Search(wanted, conditions, None, is_sorted=is_counted)
    if wanted.is_summed or (wanted.words and not is_counted):
        return found
    return replace(found, total=found.whole(conditions).count(transaction, "customers c"))


def page(transaction: Transaction, search: Search, wanted: Page, matches: int | None) -> list[Row]:
    """Return customers with their states, sorted by a column and then by key; those without a value come last.

    `matches`: how many there are in all, None if they are very many.
    """
    nullable = wanted.column in _NULLABLE
    is_past_values = nullable and wanted.after is not None and wanted.after.value is None
    is_many = matches is None or matches > (_MANY_IN_WINDOW if search.wanted.has_window else MANY_MATCHES)
    keys = [] if is_past_values else _keys_with_value(transaction, search, wanted, is_many=is_many)
    if nullable and len(keys) < wanted.limit:
        keys += _keys_without_value(transaction, search, wanted, keys, is_past_values=is_past_values)
    return customers.by_key(transaction, keys)


def _keys_with_value(transaction: Transaction, search: Search, wanted: Page, *, is_many: bool) -> list[int]:
    column, key, beyond, after = wanted.column, wanted.key, wanted.beyond, wanted.after
    ranged = search.others.copy()
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
    ranges = search.ranges(column, ranged)
    index = None
    if search.are_groups(column):
        index = _INDEXES_BY_GROUP[column]
    elif is_many:
        # A server that underestimates the match would sort a great part of the table.
        index = _INDEXES[column]
    elif search.wanted.has_window and not search.is_sorted:
        index = _INDEXES["last_order_at"]
    columns = list(dict.fromkeys([column, key]))
    return _keys(transaction, ranges, columns, wanted.direction, wanted.limit, wanted.offset, index)


def _keys_without_value(
    transaction: Transaction, search: Search, wanted: Page, before: list[int], *, is_past_values: bool
) -> list[int]:
    offset = 0
    if wanted.offset and not before:
        # The page lies beyond those with a value, of whom there are fewer than the offset.
        ranged = search.whole(search.others)
        ranged.add(f"c.{wanted.column} IS NOT NULL")
        offset = wanted.offset - ranged.count(transaction, "customers c")
    ranged = search.others.copy()
    ranged.add(f"c.{wanted.column} IS NULL")
    if is_past_values and wanted.after is not None:
        ranged.add(f"c.id {wanted.beyond} %s", wanted.after.key)
    ranges = search.ranges(wanted.column, ranged)
    return _keys(transaction, ranges, ["id"], wanted.direction, wanted.limit - len(before), offset)


def _matches(transaction: Transaction, word: str) -> list[int] | None:
    rows = transaction.rows(
        "SELECT DISTINCT customer_pk FROM customer_words WHERE word >= %s AND word < %s LIMIT %s",
        (word, word + _LAST, MANY_MATCHES + 1),
    )
    return None if len(rows) > MANY_MATCHES else [int(row["customer_pk"]) for row in rows]


def _keys(
    transaction: Transaction,
    ranges: Sequence[Conditions],
    columns: Sequence[str],
    direction: str,
    limit: int,
    offset: int,
    index: str | None = None,
) -> list[int]:
    """Return the keys of a page of customers from several ranges, of each of which the first ones are merged."""
    order = f"ORDER BY {', '.join(f'c.{column} {direction}' for column in columns)}"
    table = f"customers c FORCE INDEX ({index})" if index else "customers c"
    if len(ranges) == 1:
        statement, values = f"SELECT c.id FROM {table} {ranges[0].where()}", ranges[0].values
    else:
        named = ", ".join(f"c.{column}" for column in dict.fromkeys(["id", *columns]))
        parts = [f"(SELECT {named} FROM {table} {part.where()} {order} LIMIT %s)" for part in ranges]
        statement = f"SELECT c.id FROM ({' UNION ALL '.join(parts)}) c"
        values = [value for part in ranges for value in [*part.values, limit + offset]]
    rows = transaction.rows(f"{statement} {order} LIMIT %s OFFSET %s", [*values, limit, offset])
    return [int(row["id"]) for row in rows]
