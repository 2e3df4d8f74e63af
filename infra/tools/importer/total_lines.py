"""Lines of totals, which reports and spreadsheets write below or between the orders: sums alone, and no orders."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from infra.tools.importer.cells import clean
from infra.tools.importer.columns import AMOUNTS, FALLBACKS, Columns
from infra.tools.importer.export_format import plain
from infra.tools.importer.joined_lines import HALF_A_CENT
from infra.tools.importer.staging import Line

TOTALS = "lines of totals"
# Of fewer lines an amount alone may be a further item of the same value.
_FEWEST = 2
# Another number, as a sum of taxes or the number of a line, or the code of a currency.
_BESIDE_SUMS = re.compile(r"\D{0,3}[\d.,' ]+\D{0,3}|[A-Z]{3}|[\u20ac$\u00a3]")
_WORDS = frozenset(
    {
        *("total", "totals", "grandtotal", "subtotal", "sum", "gesamt", "gesamtsumme", "summe", "zwischensumme"),
        *("soustotal", "totalgeneral", "sommetotale", "suma", "sumatotal", "totale", "totalegenerale", "subtotale"),
        *("totaal", "subtotaal", "eindtotaal", "totalgeral", "soma", "razem", "suma", "ogolem"),
    }
)


def is_total_word(text: str) -> bool:
    """Return whether a text is what a line of totals is called."""
    return plain(text) in _WORDS


class TotalLines:
    """Tells lines of totals from further items of an order, both of which may be amounts alone."""

    def __init__(self) -> None:
        """Begin above the first line."""
        self._lines = self._lines_of_part = 0
        self._sum = self._sum_of_part = 0.0
        self._first_number: str | None = None
        """Of the part: lines of one order go on with it, and their sum may be that of a further item."""
        self._has_several = self._has_parts = False

    def add(self, lines: Sequence[Line]) -> None:
        """Take lines of orders."""
        added = sum([line.value or 0.0 for line in lines])
        self._lines += len(lines)
        self._lines_of_part += len(lines)
        self._sum += added
        self._sum_of_part += added
        if self._first_number is None:
            self._first_number = lines[0].number
        self._has_several = self._has_several or not self._first_number or lines[-1].number != self._first_number

    def has(self, columns: Columns, values: Mapping[str, Any], amount: float | None) -> bool:
        """Return whether a row, which is no order, is a line of totals."""
        return is_called_total(columns, values) or (is_amount_alone(columns, values) and self.is_sum(amount))

    def is_sum(self, amount: float | None) -> bool:
        """Return whether an amount that stands alone is the sum of all lines above, or of those since the last sum."""
        fewest = 1 if self._has_parts else _FEWEST
        is_part = self._lines_of_part >= fewest and (self._has_several or self._has_parts)
        of_all = self._lines >= _FEWEST and (is_part or self._has_parts) and _is_equal(amount, self._sum)
        of_part = is_part and _is_equal(amount, self._sum_of_part)
        if of_all or of_part:
            self._lines_of_part, self._sum_of_part = 0, 0.0
            self._first_number, self._has_several = None, False
            self._has_parts = self._has_parts or of_part
        return of_all or of_part


def is_amount_alone(columns: Columns, values: Mapping[str, Any]) -> bool:
    """Return whether a row has amounts, other numbers and a currency at most, and says nothing of an order or item."""
    fields = columns.by_field
    own = ("customer_id", "timestamp", "order_id", "product", *FALLBACKS)
    # Of nearly each row the first of these tells.
    if any(clean(values.get(fields[name])) is not None for name in own if name in fields):
        return False
    amounts = _amounts(columns)
    others = (clean(value) for name, value in values.items() if name not in amounts)
    return all(cell is None or _is_beside_sums(cell) for cell in others)


def _is_beside_sums(cell: Any) -> bool:
    return not isinstance(cell, str) or _BESIDE_SUMS.fullmatch(cell) is not None


def is_called_total(columns: Columns, values: Mapping[str, Any]) -> bool:
    """Return whether a row without a time has amounts, and a word that says what they are."""
    if clean(values.get(columns.by_field["timestamp"])) is not None:
        return False
    amounts = _amounts(columns)
    others = [cell for name, value in values.items() if name not in amounts and (cell := clean(value)) is not None]
    return bool(others) and all(is_total_word(str(cell)) for cell in others)


def _amounts(columns: Columns) -> set[str]:
    return {columns.by_field[field] for field in AMOUNTS if field in columns.by_field}


def _is_equal(amount: float | None, whole: float) -> bool:
    return amount is not None and math.isclose(amount, whole, rel_tol=1e-9, abs_tol=HALF_A_CENT)
