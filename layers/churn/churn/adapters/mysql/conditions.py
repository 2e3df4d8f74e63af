"""Parts of statements: WHERE clauses put together from optional conditions, and lists of pairs to join with."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched

from churn.adapters.mysql.database import Row, Transaction, placeholders
from churn.domain.timeline import Window
from churn.domain.timestamps import micros_text

MOST_COUNTED = 20_000
"""So many rows are looked at to count those of a list; what is counted then is a lower bound."""

_PAIRS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows there are. `is_lower_bound`: too many would have to be looked at to count them all."""

    number: int
    is_lower_bound: bool


@dataclass(slots=True)
class Conditions:
    """Conditions that must all hold, and the values that are bound to them."""

    texts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, text: str, *values: object) -> None:
        """Add one condition."""
        self.texts.append(text)
        self.values.extend(values)

    def add_equal(self, column: str, value: object | None) -> None:
        """Add that a column has a value, unless the value is None."""
        if value is not None:
            self.add(f"{column} = %s", value)

    def add_among(self, column: str, values: Collection[object]) -> None:
        """Add that a column has one of some values, unless there are none."""
        if values:
            self.add(f"{column} IN ({placeholders(values)})", *values)

    def add_between(self, column: str, first: datetime | None, last: datetime | None) -> None:
        """Add that a column lies between two instants, both included; None leaves that end open."""
        if first is not None:
            self.add(f"{column} >= %s", first)
        if last is not None:
            self.add(f"{column} <= %s", last)

    def add_window(self, window: Window, column: str, key: str, *, is_exact: bool = False) -> None:
        """Add that a row lies in a window, by its instant and its key; `is_exact`: the column has microseconds."""
        first, last, below = window.bounds(is_exact=is_exact)
        if first is not None:
            self.add(f"{column} >= %s", micros_text(first))
        if last is not None:
            self.add(f"{column} <= %s", micros_text(last))
        if below is not None:
            self.add(f"({column} < %s OR {key} < %s)", micros_text(below[0]), below[1])

    def copy(self) -> "Conditions":
        """Return the same conditions, to be added to independently."""
        return Conditions([*self.texts], [*self.values])

    def where(self) -> str:
        """Return the WHERE clause, empty without conditions."""
        return f"WHERE {' AND '.join(self.texts)}" if self.texts else ""

    def count(
        self, transaction: Transaction, table: str, bound: Sequence[object] = (), at_most: int | None = None
    ) -> int:
        """Return how many rows of a table, to which values may be bound, meet the conditions; `at_most` are counted."""
        rows, values = f"{table} {self.where()}", [*bound, *self.values]
        if at_most is not None:
            rows, values = f"(SELECT 1 FROM {rows} LIMIT %s) counted", [*values, at_most]
        row = transaction.row(f"SELECT COUNT(*) AS number FROM {rows}", values)
        return int(row["number"]) if row else 0


def size_of(
    transaction: Transaction, table: str, ranges: Iterable[Conditions], most: int, bound: Sequence[object] = ()
) -> int:
    """Return how many rows of a table, to which values may be bound, lie in ranges, or a number above `most`."""
    size = 0
    for ranged in ranges:
        size += ranged.count(transaction, table, bound, at_most=most + 1 - size)
        if size > most:
            break
    return size


def merged(parts: Iterable[Conditions]) -> Conditions:
    """Return the conditions of several as one."""
    whole = Conditions()
    for part in parts:
        whole.texts += part.texts
        whole.values += part.values
    return whole


def rows_of_pairs(transaction: Transaction, query: str, pairs: Iterable[tuple[int | datetime, str]]) -> list[Row]:
    """Return all rows of a query that joins with ``{pairs}``, a list of pairs named `pk` and `id`.

    A join with a list of rows: both servers look each pair up by the primary key, which a row constructor behind IN is
    no guarantee of.
    """
    found: list[Row] = []
    for chunk in batched(pairs, _PAIRS_PER_QUERY, strict=False):
        listed = "(SELECT %s AS pk, %s AS id" + " UNION ALL SELECT %s, %s" * (len(chunk) - 1) + ")"
        found += transaction.rows(query.replace("{pairs}", listed), [value for pair in chunk for value in pair])
    return found
