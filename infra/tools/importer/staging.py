"""What was read of a file, kept on disk and sorted there: memory stays the same however long the file is."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from churn.domain.events import MADE_ID, Event
from infra.tools.importer.event_figures import EventFigures
from infra.tools.importer.events import digest
from infra.tools.importer.tallies import Occurrences

_CACHE_KIB = 48 * 1024
_AT_ONCE = 5000
# Rows of a statement: SQLite works on it without Python, whose other threads go on meanwhile.
_ROWS_A_STATEMENT = 1000
_LONG_TEXT = 10_000


class Line(NamedTuple):
    """A line of an order. Instants in milliseconds since 1970; customer and number in the form that is compared."""

    customer: str
    number: str
    line: int
    content: int
    """Lines that are equal in every column have the same."""
    sent_customer: str
    sent_number: str
    at: int
    value: float | None
    """None if unknown. Below 0: what is paid back, or, where the line was cancelled, what is taken off the order."""
    discount: float | bool | None
    items: int | None
    cancelled_at: int | None
    refunded: float
    updated_at: int | None
    is_void: bool = False
    """Whether the line only says that this never was an order, such as one that was not paid."""


class Reject(NamedTuple):
    """A line that was not taken, and why."""

    line: int
    reason: str
    text: str


class Repeated(NamedTuple):
    """Orders of several lines; the sum of their money if the lines add up, and if each line repeats the order's."""

    orders: int
    same: int
    added: float
    once: float


class Amounts(NamedTuple):
    """How many different values orders of several lines have; how many have one line, and the mean value of these."""

    different: int
    singles: int
    mean_of_singles: float


class SharedNumbers(NamedTuple):
    """How many order numbers stand under several customers; how many of these with one time and value, and one."""

    numbers: int
    same: int
    example: str


class Staging:
    """Tables of SQLite in a file of its own, which has no name: whatever ends the process, nothing of it stays.

    A thread writes rows while the next ones are read.
    """

    def __init__(self) -> None:
        """Begin with empty tables."""
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._writer = ThreadPoolExecutor(1, "staging")
        self._writing: Future[None] | None = None
        run = self._database.execute
        run("PRAGMA journal_mode = OFF")
        run("PRAGMA synchronous = OFF")
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        # Of a sort: beside the one that reads what is sorted.
        run("PRAGMA threads = 1")
        names = ", ".join(Line._fields)
        run(f"CREATE TABLE lines ({names})")
        # Records of JSON may share a line: `place` tells them apart.
        run(f"CREATE TABLE sorted ({names}, place, PRIMARY KEY (customer, number, line, place)) WITHOUT ROWID")
        run("CREATE TABLE rejects (line, reason, text)")
        run("CREATE TABLE events (customer, at, event_id, event)")
        run("BEGIN")
        self.event_figures = EventFigures()
        """Of the events, once all were taken."""
        self._sorted = "lines"
        self._shared = SharedNumbers(0, 0, "")
        self._pending: dict[str, list[Any]] = {"lines": [], "rejects": [], "events": []}
        self._widths = {"lines": len(Line._fields), "rejects": len(Reject._fields), "events": 4}

    def close(self) -> None:
        """Close the tables."""
        self._writer.shutdown()
        self._database.close()

    def add_lines(self, lines: Sequence[Line]) -> None:
        """Add many lines of orders."""
        self._pending["lines"] += lines
        if len(self._pending["lines"]) >= _AT_ONCE:
            self._write("lines")

    def add_reject(self, reject: Reject) -> None:
        """Add a line that was not taken."""
        # SQLite takes no surrogates, which stand for bytes that are no text.
        reason, text = (part.encode("utf-8", "surrogatepass") for part in reject[1:])
        self._add("rejects", (reject.line, reason, text))
        if len(text) > _LONG_TEXT:
            # Thousands of such lines would be gigabytes.
            self._write("rejects")

    def add_event(self, event: Event) -> None:
        """Add an event."""
        content = json.dumps([event.event_type, event.data, event.sent_ids, event.timestamp.isoformat()])
        self._add("events", (event.customer_id, event.at, event.event_id, content))

    def customers_of(self, numbers: Collection[str]) -> dict[str, str]:
        """Return the customers, as they were sent, of those orders that are there."""
        if not numbers:
            return {}
        self._flush()
        self._database.execute("CREATE TEMP TABLE wanted (number PRIMARY KEY)")
        self._database.executemany("INSERT INTO wanted VALUES (?)", [(number,) for number in numbers])
        rows = self._database.execute(
            "SELECT number, sent_customer FROM lines JOIN wanted USING (number) WHERE NOT is_void"
        )
        return dict(rows.fetchall())

    def repeated(self) -> Repeated:
        """Return what the orders of several lines have in common; cancelled lines are no part of them."""
        self._sort()
        row = self._database.execute(
            "SELECT COUNT(*), SUM(least = most), SUM(added), SUM(most) FROM (SELECT MIN(value) AS least, "
            "MAX(value) AS most, SUM(value) AS added FROM sorted "
            "WHERE number <> '' AND cancelled_at IS NULL AND value IS NOT NULL "
            "GROUP BY customer, number HAVING MIN(content) <> MAX(content))"
        ).fetchone()
        return Repeated(row[0], row[1] or 0, row[2] or 0.0, row[3] or 0.0)

    def amounts(self) -> Amounts:
        """Return what tells whether values depend on how many lines an order has; of what `repeated` looks at."""
        self._sort()
        row = self._database.execute(
            "SELECT COUNT(DISTINCT CASE WHEN several THEN most END), SUM(NOT several), AVG(CASE WHEN several THEN NULL "
            "ELSE most END) FROM (SELECT MAX(value) AS most, MIN(content) <> MAX(content) AS several FROM sorted "
            "WHERE number <> '' AND cancelled_at IS NULL AND value > 0 GROUP BY customer, number)"
        ).fetchone()
        return Amounts(row[0], row[1] or 0, row[2] or 0.0)

    def versions(self) -> tuple[int, int]:
        """Return how many orders have several lines, and how many of them different times of their last changes."""
        self._sort()
        row = self._database.execute(
            "SELECT COUNT(*), SUM(are_versions) FROM (SELECT COUNT(DISTINCT updated_at) >= COUNT(DISTINCT content) AS "
            "are_versions FROM sorted WHERE number <> '' AND (value IS NULL OR value >= 0) GROUP BY customer, number "
            "HAVING MIN(content) <> MAX(content))"
        ).fetchone()
        return int(row[0]), int(row[1] or 0)

    def has_items_taken_back(self) -> bool:
        """Return whether an order has lines of one time and different values, of which some are taken back."""
        self._sort()
        row = self._database.execute(
            "SELECT 1 FROM sorted WHERE number <> '' AND value > 0 AND NOT is_void GROUP BY customer, number HAVING "
            "MIN(at) = MAX(at) AND MIN(value) < MAX(value) AND COUNT(cancelled_at) BETWEEN 1 AND COUNT(*) - 1 LIMIT 1"
        ).fetchone()
        return row is not None

    def look_for_shared_numbers(self) -> None:
        """Begin to look for what `shared_numbers` tells: all lines were added."""
        self._flush()
        self._writing = self._writer.submit(self._find_shared)

    def shared_numbers(self) -> SharedNumbers:
        """Return how many order numbers stand under several customers, once it was looked for."""
        self._flush()
        return self._shared

    def _find_shared(self) -> None:
        shared = (
            "SELECT number, MIN(at) = MAX(at) AND MIN(value) IS MAX(value) AS is_same FROM lines "
            "WHERE number <> '' AND NOT is_void GROUP BY number HAVING MIN(customer) <> MAX(customer)"
        )
        row = self._database.execute(
            f"SELECT COUNT(*), SUM(is_same), MIN(CASE WHEN is_same THEN number END) FROM ({shared})"  # noqa: S608
        ).fetchone()
        self._shared = SharedNumbers(row[0], row[1] or 0, row[2] or "")

    def all_numbers_are(self, pattern: str) -> bool:
        """Return whether the numbers of all lines are of a pattern."""
        self._flush()
        query = "SELECT 1 FROM lines WHERE number NOT GLOB ? LIMIT 1"
        return self._database.execute(query, (pattern,)).fetchone() is None

    def lines(self) -> Iterator[Line]:
        """Yield the lines of all orders by customer, number and place in the file."""
        self._flush()
        names, place = ", ".join(Line._fields), "place" if self._sorted == "sorted" else "rowid"
        query = f"SELECT {names} FROM {self._sorted} ORDER BY customer, number, line, {place}"  # noqa: S608
        for row in self._database.execute(query):
            line = Line._make(row)
            # SQLite has no truth values: it gives back a whole number, as it does for no value of a discount.
            yield line._replace(discount=bool(line.discount)) if type(line.discount) is int else line

    def events(self) -> Iterator[Event]:
        """Yield the events by customer, time and id.

        An id that was made of less than the whole content is of the first event with it: others get one of their own.
        """
        self._flush()
        rows = self._database.execute(
            "SELECT customer, event_id, event FROM events ORDER BY customer, at, event_id, rowid"
        )
        self.event_figures = EventFigures()
        for (customer_id, made_id), same in groupby(rows, key=itemgetter(0, 1)):
            first = ""
            with closing(Occurrences()) as seen:
                for _, _, content in same:
                    event_type, data, sent, timestamp = json.loads(content)
                    first = first or content
                    event_id = made_id
                    if content != first and made_id.startswith(MADE_ID):
                        event_id = MADE_ID + digest([made_id, content])
                        sent = [sent[0], event_id] if sent else None
                    at = datetime.fromisoformat(timestamp)
                    event = Event(event_id, event_type, customer_id, at, data, (sent[0], sent[1]) if sent else None)
                    self.event_figures.add(event, is_repeated=seen.add(hash(event_id)) > 0)
                    yield event

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        self._flush()
        return int(self._database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608

    def rejects(self) -> Iterator[Reject]:
        """Yield the lines that were not taken, in the order of the file."""
        self._flush()
        for line, reason, text in self._database.execute("SELECT line, reason, text FROM rejects ORDER BY line"):
            yield Reject(line, reason.decode("utf-8", "surrogatepass"), text.decode("utf-8", "surrogatepass"))

    def _add(self, table: str, row: Any) -> None:
        pending = self._pending[table]
        pending.append(row)
        if len(pending) >= _AT_ONCE:
            self._write(table)

    def _sort(self) -> None:
        self._flush()
        if self._sorted == "lines":
            rows = "SELECT *, rowid FROM lines ORDER BY customer, number, line, rowid"
            self._database.execute(f"INSERT INTO sorted {rows}")
            self._sorted = "sorted"

    def _flush(self) -> None:
        for table in self._pending:
            self._write(table)
            self._wait()
            if rows := self._pending[table]:
                marks = ", ".join("?" * self._widths[table])
                self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
                rows.clear()

    def _write(self, table: str) -> None:
        """Begin to write as many pending rows as whole statements hold, once those of before are written."""
        rows = self._pending[table]
        whole = len(rows) - len(rows) % _ROWS_A_STATEMENT
        if whole:
            self._wait()
            self._pending[table] = rows[whole:]
            self._writing = self._writer.submit(self._insert, table, rows[:whole])

    def _wait(self) -> None:
        """Wait until what is being written is there. Raises what has kept it from being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _insert(self, table: str, rows: Sequence[Any]) -> None:
        row = f"({', '.join('?' * self._widths[table])})"
        statement = f"INSERT INTO {table} VALUES {', '.join([row] * _ROWS_A_STATEMENT)}"  # noqa: S608
        for begin in range(0, len(rows), _ROWS_A_STATEMENT):
            self._database.execute(statement, [*chain.from_iterable(rows[begin : begin + _ROWS_A_STATEMENT])])
