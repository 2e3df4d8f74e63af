"""Blocks of a table become lines of orders column by column, which takes a fifth of the time of row by row.

Only what nothing is peculiar about is read so: rows without an empty cell for customer, time or value, whose order
counts. The lines are the very same as those of `infra.tools.importer.order_lines.LineReader`, which reads all others.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import repeat

from churn.domain.identifiers import MAX_ID_LENGTH, canonical
from churn.domain.values import MAX_AMOUNT
from infra.tools.importer.cells import discount, is_below_0, items_count
from infra.tools.importer.columns import FALLBACKS, Columns
from infra.tools.importer.faults import BadRowError
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.order_lines import LineReader, LineRules
from infra.tools.importer.rows import Block
from infra.tools.importer.staging import Line

_NEEDED = frozenset({"customer_id", "timestamp"})
_READ = _NEEDED | {*FALLBACKS, "order_value", "order_id", "items_count", "discount", "status", "currency", "product"}
_PLAIN_NUMBERS = re.compile(r"(?:\d+(?:\.\d+)?\n)*", re.ASCII)


class BlockReader:
    """The reader of blocks that have the same columns."""

    def __init__(self, columns: Columns, rules: LineRules, rows: LineReader) -> None:
        """`rows`: the reader of single rows with these columns."""
        fields, known = columns.by_field, columns.format
        self._full = [name for name in (*_NEEDED, "order_value") if name in fields]
        self._fields = fields
        self._rules = rules
        self._rows = rows
        # Without a column of values, each further line of a number goes on with the order before it.
        stand_alone = "order_value" in fields or "order_id" not in fields
        has_credits = known is not None and known.credit_numbers is not None
        self._may_read = stand_alone and not has_credits and _NEEDED <= fields.keys() <= _READ

    def read(self, block: Block) -> tuple[list[Line], Block] | None:
        """Return the lines of the rows whose orders count, and the rows whose status says something else.

        None if something else about one of them may be peculiar, so that all are read singly.
        """
        if not self._may_read or not all(all(self._cells(block, field)) for field in self._full):
            return None
        counting, rest = self._split(block)
        try:
            lines = self._lines(counting) if counting.lines else []
        except BadRowError:
            return None
        if lines is None:
            return None
        if "status" in self._fields:
            self._rows.count_statuses(Counter(self._cells(counting, "status")))
        self._rows.currencies.add_block(counting)
        return lines, rest

    def _split(self, block: Block) -> tuple[Block, Block]:
        if "status" not in self._fields:
            return block, block.those([])
        words = self._cells(block, "status")
        known = {word: self._rows.surely_counts(word) for word in set(words)}
        counting = [index for index, word in enumerate(words) if known[word]]
        if len(counting) == len(words):
            return block, block.those([])
        return block.those(counting), block.those([index for index, word in enumerate(words) if not known[word]])

    def _lines(self, block: Block) -> list[Line] | None:
        ats = self._rules.times["timestamp"].column(self._cells(block, "timestamp"))
        values: Sequence[float | None] = [None] * len(ats)
        if "order_value" in self._fields:
            values = amounts = _amounts(self._cells(block, "order_value"), self._rules.numbers["order_value"])
            if min(amounts) < 0 or max(amounts) > MAX_AMOUNT:
                return None
        if max(ats) > self._rows.latest:
            return None
        pairs = [self._rows.customer(cell) for cell in self._cells(block, "customer_id")]
        sent, numbers = self._numbers(block)
        rest = self._discounts(block), self._items(block), repeat(None), repeat(0.0), repeat(None)
        hashes = map(hash, block.texts)
        return [
            *map(
                Line,
                [customer for _, customer in pairs],
                numbers,
                block.lines,
                hashes,
                [sent_customer for sent_customer, _ in pairs],
                sent,
                ats,
                values,
                *rest,
            )
        ]

    def _cells(self, block: Block, field: str) -> list[str]:
        return [cell.strip() for cell in block.columns[self._fields[field]]]

    def _numbers(self, block: Block) -> tuple[Sequence[str], Sequence[str]]:
        """Return the orders' numbers as they were sent, and as they are compared."""
        if "order_id" not in self._fields:
            none = [""] * len(block.texts)
            return none, none
        cells = self._cells(block, "order_id")
        digits = "".join(cells)
        are_counts = digits.isascii() and digits.isdigit() and all(cell[:1] not in {"", "0"} for cell in cells)
        if are_counts and max(map(len, cells)) <= MAX_ID_LENGTH:
            # Nothing can be wrong with them.
            return cells, cells
        sent = [self._rows.number(cell or None) for cell in cells]
        return sent, [canonical(number) for number in sent]

    def _discounts(self, block: Block) -> Sequence[float | bool | None]:
        if "discount" not in self._fields:
            return [None] * len(block.texts)
        number = self._rules.numbers["discount"]
        return [discount(cell or None, number) for cell in self._cells(block, "discount")]

    def _items(self, block: Block) -> Sequence[int | None]:
        if "items_count" not in self._fields:
            return [None] * len(block.texts)
        cells = self._cells(block, "items_count")
        if any(map(is_below_0, cells)):
            raise BadRowError("items_count: is below 0")
        return [items_count(cell or None) for cell in cells]


def _amounts(cells: Sequence[str], number: NumberReader) -> list[float]:
    """Return the numbers in cells. Raises BadRowError."""
    if number.decimal == "." and _PLAIN_NUMBERS.fullmatch("\n".join(cells) + "\n"):
        return [*map(float, cells)]
    return [number(cell) for cell in cells]
