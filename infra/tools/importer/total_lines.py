"""Lines of totals, which reports and spreadsheets write below or between the orders: sums alone, and no orders."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from infra.tools.importer.cells import clean
from infra.tools.importer.columns import AMOUNTS, Columns
from infra.tools.importer.export_format import plain
from infra.tools.importer.joined_lines import HALF_A_CENT

TOTALS = "lines of totals"
# Of fewer lines an amount alone may be a further item of the same value.
_FEWEST = 2
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
        self._has_parts = False

    def add(self, values: Sequence[float | None]) -> None:
        """Take the values of lines of orders."""
        added = sum([value or 0.0 for value in values])
        self._lines += len(values)
        self._lines_of_part += len(values)
        self._sum += added
        self._sum_of_part += added

    def has(self, columns: Columns, values: Mapping[str, Any], amount: float | None) -> bool:
        """Return whether a row, which is no order, is a line of totals."""
        return is_called_total(columns, values) or (is_amount_alone(columns, values) and self.is_sum(amount))

    def is_sum(self, amount: float | None) -> bool:
        """Return whether an amount that stands alone is the sum of all lines above, or of those since the last sum."""
        fewest = 1 if self._has_parts else _FEWEST
        of_all = self._lines >= _FEWEST and _is_equal(amount, self._sum)
        of_part = self._lines_of_part >= fewest and _is_equal(amount, self._sum_of_part)
        if of_all or of_part:
            self._lines_of_part, self._sum_of_part = 0, 0.0
            self._has_parts = self._has_parts or of_part
        return of_all or of_part


def is_amount_alone(columns: Columns, values: Mapping[str, Any]) -> bool:
    """Return whether nothing but amounts is filled in a row."""
    amounts = _amounts(columns)
    return all(name in amounts or clean(value) is None for name, value in values.items())


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
