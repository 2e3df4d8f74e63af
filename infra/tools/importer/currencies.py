"""The currencies of amounts that count: of orders and refunds, not of entries that are no payments."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from infra.tools.importer.columns import AMOUNTS
from infra.tools.importer.numbers import currency_of
from infra.tools.importer.rows import Block

_MOST_CURRENCIES = 50
_AMOUNTS_LOOKED_AT = 1000
_WITHIN = ("currency", "currencyCode", "currency_code", "currencycode")


class Currencies:
    """How often each currency stands beside amounts: in a column of its own, else beside the first amounts."""

    def __init__(self, columns: Mapping[str, str], counts: Counter[str]) -> None:
        """`columns`: those of a file by field."""
        amount = next((columns[name] for name in AMOUNTS if name in columns), None)
        self._column = columns.get("currency", amount)
        self._is_named = "currency" in columns
        self._counts = counts
        self._left = _AMOUNTS_LOOKED_AT
        # Of an object of an amount and its currency, as `infra.tools.importer.json_rows.flat` names them.
        within = "" if amount is None or self._is_named else amount.removesuffix(".amount").removesuffix(".value")
        self._within = [f"{within}.{name}" for name in _WITHIN] if within else []

    def add(self, values: Mapping[str, Any]) -> None:
        """Take a row that counts."""
        for name in self._within:
            if isinstance(code := values.get(name), str) and code.strip():
                self._count(Counter([code.strip()]))
                return
        cell = values.get(self._column) if self._column is not None else None
        if isinstance(cell, str) and (text := cell.strip()):
            self._add([text])

    def add_block(self, block: Block) -> None:
        """Take rows that count."""
        if self._column is not None and (self._is_named or self._left):
            self._add([text for cell in block.columns[self._column] if (text := cell.strip())])

    def _add(self, texts: Sequence[str]) -> None:
        if self._is_named:
            names = Counter(texts)
        else:
            looked_at = texts[: self._left]
            self._left -= len(looked_at)
            names = Counter(filter(None, map(currency_of, looked_at)))
        self._count(names)

    def _count(self, names: Counter[str]) -> None:
        for text, times in names.items():
            name = text.upper()
            if name in self._counts or len(self._counts) < _MOST_CURRENCIES:
                self._counts[name] += times
