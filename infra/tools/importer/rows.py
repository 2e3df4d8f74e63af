"""Records of a file: one, or many that follow each other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A record by column, or `error`: why the line is no record.

    `line` is the record's first line, counted from 1; in Parquet and xlsx, which have no lines, it is the row's number.
    """

    line: int
    text: str
    values: dict[str, Any] | None = None
    error: str = ""


class Block(NamedTuple):
    """Records of a table by column: each is one line and has a cell in each column. To read them so is quick."""

    lines: Sequence[int]
    texts: Sequence[str]
    columns: Mapping[str, Sequence[str]]

    def rows(self) -> Iterator[Row]:
        """Yield the records one by one."""
        for line, text, cells in zip(self.lines, self.texts, zip(*self.columns.values(), strict=True), strict=True):
            yield Row(line, text, dict(zip(self.columns, cells, strict=True)))

    def those(self, indexes: Sequence[int]) -> "Block":
        """Return some of the records, by their places in the block."""
        columns = {name: [cells[index] for index in indexes] for name, cells in self.columns.items()}
        return Block([self.lines[index] for index in indexes], [self.texts[index] for index in indexes], columns)
