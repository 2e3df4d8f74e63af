"""The one table of what was measured: for a terminal, and for a document."""

from collections.abc import Sequence

from tests.benchmarks.frame import Row, Spread

_HEAD = ("what", "customers", "median", "5th to 95th", "against", "its median", "ratio", "goal", "met")
_BEGIN, _END = "<!-- the table of make bench -->", "<!-- its end -->"


def shown(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def markdown(rows: Sequence[Row], told: str, pictures: Sequence[str] = ()) -> str:
    """Return the table for a document, below when and where it was measured, and pictures below it by their paths."""
    lines = [_HEAD, ["---"] * len(_HEAD), *map(_cells, rows)]
    shows = [
        f"\n![How costs grow with the shop, {number} of {len(pictures)}]({path})"
        for number, path in enumerate(pictures, 1)
    ]
    return "\n".join([f"{told}.\n", *(f"| {' | '.join(line)} |" for line in lines), *shows])


def replaced(document: str, table: str) -> str:
    """Return a document with another table in the place of the one before. Raises ValueError if it has none."""
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the document has no place for the table, between {_BEGIN} and {_END}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _cells(row: Row) -> Sequence[str]:
    return (
        row.what,
        "" if row.size is None else f"{row.size:,}",
        f"{_number(row.taken.median)} {row.unit}",
        _span(row.taken),
        row.against,
        "" if row.peer is None else f"{_number(row.peer.median)} {row.unit}",
        "" if row.ratio is None else f"{row.ratio:.3g} times",
        row.goal,
        "" if row.is_met is None else ("yes" if row.is_met else "no"),
    )


def _span(spread: Spread) -> str:
    return "" if spread.low == spread.high else f"{_number(spread.low)} to {_number(spread.high)}"


def _number(value: float) -> str:
    """Return a number with three digits that tell something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
