"""A shop's own history: rows of its exports become events.

A row's events are decided by the file alone, their identifiers too, so that reading a file twice gives the same events,
which the store recognises. What was read is kept on disk, so that memory does not grow with the file.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Self

from churn.domain.errors import FieldError
from churn.domain.events import MAX_FUTURE, Event, InvalidEventError, NoCustomerError
from infra.tools.importer.cells import clean, customer_identifier
from infra.tools.importer.columns import (
    AMOUNTS,
    TIMES,
    Columns,
    also_possible,
    check_fields,
    find_columns,
    is_header,
    missing_fields,
    refusal,
)
from infra.tools.importer.customers import customer_events
from infra.tools.importer.events import NUMBER_COLUMNS, EventReader
from infra.tools.importer.faults import (
    BadRowError,
    DoubtError,
    ImplausibleTimeError,
    NobodyError,
    NotCountedError,
    UnreadableFileError,
)
from infra.tools.importer.formats import Format, Kind, LineKind, recognise
from infra.tools.importer.json_rows import flat
from infra.tools.importer.numbers import DecimalSign, NumberReader
from infra.tools.importer.order_lines import CONTINUATION, LineReader, LineRules, Statuses
from infra.tools.importer.orders import Figures, Orders, line_kind
from infra.tools.importer.readers import Source, open_source
from infra.tools.importer.reading_progress import ReadingProgress, Show
from infra.tools.importer.rows import Row
from infra.tools.importer.staging import Line, Reject, Staging
from infra.tools.importer.statuses import StatusClass
from infra.tools.importer.survey import Survey, look_through
from infra.tools.importer.tallies import tally
from infra.tools.importer.times import DateOrder

_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a file is to be read; what is None is found in the file.

    `columns` names columns that the file calls differently (field to column); `date_format` is in the notation of
    `datetime.strptime`; `allowed` are customers whose ids look as if there were no customer; `statuses` gives words
    their meaning.
    """

    kind: Kind | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    dates: DateOrder | None = None
    decimal: DecimalSign | None = None
    line: LineKind | None = None
    statuses: Mapping[str, StatusClass] = field(default_factory=dict)
    sheet: str | None = None
    encoding: str | None = None
    zone: tzinfo = UTC
    allowed: Container[str] = ()


@dataclass(slots=True)
class Tally:
    """What became of a file's lines."""

    lines: int = 0
    continuations: int = 0
    not_counted: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    """Rejected lines by reason, without what is particular to each."""
    nobodies: Counter[str] = field(default_factory=Counter)
    statuses: Statuses = field(default_factory=Statuses)


class History:
    """A file that was read: its events by customer and time, the lines that are none, and notes for the user.

    A context manager, whose exit deletes what was kept on disk.
    """

    def __init__(self, source: Source, kind: Kind, known: Format | None, header: Sequence[str], folder: Any) -> None:
        """Begin with nothing."""
        self.source = source
        self.kind = kind
        self.format = known
        self.header = header
        self.tally = Tally()
        self.figures = Figures()
        """Whole once all events were taken."""
        self.columns: dict[str, str] = {}
        self.currencies: Counter[str] = Counter()
        self.line: LineKind | None = None
        self.notes: list[str] = []
        self.staging = Staging(Path(folder.name))
        self._folder = folder
        self._orders: Callable[[], Orders] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.staging.close()
        self._folder.cleanup()

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return self.tally.lines

    def events(self) -> Iterator[Event]:
        """Yield the events; what turns out to be no order is rejected meanwhile."""
        if self._orders is None:
            yield from self.staging.events()
            return
        orders = self._orders()
        self.figures = orders.figures
        for item in orders.events(self.staging.lines()):
            if isinstance(item, Event):
                yield item
            else:
                line, reason = item
                self.reject(Reject(line.line, reason, f"order {line.number or '(without a number)'}"))

    def expected_events(self) -> int:
        """Return about how many events there are, as a measure of progress."""
        return self.staging.count("events" if self._orders is None else "lines")

    def rejects(self) -> Iterator[Reject]:
        """Yield the lines that were not taken, in the order of the file."""
        return self.staging.rejects()

    def reject(self, reject: Reject) -> None:
        """Note a line that is not taken."""
        self.staging.add_reject(reject)
        tally(self.tally.rejects, _general(reject.reason))

    def take_orders(self, orders: Callable[[], Orders]) -> None:
        """Make orders of the lines that were kept."""
        self._orders = orders


def read_history(
    path: Path, options: Options, *, now: datetime, progress: Show = lambda _lines, _share: None
) -> History:
    """Return the events of a file of orders, events or customers.

    Raises UnreadableFileError if the file as a whole cannot be read, DoubtError if it can be read in two ways.
    """
    folder = tempfile.TemporaryDirectory(prefix="churn-import-")
    history: History | None = None
    try:
        source = open_source(path, Path(folder.name), is_header, sheet=options.sheet, encoding=options.encoding)
        header = _header(source)
        known = recognise(header, options.kind)
        kind: Kind = options.kind or (known.kind if known else "orders")
        check_fields(kind, options.columns)
        history = History(source, kind, known, header, folder)
        shown = ReadingProgress(progress, source.content.share)
        survey = look_through(_rows(source, kind), kind, options.columns, shown.first)
        reader = _Reader(history, options, survey, now)
        for number, row in enumerate(_rows(source, kind), 1):
            reader.read(row)
            shown.second(number, survey.rows)
        reader.finish()
    except BaseException:
        if history is not None:
            history.staging.close()
        folder.cleanup()
        raise
    return history


def _header(source: Source) -> Sequence[str]:
    if source.header is not None:
        return source.header
    first = next((row.values for row in source.rows() if row.values is not None), {})
    return tuple(flat(first))


def _rows(source: Source, kind: Kind) -> Iterator[Row]:
    """Yield a file's rows; of JSON, what is nested in an order or a customer becomes columns."""
    if not source.is_json or kind == "events":
        yield from source.rows()
        return
    for row in source.rows():
        nested = row.values is not None and any(isinstance(value, dict) for value in row.values.values())
        yield Row(row.line, row.text, flat(row.values)) if nested and row.values is not None else row


class _Reader:
    def __init__(self, history: History, options: Options, survey: Survey, now: datetime) -> None:
        self._history = history
        self._options = options
        self._survey = survey
        self._now = now
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._lines: dict[tuple[str, ...], LineReader] = {}
        self._readers: dict[tuple[str, ...], LineRules] = {}
        self._before: Line | None = None
        self._has_numbers = False
        self._implausible: list[str] = []
        """The first times that no shop can have, of a file without any other."""
        self._is_plausible = False
        self._event_reader: EventReader | None = None
        history.currencies = survey.currencies

    def read(self, row: Row) -> None:
        self._history.tally.lines += 1
        if row.values is None:
            self._history.reject(Reject(row.line, row.error, row.text))
            return
        try:
            self._take(row, row.values)
        except UnreadableFileError:
            raise
        except NotCountedError as reason:
            self._pass_over(str(reason))
        except ImplausibleTimeError as error:
            if len(self._implausible) < _EXAMPLES:
                self._implausible.append(self._time_of(row.values))
            self._refuse(row, error)
        except Exception as error:  # noqa: BLE001  (a line costs itself alone, whatever is wrong with it)
            self._refuse(row, error)

    def finish(self) -> None:
        history, options = self._history, self._options
        if history.kind != "orders":
            return
        if self._implausible and not self._is_plausible:
            raise DoubtError(
                f"no time of column {history.columns.get('timestamp')!r} can be one of a shop's orders, such as "
                f"{', '.join(map(repr, self._implausible))}: they lie before 1971 or more than {MAX_FUTURE.days} days "
                "ahead; say how they are read with --date-format, such as '%y%m%d', or name another column with "
                "--column=timestamp=COLUMN"
            )
        first = next(iter(self._columns.values()), None)
        known = first.format if first else None
        kind = options.line or (known.line if known else None)
        if kind is None:
            says = first.value_is if first else None
            kind = line_kind(history.staging.repeated(), says) if self._has_numbers else "order"
        elif kind == "total" and options.line is None and known is not None and self._has_numbers:
            # An export of totals that has been edited may have been split by items all the same.
            kind = _checked(history, kind)
        history.line = kind
        history.take_orders(lambda: Orders(kind, now=self._now, allowed=options.allowed))

    def _take(self, row: Row, values: Mapping[str, Any]) -> None:
        history = self._history
        if history.kind == "events":
            history.staging.add_event(self._event(values))
            return
        names = tuple(values)
        columns = self._columns_of(names)
        if history.kind == "orders":
            reader = self._lines.get(names)
            if reader is None:
                rules = self._rules(columns)
                reader = self._lines[names] = LineReader(columns, rules, history.tally.statuses)
            line = reader.read(row, values, self._before)
            self._before = line
            self._is_plausible = True
            self._has_numbers = self._has_numbers or bool(line.number)
            history.staging.add_line(line)
            return
        rules = self._readers.get(names) or self._readers.setdefault(names, self._rules(columns))
        cells = {name: clean(values.get(column)) for name, column in columns.by_field.items()}
        customer = cells["customer_id"] if cells["customer_id"] is not None else cells.get("fallback")
        is_whole = columns.by_field["customer_id"] in rules.whole_numbers
        customer_id = customer_identifier(
            customer, is_whole_number=is_whole, allowed=rules.allowed, is_table=rules.is_table
        )
        if columns.customers_are_emails:
            customer_id = customer_id.lower()
        for event in customer_events(
            customer_id,
            cells,
            now=self._now,
            allowed=rules.allowed,
            times=rules.times,
            points=rules.numbers["loyalty_points"],
        ):
            history.staging.add_event(event)

    def _time_of(self, values: Mapping[str, Any]) -> str:
        return str(values.get(self._history.columns.get("timestamp", "")))[:40]

    def _event(self, values: Mapping[str, Any]) -> Event:
        if self._event_reader is None:
            options, survey = self._options, self._survey
            self._event_reader = EventReader(
                now=self._now,
                allowed=options.allowed,
                whole_numbers=survey.whole_numbers,
                is_table=self._history.source.is_table,
                time=survey.time_reader("timestamp", "timestamp", options.dates, None, options.date_format),
                numbers={name: survey.number_reader(name, name, options.decimal) for name in NUMBER_COLUMNS},
            )
        return self._event_reader(values)

    def _rules(self, columns: Columns) -> LineRules:
        """Return how cells are read. Raises DoubtError."""
        options, survey, by_field = self._options, self._survey, columns.by_field
        usual = columns.format.dates if columns.format else None
        numbers: dict[str, NumberReader] = {
            name: survey.number_reader(name, by_field.get(name), options.decimal) for name in AMOUNTS
        }
        times = {
            name: survey.time_reader(name, by_field.get(name), options.dates, usual, options.date_format).in_zone(
                options.zone
            )
            for name in TIMES
        }
        return LineRules(
            now=self._now,
            allowed=options.allowed,
            whole_numbers=survey.whole_numbers,
            numbers=numbers,
            times=times,
            statuses=options.statuses,
            is_table=self._history.source.is_table,
        )

    def _columns_of(self, names: tuple[str, ...]) -> Columns:
        history = self._history
        columns = self._columns.get(names)
        try:
            if columns is None:
                columns = find_columns(history.kind, names, self._options.columns)
                missing = missing_fields(history.kind, names, columns)
                if missing:
                    path = str(history.source.content.path)
                    raise UnreadableFileError(refusal(history.kind, names, columns, missing, path))
                self._columns[names] = columns
                if not history.columns:
                    history.notes += also_possible(history.kind, names, columns)
                history.columns = dict(columns.by_field) | history.columns
        except UnreadableFileError as error:
            if not history.source.is_json:
                raise
            # In JSON each line has columns of its own.
            raise BadRowError(str(error)) from None
        return columns

    def _pass_over(self, reason: str) -> None:
        if reason == CONTINUATION:
            self._history.tally.continuations += 1
        else:
            tally(self._history.tally.not_counted, reason)

    def _refuse(self, row: Row, error: Exception) -> None:
        match error:
            case NoCustomerError():
                # The sentence of a record of Kafka names a setting; that of a file, an option.
                self._refuse(row, NobodyError(error.customer_id))
                return
            case InvalidEventError():
                reason = _sentence(error.errors)
            case NobodyError():
                tally(self._history.tally.nobodies, error.customer_id)
                reason = str(error)
            case BadRowError():
                reason = str(error)
            case _:
                reason = f"cannot be read: {type(error).__name__}"
        self._history.reject(Reject(row.line, reason, row.text))


def _checked(history: History, kind: LineKind) -> LineKind:
    repeated = history.staging.repeated()
    return line_kind(repeated, kind) if repeated.orders else kind


def _sentence(errors: Sequence[FieldError]) -> str:
    return "; ".join(f"{error.field.removeprefix('data.')}: {error.message}" for error in errors)


def _general(reason: str) -> str:
    """Return a reason without what it quotes of the line."""
    parts = reason.split("'")
    return "'...'".join(parts[::2])[:120] if len(parts) > 2 else reason[:120]
