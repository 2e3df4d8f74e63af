"""A shop's own history: rows of its exports become events.

A row's events are decided by the file alone, their identifiers too, so that reading a file twice gives the same events,
which the store recognises.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from churn.domain.errors import FieldError
from churn.domain.events import Event, InvalidEventError, NoCustomerError
from infra.tools.importer.cells import BadRowError, NobodyError, clean, customer_identifier, identifier
from infra.tools.importer.columns import Kind, check_fields, find_columns, missing_fields, whole_number_columns
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
    allowed: Container[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Return the events of a file of orders, events or customers.

    `columns` names columns that the file calls differently (field to column); `date_format`, in the notation of
    `datetime.strptime`, is for times that are not ISO 8601, YYYYMMDD, or seconds or milliseconds since 1970. `allowed`
    are customers whose ids look as if there were no customer. `progress` receives the number of lines read so far.
    Times without a zone are UTC. Raises UnreadableFileError if the file as a whole cannot be read.
    """
    named = columns or {}
    check_fields(kind, named)
    has_header = ".json" not in "".join(path.suffixes).lower()
    options = _Options(
        kind=kind,
        now=now,
        named=named,
        date_format=date_format,
        allowed=allowed,
        has_header=has_header,
        whole_numbers=whole_number_columns(read_rows(path), kind, named, has_header=has_header),
    )
    parser = _Parser(options)
    for row in read_rows(path):
        parser.read(row)
        if parser.history.lines % 1000 == 0:
            progress(parser.history.lines)
    return parser.finish()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """How a file is read; `whole_numbers`: the columns whose identifiers are all whole numbers."""

    kind: Kind
    now: datetime
    named: Mapping[str, str]
    date_format: str | None
    allowed: Container[str]
    has_header: bool
    whole_numbers: Container[str]


class _Parser:
    def __init__(self, options: _Options) -> None:
        self.history = History()
        self._options = options
        self._columns: dict[tuple[str, ...], dict[str, str]] = {}
        self._orders = Orders(options.date_format)
        self._nobodies: Counter[str] = Counter()

    def read(self, row: Row) -> None:
        self.history.lines += 1
        if row.values is None:
            self._reject(row, row.error)
            return
        try:
            self._take(row, row.values)
        except UnreadableFileError:
            raise
        except Exception as error:  # noqa: BLE001  (a line costs itself alone, whatever is wrong with it)
            self._refuse(row, error)

    def finish(self) -> History:
        history = self.history
        numbers: dict[str, set[tuple[str, str]]] = {"order_placed": set(), "order_cancelled": set()}
        for order in self._orders:
            try:
                for event in order.events(now=self._options.now, allowed=self._options.allowed):
                    numbers[event.event_type].add((event.customer_id, event.order_id))
                    history.events.append(event)
            except Exception as error:  # noqa: BLE001  (as in `read`)
                self._refuse(order.row, error)
        if self._orders.further_lines:
            history.notes.append(
                f"{self._orders.further_lines:,} lines repeat an order number: "
                "the values of an order's lines were added up"
            )
        unmatched = len(numbers["order_cancelled"] - numbers["order_placed"])
        if unmatched:
            history.notes.append(f"{unmatched:,} cancelled orders or credit notes cancel no other order of this file")
        if self._nobodies:
            ids = ", ".join(f"{name!r} ({count:,})" for name, count in self._nobodies.most_common(5))
            history.notes.append(
                f"WARNING: {self._nobodies.total():,} lines were rejected, as their ids stand for no customer: {ids}; "
                "if one is a customer, import again with --allow-id=ID"
            )
        history.events.sort(key=lambda event: (event.customer_id, event.timestamp, event.event_id))
        history.rejects.sort(key=lambda reject: reject.line)
        return history

    def _take(self, row: Row, values: Mapping[str, Any]) -> None:
        options = self._options
        if options.kind == "events":
            event = read_event(values, now=options.now, allowed=options.allowed, whole_numbers=options.whole_numbers)
            self.history.events.append(event)
            return
        columns = self._columns_of(tuple(values))
        cells = {name: clean(values[column]) for name, column in columns.items()}
        whole = {name for name, column in columns.items() if column in options.whole_numbers}
        customer_id = customer_identifier(
            cells["customer_id"], is_whole_number="customer_id" in whole, allowed=options.allowed
        )
        if options.kind == "customers":
            self.history.events += customer_events(
                customer_id, cells, now=options.now, allowed=options.allowed, date_format=options.date_format
            )
            return
        number = cells.get("order_id")
        order_id = "" if number is None else identifier(number, "order_id", is_whole_number="order_id" in whole)
        self._orders.add(row, customer_id, order_id, cells, columns)

    def _refuse(self, row: Row, error: Exception) -> None:
        match error:
            case NoCustomerError():
                # The sentence of a record of Kafka names a setting; that of a file, an option.
                self._refuse(row, NobodyError(error.customer_id))
            case InvalidEventError():
                self._reject(row, _sentence(error.errors))
            case NobodyError():
                self._nobodies[error.customer_id] += 1
                self._reject(row, str(error))
            case BadRowError():
                self._reject(row, str(error))
            case _:
                self._reject(row, f"cannot be read: {type(error).__name__}")

    def _reject(self, row: Row, reason: str) -> None:
        self.history.rejects.append(Reject(row.line, reason, row.text))

    def _columns_of(self, names: tuple[str, ...]) -> dict[str, str]:
        options = self._options
        columns = self._columns.get(names)
        try:
            if columns is None:
                columns = self._columns[names] = find_columns(options.kind, names, options.named)
                self.history.columns = columns | self.history.columns
            missing = missing_fields(options.kind, columns)
            if missing:
                raise UnreadableFileError(
                    f"there is no column for {', '.join(missing)} among {', '.join(names)}; "
                    f"name it with --column {missing[0]}=COLUMN"
                )
        except UnreadableFileError as error:
            if options.has_header:
                raise
            # In JSON each line has columns of its own.
            raise BadRowError(str(error)) from None
        return columns


def _sentence(errors: Sequence[FieldError]) -> str:
    return "; ".join(f"{error.field.removeprefix('data.')}: {error.message}" for error in errors)
