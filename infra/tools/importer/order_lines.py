"""Rows of orders become lines: who, when, how much, and whether it stood."""

from collections import Counter
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from churn.domain.events import MAX_FUTURE
from churn.domain.identifiers import canonical, stands_for_nobody
from churn.domain.timestamps import to_millis
from churn.domain.values import MAX_AMOUNT
from infra.tools.importer.cells import (
    cancellation,
    clean,
    customer_identifier,
    discount,
    identifier,
    is_below_0,
    items_count,
    paid_back,
)
from infra.tools.importer.columns import FALLBACKS, Columns
from infra.tools.importer.currencies import Currencies
from infra.tools.importer.export_format import plain
from infra.tools.importer.faults import (
    BadRowError,
    ImplausibleTimeError,
    NeverPlacedError,
    NobodyError,
    NotCountedError,
    RefundOfNobodyError,
)
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.rows import Row
from infra.tools.importer.staging import Line
from infra.tools.importer.statuses import STATUSES, StatusClass, plain_status
from infra.tools.importer.tallies import tally
from infra.tools.importer.times import TimeReader
from infra.tools.importer.zero_numbers import is_zero

_LONGEST_WORD = 200
_ONLY_SURVEYED = frozenset({"product", "currency"})
# Value, discount, items, cancellation, refund, and change of a line.
_NOTHING = (None, None, None, None, 0.0, None)
CONTINUATION = "further lines of an order whose own cells are empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRules:
    """How the cells of a file are read."""

    now: datetime
    allowed: Container[str]
    whole_numbers: Container[str]
    """Columns whose identifiers are all whole numbers."""
    numbers: Mapping[str, NumberReader]
    times: Mapping[str, TimeReader]
    statuses: Mapping[str, StatusClass]
    """The meaning of words that was given on the command line."""
    is_table: bool
    """Whether the file is one, which spreadsheets may have written."""
    has_returns: bool
    """Whether a line's total is of what came back where the quantity is below 0."""
    zero_is_a_number: bool
    """Whether 0 is the number of an order."""


@dataclass(slots=True)
class Statuses:
    """What lines of orders said of their state, currency and customer: how often each word, by what it means."""

    counts: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    """Of those that count, the words of orders from which nothing was subtracted."""
    guests: int = 0
    """Lines whose customer another column knows."""
    currencies: Counter[str] = field(default_factory=Counter)
    """Of lines that count."""


class LineReader:
    """The reader of rows that have the same columns."""

    def __init__(self, columns: Columns, rules: LineRules, statuses: Statuses) -> None:
        """Read fields from these columns."""
        self._columns = columns.by_field
        self._fields = tuple((name, column) for name, column in columns.by_field.items() if name not in _ONLY_SURVEYED)
        self._format = columns.format
        self._rules = rules
        self.latest = to_millis(rules.now + MAX_FUTURE)
        """Times after this are no orders' (milliseconds since 1970)."""
        self._statuses = statuses
        self._classes: dict[str, StatusClass | None] = {}
        self._emails = columns.customers_are_emails
        self._whole = {name: column in rules.whole_numbers for name, column in self._columns.items()}
        self._customers: dict[str, tuple[str, str]] = {}
        names = self._columns.keys()
        # What a file has no column for is not looked for in each row.
        self._has_status = not names.isdisjoint(("status", "status_of_order"))
        self._has_clock = not names.isdisjoint(("time_of_day", "time_zone"))
        self._fallbacks = [name for name in FALLBACKS if name in names]
        self._has_entries = "entry_type" in names and columns.format is not None
        self.currencies = Currencies(columns.by_field, statuses.currencies)

    def read(self, row: Row, values: Mapping[str, Any], before: Line | None) -> Line:
        """Return the line of a row; `before`: the line before it, whose order it may belong to.

        Raises BadRowError, NobodyError, NotCountedError; NeverPlacedError for a row that `void` is for.
        """
        cells = {name: clean(values.get(column)) for name, column in self._fields}
        has_no_value = cells.get("order_value") is None and cells.get("unit_price") is None
        sent_number = self.number(cells.get("order_id"))
        number = canonical(sent_number)
        if before is not None and _is_continued(cells, number, before, has_no_value=has_no_value):
            if has_no_value or before.is_void:
                raise NotCountedError(CONTINUATION)
            cells["customer_id"], cells["timestamp"] = before.sent_customer, None
            number, sent_number = before.number, before.sent_number
        # First what the entry is: the state of one that is no payment says nothing of orders.
        is_refund = self._has_entries and self._is_refund(cells)
        status = self._status(cells) if self._has_status else "counts"
        at = self._instant(cells, before if before is not None and number and number == before.number else None)
        gives_back = is_refund and self._gives_back(cells)
        if is_refund:
            sent_number, number = self._paid_back(cells, sent_number, gives_back=gives_back)
        sent_customer, customer = self.customer(cells.get("customer_id"), self._fallback(cells))
        cancelled_at = self._cancelled_at(cells, status, at)
        value, is_adjusted = self._value(cells, is_taken_back=cancelled_at is not None)
        # An adjusted amount is what was left.
        refunded = 0.0 if is_adjusted else paid_back(cells.get("refunded"), self._rules.numbers["refunded"], value)
        word = cells.get("status") or cells.get("status_of_order")
        if word is not None and not refunded and cancelled_at is None:
            tally(self._statuses.whole, str(word)[:80])
        if value is None:
            if is_refund:
                raise BadRowError("order_value: is empty, of a refund")
            # Of a value that is not known, nothing can be subtracted.
            refunded = 0.0
        else:
            if is_refund:
                value, refunded = 0.0, _refunded(cells, value, gives_back=gives_back)
            value, cancelled_at = self._signed(value, number, at, cancelled_at)
        line = Line(
            customer,
            number,
            row.line,
            hash(row.text),
            sent_customer,
            sent_number,
            at,
            value,
            discount(cells.get("discount"), self._rules.numbers["discount"]) if "discount" in cells else None,
            items_count(cells["items_count"]) if "items_count" in cells else None,
            cancelled_at,
            refunded,
            self._updated_at(cells),
        )
        if cancelled_at is None:
            self.currencies.add(values)
        return line

    def _gives_back(self, cells: Mapping[str, Any]) -> bool:
        """Return whether an entry gives back again what another has taken of an order."""
        types = self._format.returned_types if self._format else None
        return (
            types is not None
            and types.fullmatch(str(cells.get("entry_type"))) is not None
            and cells.get("order_value") is not None
            and self._rules.numbers["order_value"](cells["order_value"]) > 0
        )

    def _paid_back(self, cells: dict[str, Any], sent_number: str, *, gives_back: bool) -> tuple[str, str]:
        """Return the number of the order that an entry pays back, as sent and as compared; its customer is the entry's.

        `gives_back`: the money comes from the customer again, or from whoever holds it for them.

        Raises RefundOfNobodyError.
        """
        sent_number = self.number(cells.get("refund_of")) or sent_number
        number = canonical(sent_number)
        if not gives_back:
            cells["customer_id"] = cells.get("refund_customer") or cells.get("customer_id")
        if number and cells["customer_id"] is None and (gives_back or self._fallback(cells) is None):
            raise RefundOfNobodyError(number)
        return sent_number, number

    def void(self, row: Row, values: Mapping[str, Any]) -> Line:
        """Return the line of a row that says that it never was an order. Raises BadRowError, NobodyError."""
        cells = {name: clean(values.get(column)) for name, column in self._fields}
        sent_number = self.number(cells.get("order_id"))
        sent_customer, customer = self.customer(cells.get("customer_id"), self._fallback(cells))
        blank = Line(customer, canonical(sent_number), row.line, 0, sent_customer, sent_number, 0, *_NOTHING)
        return blank._replace(updated_at=self._updated_at(cells), is_void=True)

    def _signed(self, value: float, number: str, at: int, cancelled_at: int | None) -> tuple[float, int | None]:
        """Return a value and the cancellation of its line, which a negative value may be one of.

        Raises BadRowError, NotCountedError.
        """
        if self._format and self._format.credit_numbers and self._format.credit_numbers.fullmatch(number):
            cancelled_at = at if value < 0 else cancelled_at
        if value < 0 and not number and cancelled_at is None:
            raise NotCountedError("negative amounts without an order's number (credit notes, refunds)")
        if abs(value) > MAX_AMOUNT:
            raise BadRowError(f"order_value: must be between 0 and {MAX_AMOUNT:,.0f}")
        return value, cancelled_at

    def number(self, cell: Any) -> str:
        """Return an order's number as it was sent; what tools write where there is none joins no lines."""
        if cell is None:
            return ""
        text = identifier(
            cell, "order_id", is_whole_number=self._whole.get("order_id", False), is_table=self._rules.is_table
        )
        is_none = stands_for_nobody(text) and not (self._rules.zero_is_a_number and is_zero(text))
        return "" if is_none else text

    def _status(self, cells: Mapping[str, Any]) -> StatusClass:
        """Return what the words for the state say, of the line or of its order: what takes back counts before others.

        Raises NeverPlacedError.
        """
        never, kinds = "", set()
        for word in (cells.get("status"), cells.get("status_of_order")):
            if word is None:
                continue
            text = str(word)
            tally(self._statuses.counts, text[:80])
            kind = self._class_of(text)
            kinds.add(kind)
            if kind is None:
                tally(self._statuses.unknown, text[:80])
            never = never or (text if kind == "never" else "")
        if "cancelled" in kinds:
            return "cancelled"
        if never:
            raise NeverPlacedError(f"never an order: status {never[:40]!r}")
        return "counts"

    def surely_counts(self, word: str) -> bool:
        """Return whether an order with this word for its state counts, and the word is known."""
        return not word or self._class_of(word) == "counts"

    def count_statuses(self, words: Counter[str]) -> None:
        """Count the words for the states of orders that count."""
        for word, count in words.items():
            if word:
                tally(self._statuses.counts, word[:80], count)
                tally(self._statuses.whole, word[:80], count)

    def _class_of(self, text: str) -> StatusClass | None:
        text = text[:_LONGEST_WORD]
        if text not in self._classes:
            word = plain_status(text)
            of_format = self._format.statuses if self._format else {}
            kind = self._rules.statuses.get(word) or of_format.get(word) or STATUSES.get(word)
            if len(self._classes) > 10_000:
                self._classes.clear()
            self._classes[text] = kind
        return self._classes[text]

    def _instant(self, cells: Mapping[str, Any], before: Line | None) -> int:
        cell = cells.get("timestamp")
        cell = cells.get("timestamp_else") if cell is None else cell
        if cell is None and before is not None and cells.get("customer_id") == before.sent_customer:
            return before.at
        if not self._has_clock:
            return self._in_time(self._rules.times["timestamp"](cell))
        clock = cells.get("time_of_day")
        if clock is not None and isinstance(cell, str) and ":" not in cell:
            cell = f"{cell} {clock}"
        elif clock is not None and isinstance(cell, datetime):
            cell = f"{cell.date()} {clock}"
        return self._in_time(self._rules.times["timestamp"](cell, str(cells.get("time_zone") or "")))

    def _in_time(self, at: int) -> int:
        if at > self.latest:
            raise ImplausibleTimeError(f"timestamp: is more than {MAX_FUTURE.days} days ahead")
        return at

    def _is_refund(self, cells: Mapping[str, Any]) -> bool:
        """Return whether an entry pays an order back. Raises NotCountedError if it is no payment at all."""
        kind, known = cells.get("entry_type"), self._format
        if kind is None or known is None:
            return False
        if str(cells.get("balance_impact")).casefold() == "memo":
            raise NotCountedError(f"moves no money: {str(kind)[:40]!r}")
        if known.refund_types and known.refund_types.fullmatch(str(kind)):
            if "refund_of" in self._columns and cells.get("refund_of") is None:
                raise NotCountedError("refunds that name no order")
            return True
        if known.ignored_types and known.ignored_types.fullmatch(str(kind)):
            raise NotCountedError(f"no payment: {str(kind)[:40]!r}")
        if known.ignored_types and str(cells.get("order_value") or "").lstrip("(").startswith(("-", "\u2212")):
            raise NotCountedError(f"money that was paid out: {str(kind)[:40]!r}")
        return False

    def customer(self, cell: Any, fallback: Any = None) -> tuple[str, str]:
        """Return a customer's identifier as it was sent, and as it is compared. Raises BadRowError, NobodyError."""
        known = self._customers.get(cell) if isinstance(cell, str) else None
        if known is not None:
            return known
        try:
            text = self._identifier(cell, is_whole_number=self._whole["customer_id"])
        except (BadRowError, NobodyError) as error:
            if fallback is None or not (cell is None or isinstance(error, NobodyError)):
                raise
            text = self._identifier(fallback, is_whole_number=False)
            text = text.lower() if "@" in text else text
            self._statuses.guests += 1
            return text, canonical(text)
        pair = text, canonical(text)
        if isinstance(cell, str) and len(self._customers) < 50_000:
            self._customers[cell] = pair
        return pair

    def _identifier(self, cell: Any, *, is_whole_number: bool) -> str:
        rules = self._rules
        text = customer_identifier(
            cell, is_whole_number=is_whole_number, allowed=rules.allowed, is_table=rules.is_table
        )
        return text.lower() if self._emails else text

    def _fallback(self, cells: Mapping[str, Any]) -> Any:
        return next((cell for name in self._fallbacks if (cell := cells.get(name)) is not None), None)

    def _cancelled_at(self, cells: Mapping[str, Any], status: StatusClass, at: int) -> int | None:
        cell = cells.get("cancelled")
        if cell is not None:
            kind = self._class_of(cell) if isinstance(cell, str) else None
            if kind == "never":
                raise NeverPlacedError(f"never an order: {cell[:40]!r}")
            if kind == "cancelled":
                return at
            if kind is None and not ("status" in plain(self._columns["cancelled"]) and isinstance(cell, str)):
                cancelled_at = cancellation(cell, at, self._rules.times["cancelled"])
                if cancelled_at is not None:
                    return cancelled_at
        return at if status == "cancelled" else None

    def _value(self, cells: Mapping[str, Any], *, is_taken_back: bool) -> tuple[float | None, bool]:
        """Return the value of a line, None where the file does not tell it, and whether it is an adjusted one."""
        numbers = self._rules.numbers
        if cells.get("order_value") is None and cells.get("unit_price") is None:
            # What was cancelled before it was paid has no price.
            return (0.0 if is_taken_back and "order_value" in cells else None), False
        if "order_value" in cells:
            value = numbers["order_value"](cells["order_value"])
            adjusted = cells.get("adjusted")
            if adjusted is not None and 0 < numbers["adjusted"](adjusted) < value:
                return numbers["adjusted"](adjusted), True
            came_back = value > 0 and self._rules.has_returns and is_below_0(cells.get("items_count"))
            return (-value if came_back else value), False
        quantity = numbers["items_count"](cells["items_count"]) if "items_count" in cells else 1.0
        return numbers["unit_price"](cells["unit_price"]) * quantity, False

    def amount(self, values: Mapping[str, Any]) -> float | None:
        """Return the amount in a row, whatever else is in it; None if there is none that can be read."""
        cell = clean(values.get(self._columns.get("order_value", "")))
        with suppress(BadRowError):
            return None if cell is None else self._rules.numbers["order_value"](cell)
        return None

    def _updated_at(self, cells: Mapping[str, Any]) -> int | None:
        cell = cells.get("updated_at")
        return None if cell is None else self._rules.times["updated_at"](cell)


def _refunded(cells: Mapping[str, Any], value: float, *, gives_back: bool) -> float:
    """Return what an entry pays back, which is below 0 where it gives back again. Raises NotCountedError."""
    if value > 0 and not gives_back:
        raise NotCountedError(f"money that came back: {str(cells.get('entry_type'))[:40]!r}")
    return -value


def _is_continued(cells: Mapping[str, Any], number: str, before: Line, *, has_no_value: bool) -> bool:
    """Return whether a row goes on with the order before it: its order's cells are empty."""
    is_same = bool(number) and number == before.number and all(cells.get(name) is None for name in FALLBACKS)
    has_no_order = cells.get("customer_id") is None and (cells.get("timestamp") is None or is_same)
    if not (has_no_value or has_no_order):
        return False
    return number == before.number if number else has_no_order and bool(before.number)
