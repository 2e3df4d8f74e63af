"""Lines whose order number is 0: that of an order, where numbers begin there, or what tools write where there is none.

The number is an order's where other numbers are as low, and several lines with it are of one customer and stand
together. A single line is an order of its own in both readings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from infra.tools.importer.cells import clean
from infra.tools.importer.columns import Columns
from infra.tools.importer.rows import Block

_FIRST_NUMBERS = frozenset("123456789")
# To tell one from several, so many are enough.
_SEVERAL = 2


def is_zero(text: str) -> bool:
    """Return whether a text writes 0."""
    return text[:1] == "0" and not text.strip("0.") and text.count(".") <= 1


@dataclass(slots=True)
class ZeroNumbers:
    """What the lines with the number 0 have in common."""

    columns: tuple[str, str, str]
    """Those of number, customer and time."""
    lines: int = 0
    _customers: set[str] = field(default_factory=set)
    _times: set[str] = field(default_factory=set)
    _groups: int = 0
    """How often such lines stand together."""
    _was_zero: bool = False
    _begins_low: bool = False

    @classmethod
    def of(cls, columns: Columns) -> Self | None:
        """Return where a file's lines go; None where there is no number."""
        fields = columns.by_field
        if not {"order_id", "customer_id", "timestamp"} <= fields.keys():
            return None
        return cls((fields["order_id"], fields["customer_id"], fields["timestamp"]))

    def add(self, values: Mapping[str, Any]) -> None:
        """Take a line."""
        number, customer, time = (clean(values.get(column)) for column in self.columns)
        text = str(number)
        self._begins_low = self._begins_low or text.removesuffix(".0") in _FIRST_NUMBERS
        if not is_zero(text):
            self._was_zero = False
            return
        self.lines += 1
        self._groups += not self._was_zero
        self._was_zero = True
        for cell, seen in ((customer, self._customers), (time, self._times)):
            # Further lines of an order may have neither.
            if cell is not None and len(seen) < _SEVERAL:
                seen.add(str(cell))

    def add_block(self, block: Block) -> None:
        """Take many lines."""
        cells = block.columns[self.columns[0]]
        different = {*cells}
        self._begins_low = self._begins_low or not _FIRST_NUMBERS.isdisjoint(different)
        if not any(is_zero(text) for text in map(str.strip, different)):
            self._was_zero = False
            return
        for row in zip(*(block.columns[column] for column in self.columns), strict=True):
            self.add(dict(zip(self.columns, row, strict=True)))

    @property
    def is_an_order(self) -> bool:
        """Whether 0 is the number of an order."""
        is_one = len(self._customers) == 1 and (len(self._times) == 1 or self._groups == 1)
        return self._begins_low and self.lines > 1 and is_one

    def told(self) -> str:
        """Return what is to be told of such lines, empty if there are none."""
        if not self.lines:
            return ""
        if self.is_an_order:
            return (
                f"0 is read as the number of an order: its {self.lines:,} lines are of one customer, and stand together"
            )
        have, each = ("line has", "it") if self.lines == 1 else ("lines have", "each")
        return (
            f"WARNING: {self.lines:,} {have} the order number 0, which stands for none: {each} is an order of its own; "
            "if 0 is the number of an order, give it another in the file"
        )
