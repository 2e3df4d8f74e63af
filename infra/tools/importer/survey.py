"""The first reading of a file: what its columns say as a whole, before any cell is read."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from churn.domain.identifiers import stands_for_nobody
from infra.tools.importer.cells import clean, looks_like_a_whole_number, unwrapped
from infra.tools.importer.columns import AMOUNTS, TIMES, Columns, find_columns
from infra.tools.importer.events import CUSTOMER_COLUMNS, NUMBER_COLUMNS
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.formats import Kind
from infra.tools.importer.numbers import DecimalSign, NumberReader, NumberSurvey, currency_of
from infra.tools.importer.rows import Row
from infra.tools.importer.times import DateOrder, TimeReader, TimeSurvey

_IDENTIFIERS = ("customer_id", "order_id")
_MOST_CURRENCIES = 50
_AMOUNTS_LOOKED_AT = 1000


@dataclass(slots=True)
class Survey:
    """What the columns of a file say."""

    rows: int = 0
    numbers: dict[str, NumberSurvey] = field(default_factory=dict)
    times: dict[str, TimeSurvey] = field(default_factory=dict)
    identifiers: set[str] = field(default_factory=set)
    no_whole_numbers: set[str] = field(default_factory=set)
    currencies: Counter[str] = field(default_factory=Counter)

    @property
    def whole_numbers(self) -> frozenset[str]:
        """The columns of identifiers in which every text is a whole number, or stands for nobody."""
        return frozenset(self.identifiers - self.no_whole_numbers)

    def number_reader(self, name: str, column: str | None, decimal: DecimalSign | None) -> NumberReader:
        """Return the reader of a column's numbers. Raises DoubtError."""
        survey = self.numbers.get(column or "")
        if decimal is not None or survey is None:
            return NumberReader(name, decimal or ".")
        others = {sign for one in self.numbers.values() if len(one.decimal) == 1 for sign in one.decimal}
        return NumberReader(name, survey.sign(frozenset(others)))

    def time_reader(
        self, name: str, column: str | None, order: DateOrder | None, usual: DateOrder | None, date_format: str | None
    ) -> TimeReader:
        """Return the reader of a column's times. Raises DoubtError."""
        survey = self.times.get(column or "")
        if order is None and survey is not None and date_format is None:
            others = {
                other.order() for other in self.times.values() if bool(other.day_first) != bool(other.month_first)
            }
            order = survey.order(usual or (others.pop() if len(others) == 1 else None))
        return TimeReader(name, order=order or "dmy", date_format=date_format)


def look_through(rows: Iterable[Row], kind: Kind, named: Mapping[str, str], progress: Callable[[int], None]) -> Survey:
    """Return what the columns of a file's rows say."""
    survey = Survey()
    looks: dict[tuple[str, ...], list[tuple[str, Callable[[str], None]]]] = {}
    for row in rows:
        survey.rows += 1
        progress(survey.rows)
        values = row.values
        if values is None:
            continue
        names = tuple(values)
        if names not in looks:
            looks[names] = _looks(survey, kind, names, named)
        for column, look in looks[names]:
            cell = values[column]
            if isinstance(cell, str) and (text := cell.strip()):
                look(text)
    return survey


def _looks(
    survey: Survey, kind: Kind, names: tuple[str, ...], named: Mapping[str, str]
) -> list[tuple[str, Callable[[str], None]]]:
    """Return what to do with the texts of which columns."""
    if kind == "events":
        columns = Columns({})
        own = {name: name for name in names}
        by_field = {"timestamp": own["timestamp"]} if "timestamp" in own else {}
        amounts = [name for name in NUMBER_COLUMNS if name in own]
        ids = [name for name in CUSTOMER_COLUMNS if name in own]
    else:
        try:
            columns = find_columns(kind, names, named)
        except UnreadableFileError:
            # Whoever reads the rows says so.
            return []
        by_field = dict(columns.by_field)
        amounts = [by_field[name] for name in AMOUNTS if name in by_field]
        ids = [by_field[name] for name in _IDENTIFIERS if name in by_field]
    looks: list[tuple[str, Callable[[str], None]]] = []
    for column in ids:
        survey.identifiers.add(column)
        looks.append((column, _Identifiers(survey, column)))
    times = [by_field[name] for name in TIMES if name in by_field]
    looks += [(column, survey.numbers.setdefault(column, NumberSurvey(column)).add) for column in amounts]
    looks += [(column, survey.times.setdefault(column, TimeSurvey(column)).add) for column in times]
    if "currency" in by_field:
        looks.append((by_field["currency"], _Currencies(survey.currencies)))
    elif kind == "orders" and amounts:
        looks.append((amounts[0], _Signs(survey.currencies)))
    return looks


class _Identifiers:
    """Whether all identifiers of a column are whole numbers."""

    def __init__(self, survey: Survey, column: str) -> None:
        self._survey = survey
        self._column = column
        self._is_over = False

    def __call__(self, text: str) -> None:
        if self._is_over:
            return
        plain: Any = clean(unwrapped(text))
        if plain and not (looks_like_a_whole_number(plain) or stands_for_nobody(plain)):
            self._survey.no_whole_numbers.add(self._column)
            self._is_over = True


class _Currencies:
    """How often each currency of a column stands there."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts

    def __call__(self, text: str) -> None:
        name = text.upper()
        if name in self._counts or len(self._counts) < _MOST_CURRENCIES:
            self._counts[name] += 1


class _Signs:
    """The currencies that stand beside the first amounts of a column."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._left = _AMOUNTS_LOOKED_AT

    def __call__(self, text: str) -> None:
        if self._left:
            self._left -= 1
            if name := currency_of(text):
                self._counts[name] += 1
