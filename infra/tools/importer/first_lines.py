"""The first lines of a file whose columns are not all known: cells refute columns that only sound right."""

import re
from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from infra.tools.importer.cells import clean, said
from infra.tools.importer.faults import BadRowError
from infra.tools.importer.numbers import NumberReader, NumberSurvey
from infra.tools.importer.rows import Block
from infra.tools.importer.scripts import with_ascii_digits
from infra.tools.importer.statuses import STATUSES, plain_status
from infra.tools.importer.times import TimeReader

_MOST_LINES = 1000
_MOSTLY = 0.8
_SOME = 0.2
_HALF = 0.5
_MILLIS_OF_A_DAY = 86_400_000
# A number, or a count of days or seconds, rather than a date that is written out.
_BARE_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?", re.ASCII)
_DECIMALS = re.compile(r"\d[.,]\d{2}(?!\d)", re.ASCII)
# A time of day alone is no date.
_CLOCK = re.compile(r"\d{1,2}[:.h]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?(?:\s*[ap]\.?m\.?|\s*uhr)?", re.ASCII | re.IGNORECASE)
_DIGIT_GROUP = re.compile(r"\d+", re.ASCII)
# So few different words on so many lines are of kinds rather than of persons.
_FEW_WORDS = 5
_MANY_LINES = 50
# Few lines are of more pieces.
_MOST_PIECES = 1000
# By fewer lines, one person with one order number proves nothing.
_ENOUGH_LINES = 10


@dataclass(slots=True)
class FirstLines:
    """The first lines of a file that have the same columns."""

    columns: Mapping[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    """The cells of each, None for an empty one."""
    lines: int = 0

    def add(self, values: Mapping[str, Any]) -> None:
        """Take a line."""
        if self.lines < _MOST_LINES:
            self.lines += 1
            for name, cell in values.items():
                self.columns[name].append(clean(cell))

    def add_block(self, block: Block) -> None:
        """Take many lines."""
        left = _MOST_LINES - self.lines
        if left > 0:
            self.lines += min(left, len(block.lines))
            for name, cells in block.columns.items():
                self.columns[name] += map(clean, islice(cells, left))

    def fits(self, name: str, column: str, known: Mapping[str, str]) -> bool:
        """Return whether the cells of a column may be those of a field called `name`.

        `known`: the columns of other fields, by field.
        """
        cells = [cell for cell in self.columns.get(column, ()) if cell is not None]
        if not self.lines:
            return True
        if name == "order_id":
            return _are_numbers_of_orders(cells, self.lines) and not self._is_shared(column, known)
        if name == "refunded" and not self._is_of_values(column, known.get("order_value")):
            return False
        return (bool(cells) or name in _MAY_BE_EMPTY) and _FITS[name](cells)

    def only_times(self, taken: Sequence[str]) -> str | None:
        """Return the only column whose cells are dates that are written out; None if there are several, or none."""
        return self._only(_are_written_times, taken)

    def only_addresses(self, taken: Sequence[str]) -> str | None:
        """Return the only column whose cells are e-mail addresses; None if there are several, or none."""
        return self._only(lambda cells: _share(_is_address, cells) >= _MOSTLY, taken)

    def counts(self, taken: Container[object]) -> list[str]:
        """Return the columns that may be of quantities: small whole numbers, not all of them 1."""
        return [name for name, cells in self.columns.items() if name not in taken and _are_counts(cells)]

    def number_reader(self, name: str, column: str) -> NumberReader:
        """Return the reader of a column's numbers. Raises DoubtError."""
        survey = NumberSurvey(column)
        survey.add_column([cell for cell in self.columns[column] if isinstance(cell, str)])
        return NumberReader(name, survey.sign(frozenset()))

    def grouped_by(self) -> str:
        """Return an example of lines with nothing but one cell, below which lines have none in its column.

        Empty where the lines are not grouped so, as reports are.
        """
        first, *others = self.columns.values() or [[]]
        alone = [
            all(column[index] is None for column in others) if cell is not None else None
            for index, cell in enumerate(first)
        ]
        heads = [
            str(first[index])
            for index, is_alone in enumerate(alone[:-1])
            if is_alone and alone[index + 1] is None and others
        ]
        return heads[0] if heads and alone.count(None) >= _HALF * len(alone) - 1 and self.lines > 1 else ""

    def _is_of_values(self, column: str, values: str | None) -> bool:
        """Return whether a column may be paid back of the values: not if it stands beside none above 0, or counts."""
        cells = self.columns[column]
        beside = self.columns.get(values or "", cells)
        found = [
            (cell, value) for cell, value in zip(cells, beside, strict=False) if cell is not None and _number(cell)
        ]
        if any((_number(value) or 0) <= 0 for _, value in found):
            return False
        are_decimals = _share(_has_decimals, [value for value in beside if value is not None]) >= _HALF
        return not (found and are_decimals) or any(_has_decimals(cell) or _says(cell) for cell, _ in found)

    def _only(self, are_so: Callable[[Sequence[Any]], bool], taken: Sequence[str]) -> str | None:
        found = [
            name
            for name, cells in self.columns.items()
            if name not in taken and any(cell is not None for cell in cells)
            if are_so([cell for cell in cells if cell is not None])
        ]
        return found[0] if len(found) == 1 else None

    def _is_shared(self, column: str, known: Mapping[str, str]) -> bool:
        """Return whether lines with the same cell are of several customers or days: it is no order's number then."""
        numbers = self.columns[column]
        nothing: list[Any] = [None] * self.lines
        customers = self.columns.get(known.get("customer_id", ""), nothing)
        times = self.columns.get(known.get("timestamp", ""), nothing)
        whose: dict[Any, set[Any]] = defaultdict(set)
        when: dict[Any, set[Any]] = defaultdict(set)
        what: dict[Any, set[Any]] = defaultdict(set)
        for number, customer, time in zip(numbers, customers, times, strict=False):
            if number is None:
                continue
            if customer is not None:
                whose[str(number)].add(str(customer))
                what[str(customer)].add(str(number))
            if (day := _day(time)) is not None:
                when[str(number)].add(day)
        of_several = sum(len(found) > 1 for found in whose.values())
        on_days = sum(len(found) > 1 for found in when.values())
        if of_several > _SOME * len(whose):
            return True
        are_names = _share(_has_digits, [number for number in numbers if number is not None]) < _HALF
        is_of_a_person = len(numbers) >= _ENOUGH_LINES and all(len(found) == 1 for found in what.values())
        return on_days > _SOME * len(when) and (are_names or is_of_a_person)


def is_value(text: str) -> bool:
    """Return whether the name of a column is none, but a time or an amount: the file has no header."""
    return _is_written_time(text) or _number(text) is not None or _is_address(text)


def _share(is_so: Callable[[Any], bool], cells: Sequence[Any]) -> float:
    return sum(map(is_so, cells)) / len(cells) if cells else 0.0


def _instant(cell: Any) -> int | None:
    for reader in _TIME_READERS:
        with suppress(BadRowError):
            return reader(cell)
    return None


def _day(cell: Any) -> int | None:
    instant = None if cell is None else _instant(cell)
    return None if instant is None else instant // _MILLIS_OF_A_DAY


def _number(cell: Any) -> float | None:
    for reader in _NUMBER_READERS:
        with suppress(BadRowError):
            return reader(cell)
    return None


def _is_address(cell: Any) -> bool:
    return isinstance(cell, str) and "@" in cell


def _has_digits(cell: Any) -> bool:
    return not isinstance(cell, str) or any(map(str.isdigit, cell))


def _is_written_time(cell: Any) -> bool:
    """Return whether a cell is a date that is written out, also in a form that is not known."""
    if isinstance(cell, date):
        return True
    if not isinstance(cell, str) or _number(cell) is not None:
        return False
    return _instant(cell) is not None


def _may_be_a_time(cell: Any) -> bool:
    if _instant(cell) is not None:
        return True
    if not isinstance(cell, str):
        return False
    # Forms of times that are not known have a day, or an hour, beside a year.
    text = with_ascii_digits(cell)
    is_other = _number(cell) is not None or _is_address(cell) or _CLOCK.fullmatch(text.strip()) is not None
    return not is_other and len(_DIGIT_GROUP.findall(text)) > 1


def _are_written_times(cells: Sequence[Any]) -> bool:
    return _share(_is_written_time, cells) >= _MOSTLY


def _is_amount(cell: Any) -> bool:
    return _number(cell) is not None


def _has_decimals(cell: Any) -> bool:
    is_float = isinstance(cell, float) and not cell.is_integer()
    return is_float or (isinstance(cell, str) and _DECIMALS.search(cell) is not None and _is_amount(cell))


def _says(cell: Any) -> bool:
    """Return whether a cell is a yes or a no in words."""
    return isinstance(cell, bool) or (not _has_digits(cell) and said(cell) is not None)


def _are_amounts(cells: Sequence[Any]) -> bool:
    return _share(_is_amount, cells) >= _MOSTLY and any((_number(cell) or 0) > 0 for cell in cells)


def _are_customers(cells: Sequence[Any]) -> bool:
    words: set[Hashable] = {str(cell) for cell in cells}
    are_kinds = len(cells) >= _MANY_LINES and len(words) <= _FEW_WORDS and not any(map(_has_digits, cells))
    is_other = any(_share(is_so, cells) >= _MOSTLY for is_so in (_is_written_time, _has_decimals, _says))
    return not is_other and (not are_kinds or any(map(_is_address, cells)))


def _are_numbers_of_orders(cells: Sequence[Any], lines: int) -> bool:
    if len(cells) < _HALF * lines:
        return False
    refuting: tuple[Callable[[Any], bool], ...] = (
        _is_written_time,
        _has_decimals,
        _says,
        _is_address,
        # A name, or a sentence.
        lambda cell: not _has_digits(cell) and " " in str(cell),
    )
    return all(_share(is_so, cells) < _HALF for is_so in refuting)


def _are_counts(cells: Sequence[Any]) -> bool:
    numbers = [_number(cell) for cell in cells if cell is not None and not _has_decimals(cell)]
    found = {number for number in numbers if number is not None and number % 1 == 0 and 0 < number <= _MOST_PIECES}
    return len(numbers) > _HALF * len(cells) and found == {*numbers} and found != {1.0}


def _are_states(cells: Sequence[Any]) -> bool:
    return _share(lambda cell: isinstance(cell, str) and plain_status(cell) in STATUSES, cells) >= _SOME


def _are_refunds(cells: Sequence[Any]) -> bool:
    return not cells or _share(lambda cell: _is_amount(cell) or said(cell) is not None, cells) >= _MOSTLY


_TIME_READERS = [TimeReader("timestamp", order=order) for order in ("dmy", "mdy")]
_NUMBER_READERS = [NumberReader("amount", sign) for sign in (".", ",")]
_FITS: Mapping[str, Callable[[Sequence[Any]], bool]] = {
    "customer_id": _are_customers,
    "timestamp": lambda cells: _share(_may_be_a_time, cells) >= _MOSTLY,
    "order_value": _are_amounts,
    "unit_price": _are_amounts,
    "product": lambda cells: not _are_written_times(cells),
    "items_count": lambda cells: _share(_is_amount, cells) >= _MOSTLY,
    "status": _are_states,
    "refunded": _are_refunds,
}
_MAY_BE_EMPTY = frozenset({"refunded"})
