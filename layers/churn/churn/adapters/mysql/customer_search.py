"""The list of customers: each page is a range of an index, whatever the shop's size.

What no index tells (bounds of another column than the list is sorted by, open alerts) is looked for among the next
customers of the order, a bounded number of them a page: a page may then hold few of them, or none, and have a next one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import batched

from churn.adapters.mysql import customers, orders
from churn.adapters.mysql.conditions import Conditions, merged
from churn.adapters.mysql.customer_indexes import GROUPS, INDEXES, INDEXES_BY_GROUP
from churn.adapters.mysql.customer_pages import Bound, CustomerFilter, Found, Page, Position
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.customer_record import CustomerSort

MANY_MATCHES = 10_000
"""Up to so many customers that match are sorted; beyond that, a scan along the order meets enough of them."""

MOST_WALKED = 2_000
"""So many customers are looked at for one page, and a last step, where no index tells who of them matches."""

SORT_COLUMNS: dict[CustomerSort, str] = {
    "churn_probability": "churn_probability",
    "value_at_risk": "value_at_risk",
    "expected_spend": "expected_spend",
    "risk_change_7d": "risk_change_7d",
    "total_spent": "total_spent",
    # The longest silence is the earliest order: the two run against each other.
    "days_since_last_order": "last_order_at",
    "customer_id": "customer_id",
}
NULLABLE = frozenset(
    {"churn_probability", "last_order_at", "value_at_risk", "risk_change_7d", "total_spent", "expected_spend"}
)
"""Of the columns that lists are sorted by, those that may be NULL."""
_LONGEST_STEP = 1000
# A longer statement would pin a session of RDS Proxy.
_KEYS_PER_STATEMENT = 500
_WITH_WORD = "SELECT DISTINCT customer_pk FROM customer_words WHERE word >= %s AND word < %s LIMIT %s"
# A value, not EXISTS: servers turn each of that into a join, and look for the best order of all of them for minutes.
_HAS_WORD = (
    "(SELECT 1 FROM customer_words w WHERE w.customer_pk = c.id AND w.word >= %s AND w.word < %s LIMIT 1) IS NOT NULL"
)
_ALERTED = "SELECT DISTINCT customer_pk FROM alerts WHERE is_open = 1 LIMIT %s"
_HAS_OPEN_ALERT = "EXISTS (SELECT 1 FROM alerts a WHERE a.customer_pk = c.id AND a.is_open = 1)"
# Greater than any character that a word can hold.
_LAST = "\U0010ffff"
_OTHER = ""

type Table = tuple[str, tuple[object, ...]]
"""A table of customers named `c`, and what is bound to it."""


def in_index(index: str) -> Table:
    """Return the table of customers, read by an index."""
    return f"customers c FORCE INDEX ({index})", ()


@dataclass(frozen=True, slots=True)
class Known:
    """A query of the keys (`customer_pk`) of a few customers, and what is bound to it."""

    query: str
    values: tuple[object, ...]

    def is_met(self, transaction: Transaction) -> bool:
        """Return whether they are few."""
        row = transaction.row(f"SELECT COUNT(*) AS number FROM ({self.query}) known", self.values)
        return bool(row and row["number"] <= MANY_MATCHES)


@dataclass(frozen=True, slots=True)
class Search:
    """A filter as conditions, beside those of levels and statuses; and the number of customers that match.

    `total` is None where the totals have the number, and where it is too great to count.
    """

    wanted: CustomerFilter
    by_column: Mapping[str, Conditions]
    """Conditions by the column that they bound, under `_OTHER` all others."""
    total: int | None
    known: Known | None = None
    """Who the customers are, where they are few: then they are sorted, whatever they are sorted by."""

    @property
    def is_sorted(self) -> bool:
        """Whether the customers are few and known."""
        return self.known is not None

    def table(self, index: str | None = None) -> Table:
        """Return the table of customers, or of the known ones among them."""
        if self.known is not None:
            # By their keys, in a statement that is short: a list of them would pin a session of RDS Proxy.
            joined = "STRAIGHT_JOIN customers c FORCE INDEX (PRIMARY) ON c.id = known.customer_pk"
            return f"({self.known.query}) known {joined}", self.known.values
        return in_index(index) if index else ("customers c", ())

    @property
    def others(self) -> Conditions:
        """All conditions but those of levels and statuses."""
        return merged(self.by_column.values())

    def is_walked(self, page: Page, *, is_many: bool) -> bool:
        """Return whether the customers are looked at one by one in the order of a page."""
        if self.is_sorted or page.offset:
            return False
        is_against_the_order = self.wanted.has_window and page.column != "last_order_at"
        # Who goes on by offsets takes the first page as a whole one; who has a cursor goes on from where it ends.
        is_by_cursor = not takes_offset(self.wanted, page.column) or bool(page.after and self.wanted.words)
        return self.wanted.is_narrowed or (is_many and (is_against_the_order or is_by_cursor))

    def walk(self, column: str) -> tuple["Search", Conditions]:
        """Return the search of whom to look at in the order of a column, and what to look for."""
        asked, rest = self.wanted, merged(part for name, part in self.by_column.items() if name != column)
        told = Conditions()
        if column in self.by_column:
            told = self.by_column[column].copy()
        told.add("c.deleted = 0")
        groups = CustomerFilter()
        if column in INDEXES_BY_GROUP:
            groups = CustomerFilter(asked.risk_levels, asked.statuses)
        else:
            rest = self.whole(rest)
        return Search(groups, {column: told}, None), rest

    def indexed_columns(self) -> list[str]:
        """Return the columns whose index tells a part of the filter: a bound of them, or levels and statuses."""
        bounded = {column for column, conditions in self.by_column.items() if conditions.texts}
        columns = [column for column in {**INDEXES, **INDEXES_BY_GROUP} if column in bounded]
        is_of_groups = bool(self.wanted.statuses or self.wanted.risk_levels)
        return columns if not is_of_groups or not bounded.isdisjoint(INDEXES_BY_GROUP) else [*columns, "value_at_risk"]

    def are_groups(self, column: str) -> bool:
        """Return whether each group of the customers is a range of an index that is sorted by a column."""
        asked = self.wanted
        has_group = bool(asked.statuses or asked.risk_levels) or column not in INDEXES
        return column in INDEXES_BY_GROUP and has_group and not self.is_sorted and not asked.has_window

    def ranges(self, column: str, others: Conditions) -> list[Conditions]:
        """Return conditions that divide the customers into groups if that helps to sort them by a column."""
        levels, statuses = self.wanted.risk_levels, self.wanted.statuses
        if not self.are_groups(column):
            return [self.whole(others)]
        parts = []
        for status, level in GROUPS:
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


def takes_offset(wanted: CustomerFilter, column: str) -> bool:
    """Return whether the list in the order of a column has pages by offset, too."""
    return not wanted.is_narrowed and (column in INDEXES or wanted.is_summed)


def search(transaction: Transaction, wanted: CustomerFilter) -> Search:
    """Prepare the list of the customers that a filter matches, and count them if they are few and no total has them."""
    found = prepared(transaction, wanted)
    if wanted.is_summed or ((wanted.words or wanted.is_narrowed) and not found.is_sorted):
        return found
    (table, bound), whole = found.table(), found.whole(found.others)
    if found.is_sorted or (wanted.ordered_after and wanted.ordered_until):
        # Who lapsed in a span is a figure, whose list has the same number.
        return replace(found, total=whole.count(transaction, table, bound))
    # No more than that, as those of half a shop take a tenth of a second.
    few = f"(SELECT 1 FROM {table} {whole.where()} LIMIT %s) counted"
    number = Conditions().count(transaction, few, (*bound, *whole.values, MANY_MATCHES + 1))
    return replace(found, total=number if number <= MANY_MATCHES else None)


def among(transaction: Transaction, wanted: CustomerFilter, customer_ids: Iterable[str]) -> set[str]:
    """Return which of some customers a filter matches, by their ids."""
    found: set[str] = set()
    if wanted.is_nobody:
        return found
    search = prepared(transaction, wanted, is_of_few=True)
    for part in batched(customer_ids, _KEYS_PER_STATEMENT, strict=False):
        conditions = search.whole(search.others)
        conditions.add_among("c.customer_id", part)
        query = f"SELECT c.customer_id FROM customers c FORCE INDEX (customers_customer_id) {conditions.where()}"
        found.update(row["customer_id"] for row in transaction.rows(query, conditions.values))
    return found


def prepared(transaction: Transaction, wanted: CustomerFilter, *, is_of_few: bool = False) -> Search:
    """Return a filter as conditions, without the number of customers that match.

    `is_of_few`: only few customers are looked at, so that it does not pay to know all who match.
    """
    by_column = {_OTHER: Conditions(["c.deleted = 0"])}
    for bound in (*wanted.bounds, Bound("last_order_at", None, wanted.ordered_until)):
        conditions = by_column.setdefault(bound.column, Conditions())
        if bound.least is not None:
            conditions.add(f"c.{bound.column} >= %s", bound.least)
        if bound.most is not None:
            conditions.add(f"c.{bound.column} <= %s", bound.most)
    if wanted.ordered_after is not None:
        by_column["last_order_at"].add("c.last_order_at > %s", wanted.ordered_after)
    for days in wanted.ordered_again:
        again = orders.ordered_again("c", days.first, days.last)
        by_column[_OTHER] = merged([by_column[_OTHER], again])
    known = _known(transaction, wanted, by_column[_OTHER], asks=not is_of_few)
    first_orders = by_column.get("first_order_day")
    if known is None and first_orders is not None and not is_of_few:
        cohort = _first_ordered(first_orders)
        known = cohort if cohort.is_met(transaction) else None
    return Search(wanted, by_column, None, known)


def _first_ordered(first_orders: Conditions) -> Known:
    """Return who ordered first between two days."""
    table, _ = in_index(INDEXES["first_order_day"])
    ranged = Conditions(["c.deleted = 0"])
    query = f"SELECT c.id AS customer_pk FROM {table} {merged([ranged, first_orders]).where()} LIMIT %s"
    return Known(query, (*first_orders.values, MANY_MATCHES + 1))


def _known(
    transaction: Transaction, wanted: CustomerFilter, conditions: Conditions, *, asks: bool = True
) -> Known | None:
    """Return the few customers that a word or the open alerts tell; add what else is asked of both as conditions.

    `asks`: whether it is asked if they are few.
    """
    known: Known | None = None
    # The longest beginning has the fewest words.
    for word in sorted(wanted.words, key=len, reverse=True):
        begins = (word, word + _LAST)
        few = Known(_WITH_WORD, (*begins, MANY_MATCHES + 1))
        if known is None and asks and few.is_met(transaction):
            known = few
        else:
            conditions.add(_HAS_WORD, *begins)
    if wanted.has_open_alert is not None:
        few = Known(_ALERTED, (MANY_MATCHES + 1,))
        if wanted.has_open_alert and known is None and asks and few.is_met(transaction):
            known = few
        else:
            conditions.add(_HAS_OPEN_ALERT if wanted.has_open_alert else f"NOT {_HAS_OPEN_ALERT}")
    return known


def page(transaction: Transaction, search: Search, wanted: Page, matches: int | None) -> Found:
    """Return customers, sorted by a column and then by key; those without a value come last.

    `matches`: how many there are in all, None if they are very many.
    """
    is_many = matches is None or matches > MANY_MATCHES
    if search.is_walked(wanted, is_many=is_many):
        keys, after, has_more = _walked(transaction, search, wanted)
        return _found(_rows(transaction, keys, wanted), after, wanted, has_more=has_more)
    keys = _ordered(transaction, search, replace(wanted, limit=wanted.limit + 1), is_many=is_many)
    rows = _rows(transaction, keys, wanted)
    shown, has_more = rows[: wanted.limit], len(rows) > wanted.limit
    return _found(shown, wanted.place(shown[-1]) if has_more else None, wanted, has_more=has_more)


def _rows(transaction: Transaction, keys: Sequence[int], wanted: Page) -> list[Row]:
    return customers.listed(transaction, keys, wanted.column, with_states=wanted.with_states)


def _found(rows: list[Row], after: Position | None, wanted: Page, *, has_more: bool) -> Found:
    """Return the customers of a page; the place after them counts them."""
    return Found(rows, after and replace(after, passed=wanted.passed + len(rows)), has_more)


def _walked(transaction: Transaction, search: Search, wanted: Page) -> tuple[list[int], Position | None, bool]:
    """Return the keys of those who match among the next customers, and the last place that was looked at.

    At the end of the list that place is None. At last: whether one more is known to match.
    """
    walk, rest = search.walk(wanted.column)
    found: list[int] = []
    after = last = wanted.after
    walked, step = 0, wanted.limit + 1
    while walked < MOST_WALKED:
        keys = _ordered(transaction, walk, replace(wanted, limit=step, offset=0, after=after), is_many=True)
        for row in _fitting(transaction, keys, wanted.column, rest):
            if len(found) == wanted.limit:
                return found, last, True
            found.append(row["id"])
            last = wanted.place(row)
        if len(keys) < step:
            return found, None, False
        (end,) = _looked_at(transaction, keys[-1:], wanted.column, Conditions())
        after = wanted.place(end)
        walked, step = walked + step, min(4 * step, _LONGEST_STEP)
    return found, after, False


def _fitting(transaction: Transaction, keys: Sequence[int], column: str, rest: Conditions) -> Iterator[Row]:
    """Yield those of some customers who meet the conditions, in the order of the keys."""
    for part in batched(keys, _KEYS_PER_STATEMENT, strict=False):
        rows = {row["id"]: row for row in _looked_at(transaction, part, column, rest)}
        yield from (rows[key] for key in part if key in rows)


def _looked_at(transaction: Transaction, keys: Sequence[int], column: str, rest: Conditions) -> list[Row]:
    """Return key and column of those of some customers who meet the conditions."""
    # Those who do not stay with the server: reading a row costs several times as much as looking at it.
    asked = rest.copy()
    asked.add_among("c.id", keys)
    columns = ", ".join(f"c.{name}" for name in dict.fromkeys(["id", column]))
    return transaction.rows(f"SELECT {columns} FROM customers c FORCE INDEX (PRIMARY) {asked.where()}", asked.values)


def _ordered(transaction: Transaction, search: Search, wanted: Page, *, is_many: bool) -> list[int]:
    nullable = wanted.column in NULLABLE
    is_past_values = nullable and wanted.after is not None and wanted.after.value is None
    keys = [] if is_past_values else _keys_with_value(transaction, search, wanted, is_many=is_many)
    if nullable and len(keys) < wanted.limit:
        keys += _keys_without_value(transaction, search, wanted, keys, is_past_values=is_past_values, is_many=is_many)
    return keys


def _keys_with_value(transaction: Transaction, search: Search, wanted: Page, *, is_many: bool) -> list[int]:
    column, key, beyond, after = wanted.column, wanted.key, wanted.beyond, wanted.after
    ranged = search.others.copy()
    if column in NULLABLE:
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
    index = _index(search, column, is_many=is_many)
    columns = list(dict.fromkeys([column, key]))
    return _keys(transaction, search.table(index), ranges, columns, wanted.direction, wanted.limit, wanted.offset)


def _keys_without_value(
    transaction: Transaction, search: Search, wanted: Page, before: list[int], *, is_past_values: bool, is_many: bool
) -> list[int]:
    offset = 0
    if wanted.offset and not before:
        # The page lies beyond those with a value, of whom there are fewer than the offset.
        ranged = search.whole(search.others)
        ranged.add(f"c.{wanted.column} IS NOT NULL")
        offset = wanted.offset - ranged.count(transaction, *search.table())
    ranged = search.others.copy()
    ranged.add(f"c.{wanted.column} IS NULL")
    if is_past_values and wanted.after is not None:
        ranged.add(f"c.id {wanted.beyond} %s", wanted.after.key)
    ranges = search.ranges(wanted.column, ranged)
    index = _index(search, wanted.column, is_many=is_many)
    table, limit = search.table(index), wanted.limit - len(before)
    return _keys(transaction, table, ranges, ["id"], wanted.direction, limit, offset)


def index_of(search: Search, column: str) -> str:
    """Return the index that has the customers of a search in the order of a column."""
    return INDEXES_BY_GROUP[column] if search.are_groups(column) else INDEXES[column]


def _index(search: Search, column: str, *, is_many: bool) -> str | None:
    # A server that underestimates the match would sort a great part of the table.
    if search.are_groups(column) or (is_many and not search.is_sorted):
        return index_of(search, column)
    return INDEXES["last_order_at"] if search.wanted.has_window and not search.is_sorted else None


def _keys(
    transaction: Transaction,
    table_and_bound: Table,
    ranges: Sequence[Conditions],
    columns: Sequence[str],
    direction: str,
    limit: int,
    offset: int,
) -> list[int]:
    """Return the keys of a page of customers from several ranges, of each of which the first ones are merged."""
    order = f"ORDER BY {', '.join(f'c.{column} {direction}' for column in columns)}"
    table, bound = table_and_bound
    if len(ranges) == 1:
        statement, values = f"SELECT c.id FROM {table} {ranges[0].where()}", [*bound, *ranges[0].values]
    else:
        named = ", ".join(f"c.{column}" for column in dict.fromkeys(["id", *columns]))
        parts = [f"(SELECT {named} FROM {table} {part.where()} {order} LIMIT %s)" for part in ranges]
        statement = f"SELECT c.id FROM ({' UNION ALL '.join(parts)}) c"
        values = [value for part in ranges for value in [*part.values, limit + offset]]
    rows = transaction.rows(f"{statement} {order} LIMIT %s OFFSET %s", [*values, limit, offset])
    return [int(row["id"]) for row in rows]
