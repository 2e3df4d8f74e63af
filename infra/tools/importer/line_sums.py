"""Whether an amount beside a quantity and the price of one piece is of the line or of its order: the sums tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.tools.importer.cells import clean
from infra.tools.importer.columns import Columns
from infra.tools.importer.export_format import LineKind
from infra.tools.importer.faults import BadRowError
from infra.tools.importer.numbers import NumberReader

_MOST_LOOKED_AT = 20_000
_HALF_A_CENT = 0.005

type Reader = Callable[[str, str], NumberReader]
"""Returns the reader of a column's numbers by field and column."""


@dataclass(slots=True)
class LineSums:
    """The first lines of a file with a quantity, the price of one piece, and an amount that may be their product."""

    columns: dict[str, str]
    """The columns of quantity, price and amount, and of the order's number and a discount if there are such."""
    lines: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, columns: Columns) -> "LineSums | None":
        """Return where a file's lines go; None where it has no such columns."""
        fields = columns.by_field
        if columns.price_beside is None or not {"order_value", "items_count"} <= fields.keys():
            return None
        names = {
            name: fields[name] for name in ("items_count", "order_value", "order_id", "discount") if name in fields
        }
        return cls(names | {"unit_price": columns.price_beside})

    def add(self, values: Mapping[str, Any]) -> None:
        """Take a line."""
        if len(self.lines) < _MOST_LOOKED_AT:
            self.lines.append({name: clean(values.get(column)) for name, column in self.columns.items()})

    def told(self, reader: Reader) -> tuple[LineKind, str] | None:
        """Return what the amount is of, with a sentence; None where the sums say nothing, or not always the same."""
        readers = {name: reader(name, column) for name, column in self.columns.items() if name != "order_id"}
        sums = [(cells.get("order_id"), *pair) for cells in self.lines if (pair := _sums(cells, readers)) is not None]
        quantity, price, amount = (self.columns[name] for name in ("items_count", "unit_price", "order_value"))
        if not sums:
            return None
        if all(abs(value - product) <= tolerance for _, value, product, tolerance in sums):
            return "item", f"{amount!r} is the amount of a line: on each it is {quantity!r} times {price!r}"
        orders: dict[Any, list[tuple[float, float, float]]] = {}
        for number, *rest in sums:
            orders.setdefault(number, []).append((rest[0], rest[1], rest[2]))
        orders.pop(None, None)
        if max(map(len, orders.values()), default=0) > 1 and all(map(_is_total_of_all, orders.values())):
            return "total", f"{amount!r} is the amount of an order: it is the sum of {quantity!r} times {price!r}"
        return None


def _sums(cells: Mapping[str, Any], readers: Mapping[str, NumberReader]) -> tuple[float, float, float] | None:
    """Return a line's amount, its quantity times the price less the discount, and by how much rounding moves that."""
    if any(cells[name] is None for name in ("items_count", "unit_price", "order_value")):
        return None
    try:
        numbers = {name: read(cells[name]) for name, read in readers.items() if cells[name] is not None}
    except BadRowError:
        return None
    product = numbers["items_count"] * numbers["unit_price"]
    less = product - abs(numbers.get("discount", 0.0))
    value = numbers["order_value"]
    # The price of one piece is rounded to a cent.
    return (
        value,
        less if abs(value - less) < abs(value - product) else product,
        _HALF_A_CENT * (abs(numbers["items_count"]) + 1),
    )


def _is_total_of_all(lines: list[tuple[float, float, float]]) -> bool:
    whole, tolerance = sum(product for _, product, _ in lines), sum(one for _, _, one in lines)
    return all(abs(value - whole) <= tolerance for value, _, _ in lines)
