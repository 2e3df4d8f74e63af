"""A record of a file."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A record by column, or `error`: why the line is no record.

    `line` is the record's first line, counted from 1; in Parquet and xlsx, which have no lines, it is the row's number.
    """

    line: int
    text: str
    values: dict[str, Any] | None = None
    error: str = ""
