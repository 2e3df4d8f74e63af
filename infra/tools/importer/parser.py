"""A shop's own history: rows of its exports become events.

A row's events are decided by the file alone, their identifiers too, so that reading a file twice gives the same events,
which the store recognises. What was read is kept on disk, so that memory does not grow with the file.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

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
    named_here,
)
from infra.tools.importer.content import Scratch
from infra.tools.importer.customers import customer_events
from infra.tools.importer.events import NUMBER_COLUMNS, EventReader
from infra.tools.importer.export_format import Kind, plain
from infra.tools.importer.faults import (
    BadRowError,
    DoubtError,
    ImplausibleTimeError,
    NeverPlacedError,
    NobodyError,
    NotCountedError,
    RefundOfNobodyError,
    UnreadableFileError,
)
from infra.tools.importer.formats import recognise
from infra.tools.importer.history import History, Options
from infra.tools.importer.later_refunds import LaterRefunds
from infra.tools.importer.line_kinds import line_kind
from infra.tools.importer.no_orders import DRAFT_NUMBERS, DRAFTS, maybe_customers, told_by_header
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.order_blocks import BlockReader
from infra.tools.importer.order_lines import CONTINUATION, LineReader, LineRules
from infra.tools.importer.orders import Orders
from infra.tools.importer.prices import decided, told_by_name
from infra.tools.importer.readers import open_source
from infra.tools.importer.reading_progress import ReadingProgress, Show
from infra.tools.importer.records import header_of, records_of
from infra.tools.importer.rows import Block, Row
from infra.tools.importer.staging import Line, Reject
from infra.tools.importer.survey import Survey, look_through
from infra.tools.importer.tallies import tally
from infra.tools.importer.total_lines import TOTALS, TotalLines, is_amount_alone
from infra.tools.importer.unknown_header import Refused, missing_fields, reason_of_line, refusal, without_numbers

_EXAMPLES = 3


def read_history(
    path: Path, options: Options, *, now: datetime, progress: Show = lambda _lines, _share: None
) -> History:
    """Return the events of a file of orders, events or customers.

    Raises UnreadableFileError if the file as a whole cannot be read, DoubtError if it can be read in two ways.
    """
    scratch = Scratch()
    history: History | None = None
    try:
        source = open_source(
            path, scratch, is_header, sheet=options.sheet, encoding=options.encoding, list_name=options.list_name
        )
        header = header_of(source)
        known = recognise(header, options.kind)
        kind: Kind = options.kind or (known.kind if known else "orders")
        check_fields(kind, options.columns)
        history = History(source, kind, known, header, scratch)
        shown = ReadingProgress(progress, source.content.share)
        survey = look_through(records_of(source, kind), kind, options.columns, shown.first)
        is_by_name = kind == "orders" and options.kind is None and known is None
        if is_by_name and (why := told_by_header(header) or survey.visits()):
            raise DoubtError(why)
        history.notes += source.unread()
        history.notes += [*survey.unread_columns(), *survey.zero_numbers(), *survey.differing_cases()]
        reader = _Reader(history, options, survey, now)
        for record in records_of(source, kind):
            if isinstance(record, Block):
                reader.read_block(record)
            else:
                reader.read(record)
            shown.second(history.lines, survey.rows)
        reader.finish()
    except BaseException:
        if history is not None:
            history.staging.close()
        scratch.cleanup()
        raise
    return history


class _Reader:
    def __init__(self, history: History, options: Options, survey: Survey, now: datetime) -> None:
        self._history = history
        self._options = options
        self._survey = survey
        self._now = now
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._lines: dict[tuple[str, ...], tuple[LineReader, BlockReader]] = {}
        self._readers: dict[tuple[str, ...], LineRules] = {}
        self._before: Line | None = None
        self._totals = TotalLines()
        self._has_numbers = False
        self._implausible: list[str] = []
        """The first times that no shop can have, of a file without any other."""
        self._is_plausible = False
        self._event_reader: EventReader | None = None
        self._refusal: UnreadableFileError | None = None
        self._absent = {*options.columns.values()} - {""}
        """The columns that were named, and that no line has had."""
        self._refunds = LaterRefunds()

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
        except RefundOfNobodyError as error:
            if not self._refunds.take(row, error):
                self._refuse(row, error)
        except ImplausibleTimeError as error:
            if len(self._implausible) < _EXAMPLES:
                self._implausible.append(self._time_of(row.values))
            self._refuse(row, error)
        except Exception as error:  # noqa: BLE001  (a line costs itself alone, whatever is wrong with it)
            self._refuse(row, error)

    def read_block(self, block: Block) -> None:
        """Read many rows; those that something is peculiar about one by one."""
        others = block
        if self._history.kind == "orders":
            read = self._readers_of(tuple(block.columns))[1].read(block)
            if read is not None:
                lines, others = read
                self._history.tally.lines += len(lines)
                self._take_lines(lines)
        for row in others.rows():
            self.read(row)

    def finish(self) -> None:
        history, options = self._history, self._options
        if history.source.is_json and history.columns and self._absent:
            raise UnreadableFileError(f"no line has the column {min(self._absent)!r}")
        if self._refusal is not None and not history.columns:
            raise self._refusal
        self._read_refunds()
        if history.kind != "orders":
            return
        if self._implausible and not self._is_plausible:
            raise DoubtError(
                f"no time of column {history.columns.get('timestamp')!r} can be one of a shop's orders, such as "
                f"{', '.join(map(repr, self._implausible))}: they lie before 1971 or more than {MAX_FUTURE.days} days "
                "ahead; say how they are read with --date-format, such as '%y%m%d', or name another column with "
                "--column=timestamp=COLUMN"
            )
        if options.kind is None and self._has_numbers and history.staging.all_numbers_are(DRAFT_NUMBERS):
            raise DoubtError(DRAFTS)
        first = next(iter(self._columns.values()), None)
        known = first.format if first else None
        kind = options.line or (known.line if known else None)
        if kind is None:
            kind = line_kind(history.staging, first, first.value_is) if first and self._has_numbers else "order"
        elif kind == "total" and options.line is None and known is not None and self._has_numbers:
            # An export of totals that has been edited may have been split by items all the same.
            kind = line_kind(history.staging, first, kind) if first else kind
        history.line = kind
        repeat = kind == "item" and "order" in plain(history.columns.get("refunded", ""))
        history.take_orders(lambda: Orders(kind, now=self._now, allowed=options.allowed, refunds_repeat=repeat))

    def _read_refunds(self) -> None:
        for row, error, customer in self._refunds.with_customers(self._history.staging):
            if customer is None:
                self._refuse(row, error)
                continue
            column = self._columns_of(tuple(row.values or ())).by_field["customer_id"]
            self._history.tally.lines -= 1
            self.read(Row(row.line, row.text, {**(row.values or {}), column: customer}))

    def _take(self, row: Row, values: Mapping[str, Any]) -> None:
        history = self._history
        if history.kind == "events":
            event = self._event(values)
            tally(history.tally.types, event.event_type)
            history.staging.add_event(event)
            return
        names = tuple(values)
        if history.kind == "orders":
            reader = self._readers_of(names)[0]
            try:
                line = reader.read(row, values, self._before)
            except NeverPlacedError:
                self._note_void(reader, row, values)
                raise
            except BadRowError:
                if self._totals.has(self._columns_of(names), values, reader.amount(values)):
                    raise NotCountedError(TOTALS) from None
                raise
            if is_amount_alone(self._columns_of(names), values):
                if self._totals.is_sum(line.value):
                    raise NotCountedError(TOTALS)
                history.tally.amounts_alone += 1
            self._take_lines([line])
            return
        columns = self._columns_of(names)
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

    def _readers_of(self, names: tuple[str, ...]) -> tuple[LineReader, BlockReader]:
        readers = self._lines.get(names)
        if readers is None:
            columns = self._columns_of(names)
            rules = self._rules(columns)
            rows = LineReader(columns, rules, self._history.tally.statuses)
            readers = self._lines[names] = rows, BlockReader(columns, rules, rows)
        return readers

    def _note_void(self, reader: LineReader, row: Row, values: Mapping[str, Any]) -> None:
        """Keep what names an order that never was one: an earlier file may have shown it as one."""
        with suppress(BadRowError):
            line = reader.void(row, values)
            if line.number:
                self._note_last(line)
                self._history.staging.add_lines([line])

    def _note_last(self, line: Line) -> None:
        if self._before is None or line.line > self._before.line:
            self._before = line

    def _take_lines(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        self._note_last(lines[-1])
        self._totals.add(lines)
        self._is_plausible = True
        self._has_numbers = self._has_numbers or any(line.number for line in lines)
        self._history.staging.add_lines(lines)

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
        system = columns.format.name if columns.format else ""
        assumed = "" if options.dates else survey.assumed_order(by_field.get("timestamp"), usual, system)
        if assumed and assumed not in self._history.notes:
            self._history.notes.append(assumed)
        return LineRules(
            now=self._now,
            allowed=options.allowed,
            whole_numbers=survey.whole_numbers,
            numbers=numbers,
            times=times,
            statuses=options.statuses,
            is_table=self._history.source.is_table,
            has_returns=survey.tells_returns(by_field.get("items_count")),
            zero_is_a_number=survey.zero_is_a_number(columns),
        )

    def _columns_of(self, names: tuple[str, ...]) -> Columns:
        history = self._history
        columns = self._columns.get(names)
        try:
            if columns is None:
                named: Mapping[str, str] = self._options.columns
                if history.source.is_json:
                    named = named_here(named, names)
                    self._absent -= {*names}
                columns = self._with_prices(names, find_columns(history.kind, names, named, self._survey.regions))
                lines = self._survey.first_lines.get(names)
                if missing := missing_fields(history.kind, names, columns, lines):
                    refused = Refused(history.source, history.kind, self._options, lines)
                    raise UnreadableFileError(refusal(refused, names, columns, missing))
                self._columns[names] = columns
                if not history.columns:
                    history.notes += also_possible(history.kind, names, columns)
                    history.notes += without_numbers(history.kind, names, columns, lines)
                    if history.kind == "orders" and self._options.kind is None:
                        history.notes += maybe_customers(names, columns)
                history.columns = dict(columns.by_field) | history.columns
        except UnreadableFileError as error:
            if not history.source.is_json:
                raise
            # In JSON each line has columns of its own: if none has those that are needed, the file is refused.
            self._refusal = self._refusal or error
            raise BadRowError(reason_of_line(error)) from None
        return columns

    def _with_prices(self, names: tuple[str, ...], columns: Columns) -> Columns:
        """Return the columns with the amount as a price of one piece, or not, as the values say. Raises DoubtError."""
        prices = self._survey.prices.get(names)
        if prices is None or self._options.line == "total":
            told = told_by_name(columns)
        else:
            decimal = self._options.decimal
            columns, told = decided(
                columns, prices, lambda field, name: self._survey.number_reader(field, name, decimal)
            )
        if told and told not in self._history.notes:
            self._history.notes.append(told)
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


def _sentence(errors: Sequence[FieldError]) -> str:
    return "; ".join(f"{error.field.removeprefix('data.')}: {error.message}" for error in errors)
