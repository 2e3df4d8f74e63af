"""A shop's own history: rows of its exports become events.

A row's events are decided by the file alone, their identifiers too, so that reading a file twice gives the same events,
which the store recognises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from churn.domain.errors import FieldError
from churn.domain.events import Event, InvalidEventError
from infra.tools.importer.cells import BadRowError, clean
from infra.tools.importer.columns import Kind, check_fields, find_columns, missing_fields
from infra.tools.importer.customers import customer_events
from infra.tools.importer.events import read_event
from infra.tools.importer.orders import Orders
from infra.tools.importer.readers import Row, UnreadableFileError, read_rows


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that was not taken, and why."""

    line: int
    reason: str
    text: str


@dataclass(slots=True)
class History:
    """A file's events by customer and time, the lines that are none, and notes for the user."""

    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    lines: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_history(
    path: Path,
    kind: Kind = "orders",
    *,
    now: datetime,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Return the events of a file of orders, events or customers.

    `columns` names columns that the file calls differently (field to column); `date_format`, in the notation of
    `datetime.strptime`, is for times that are not ISO 8601, YYYYMMDD, or seconds or milliseconds since 1970. `progress`
    receives the number of lines read so far. Times without a zone are UTC. Raises UnreadableFileError if the file as a
    whole cannot be read.
    """
    parser = _Parser(kind, now, columns or {}, date_format, has_header=".json" not in "".join(path.suffixes).lower())
    for row in read_rows(path):
        parser.read(row)
        if parser.history.lines % 1000 == 0:
            progress(parser.history.lines)
    return parser.finish()


class _Parser:
    def __init__(
        self, kind: Kind, now: datetime, named: Mapping[str, str], date_format: str | None, *, has_header: bool
    ) -> None:
        check_fields(kind, named)
        self.history = History()
        self._kind = kind
        self._now = now
        self._named = named
        self._date_format = date_format
        self._has_header = has_header
        self._columns: dict[tuple[str, ...], dict[str, str]] = {}
        self._orders = Orders(date_format)

    def read(self, row: Row) -> None:
        self.history.lines += 1
        if row.values is None:
            self._reject(row, row.error)
            return
        try:
            self._take(row, row.values)
        except InvalidEventError as error:
            self._reject(row, _sentence(error.errors))
        except BadRowError as error:
            self._reject(row, str(error))

    def finish(self) -> History:
        history = self.history
        numbers: dict[str, set[tuple[str, str]]] = {"order_placed": set(), "order_cancelled": set()}
        for order in self._orders:
            try:
                for event in order.events(now=self._now):
                    numbers[event.event_type].add((event.customer_id, str(event.data.get("order_id"))))
                    history.events.append(event)
            except InvalidEventError as error:
                self._reject(order.row, _sentence(error.errors))
        if self._orders.further_lines:
            history.notes.append(
                f"{self._orders.further_lines:,} lines repeat an order number: "
                "the values of an order's lines were added up"
            )
        unmatched = len(numbers["order_cancelled"] - numbers["order_placed"])
        if unmatched:
            history.notes.append(f"{unmatched:,} cancelled orders or credit notes cancel no other order of this file")
        history.events.sort(key=lambda event: (event.customer_id, event.timestamp, event.event_id))
        history.rejects.sort(key=lambda reject: reject.line)
        return history

    def _take(self, row: Row, values: Mapping[str, Any]) -> None:
        if self._kind == "events":
            self.history.events.append(read_event(values, now=self._now))
            return
        columns = self._columns_of(tuple(values))
        cells = {name: clean(values[column]) for name, column in columns.items()}
        if self._kind == "orders":
            self._orders.add(row, cells, columns)
        else:
            self.history.events += customer_events(cells, now=self._now, date_format=self._date_format)

    def _reject(self, row: Row, reason: str) -> None:
        self.history.rejects.append(Reject(row.line, reason, row.text))

    def _columns_of(self, names: tuple[str, ...]) -> dict[str, str]:
        columns = self._columns.get(names)
        if columns is None:
            columns = self._columns[names] = find_columns(self._kind, names, self._named)
            self.history.columns = columns | self.history.columns
        missing = missing_fields(self._kind, columns)
        if missing and self._has_header:
            raise UnreadableFileError(
                f"there is no column for {', '.join(missing)} among {', '.join(names)}; "
                f"name it with --column {missing[0]}=COLUMN"
            )
        if missing:
            raise BadRowError(f"has no {', '.join(missing)}")
        return columns


def _sentence(errors: Sequence[FieldError]) -> str:
    return "; ".join(f"{error.field.removeprefix('data.')}: {error.message}" for error in errors)
