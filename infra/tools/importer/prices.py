"""Whether amounts beside a quantity are prices of one piece or totals of lines: the values of a file tell.

Of a product that is bought in different quantities the price of one piece stays the same, and the total of a line goes
with the quantity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infra.tools.importer.cells import clean
from infra.tools.importer.columns import Columns
from infra.tools.importer.export_format import LineKind, plain
from infra.tools.importer.faults import BadRowError, DoubtError
from infra.tools.importer.line_sums import LineSums, Reader
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.rows import Block

_MOST_LOOKED_AT = 20_000
_LONGEST = 100
# Among so many pairs of lines, nearly all of which say the same, a chance is ruled out.
_ENOUGH = 3
_NEARLY_ALL = 0.9
_HALF_A_CENT = 0.005
_PIECE_NAMES = frozenset({"unitprice", "priceperunit", "priceeach", "unitcost", "priceperpiece"})


@dataclass(slots=True)
class Prices:
    """The first lines of a file with a quantity and an amount, and with a product or a price of one piece."""

    quantity: str
    amount: str
    product: str | None
    sums: LineSums | None
    """Where `amount` stands beside the price of one piece."""
    lines: list[tuple[Any, Any, Any]] = field(default_factory=list)
    """Product, quantity and amount of each."""

    @classmethod
    def of(cls, columns: Columns) -> "Prices | None":
        """Return where a file's lines go; None where the columns, or whoever named them, leave nothing to decide."""
        fields = columns.by_field
        amount = fields.get("order_value") or fields.get("unit_price")
        if columns.format or amount is None or not {"order_value", "unit_price"}.isdisjoint(columns.named):
            return None
        sums = LineSums.of(columns)
        if "items_count" not in fields or ("product" not in fields and sums is None):
            return None
        return cls(fields["items_count"], amount, fields.get("product"), sums)

    def add(self, values: Mapping[str, Any]) -> None:
        """Take a line."""
        if len(self.lines) < _MOST_LOOKED_AT:
            product = clean(values.get(self.product)) if self.product else None
            product = product[:_LONGEST] if isinstance(product, str) else product
            self.lines.append((product, clean(values.get(self.quantity)), clean(values.get(self.amount))))
            if self.sums is not None:
                self.sums.add(values)

    def add_block(self, block: Block) -> None:
        """Take many lines."""
        if len(self.lines) < _MOST_LOOKED_AT:
            of_sums = self.sums.columns.values() if self.sums else ()
            names = {name for name in (self.product, self.quantity, self.amount, *of_sums) if name}
            for cells in zip(*(block.columns[name] for name in names), strict=True):
                self.add(dict(zip(names, cells, strict=True)))


def decided(columns: Columns, prices: Prices, reader: Reader) -> tuple[Columns, str]:
    """Return the columns with the amount where the values say that it belongs, and what is to be told of it.

    Raises DoubtError.
    """
    quantity, amount = prices.quantity, prices.amount
    if prices.sums is not None and (told := prices.sums.told(reader)) is not None:
        return replace(columns, values_are=told[0]), told[1]
    by_name = "order_value" if "order_value" in columns.by_field else "unit_price"
    found = _look(prices, reader("items_count", quantity), reader(by_name, amount))
    says = found.says
    is_told = plain(amount) in _PIECE_NAMES or (columns.value_is is not None and by_name == "order_value")
    if says is None and (found.pieces if by_name == "order_value" else found.totals):
        raise DoubtError(found.doubt("some of its lines say the one, some the other", amount, quantity))
    if says is None or says == by_name:
        return columns, _told(by_name, amount, quantity, "as its values say" if says else "by its name")
    if is_told:
        raise DoubtError(found.doubt("its name says the one, and its values the other", amount, quantity))
    fields = {name: column for name, column in columns.by_field.items() if name != by_name} | {says: amount}
    values_are: LineKind | None = "item" if says == "order_value" else None
    return replace(columns, by_field=fields, values_are=values_are), _told(says, amount, quantity, "as its values say")


def told_by_name(columns: Columns) -> str:
    """Return what is to be told of prices that, or whose quantity, are found by name; empty without such."""
    fields = columns.by_field
    if columns.format is not None or "unit_price" not in fields or {"unit_price", "items_count"} <= columns.named:
        return ""
    price, quantity = fields["unit_price"], fields.get("items_count")
    is_named = "unit_price" in columns.named
    if quantity is not None:
        return _told("unit_price", price, quantity, "as it was named" if is_named else "by its name")
    if plain(price) not in _PIECE_NAMES and not is_named:
        return ""
    return (
        f"WARNING: no column is read as the quantity, so each line is one piece of the price {price!r}; "
        "--column=items_count=COLUMN names it"
    )


def _told(field_name: str, amount: str, quantity: str, why: str) -> str:
    if field_name == "unit_price":
        return (
            f"{amount!r} is the price of one piece, {why}, and is multiplied by {quantity!r} "
            f"(if it is the line's: --column=order_value={amount})"
        )
    return (
        f"{amount!r} is the amount of all pieces, {why}, and is not multiplied by {quantity!r} "
        f"(if it is the price of one: --column=unit_price={amount})"
    )


@dataclass(slots=True)
class _Found:
    """What lines of the same product in different quantities say."""

    pieces: int = 0
    """Pairs of lines with the same amount."""
    totals: int = 0
    """Pairs of lines whose amounts go with the quantity."""
    added: float = 0.0
    multiplied: float = 0.0

    @property
    def says(self) -> str | None:
        """The field that the amount is; None if it cannot be told."""
        most = max(self.pieces, self.totals)
        if most < _ENOUGH or most < _NEARLY_ALL * (self.pieces + self.totals):
            return None
        return "unit_price" if self.pieces > self.totals else "order_value"

    def doubt(self, why: str, amount: str, quantity: str) -> str:
        return (
            f"column {amount!r} is the price of one piece or the amount of all, and {why}: the first lines come to "
            f"{self.multiplied:,.2f} if it is multiplied by {quantity!r} (--column=unit_price={amount}), or to "
            f"{self.added:,.2f} if it is not (--column=order_value={amount})"
        )


def _look(prices: Prices, quantity_of: NumberReader, amount_of: NumberReader) -> _Found:
    found = _Found()
    last: dict[Any, tuple[float, float]] = {}
    for product, quantity_cell, amount_cell in prices.lines:
        try:
            quantity, amount = quantity_of(quantity_cell), amount_of(amount_cell)
        except BadRowError:
            continue
        if product is None or quantity <= 0 or amount <= 0:
            continue
        found.added += amount
        found.multiplied += amount * quantity
        before = last.get(product)
        last[product] = quantity, amount
        if before is None or before[0] == quantity:
            continue
        is_same = abs(amount - before[1]) < _HALF_A_CENT
        # Each of both amounts is rounded to a cent.
        is_in_proportion = abs(amount * before[0] - before[1] * quantity) <= _HALF_A_CENT * (quantity + before[0])
        found.pieces += is_same and not is_in_proportion
        found.totals += is_in_proportion and not is_same
    return found
