"""Readers of CSV, JSON lines (both also gzipped) and Parquet, which number the rows by line."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

# A longer record has a quote that was never closed, and would swallow the rest of the file.
_MAX_LINES_OF_A_RECORD = 100


class UnreadableFileError(ValueError):
    """A file that cannot be read as a whole; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record by column, or `error`: why the line is no record.

    `line` is the record's first line, counted from 1; in Parquet, which has no lines, it is the row's number.
    """

    line: int
    text: str
    values: dict[str, Any] | None = None
    error: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield all records of a file in their order.

    Raises UnreadableFileError if it is in no known format, or cannot be read.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    try:
        if kind in {".parquet", ".pq"}:
            yield from _parquet(path)
        elif kind in {".json", ".jsonl", ".ndjson"}:
            yield from _json_lines(path)
        elif kind in {".csv", ".tsv", ".txt"}:
            yield from _csv(path)
        else:
            raise UnreadableFileError(f"{path} is neither CSV (.csv), JSON lines (.jsonl) nor Parquet (.parquet)")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(f"{path} cannot be read: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    # Bytes that are not UTF-8 are carried along as surrogates, so that only their own line is refused.
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        yield from enumerate(file, 1)


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in _lines(path):
        text = line.strip()
        if not text:
            continue
        if not _is_text(text):
            yield Row(number, text, error="is not UTF-8")
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            yield Row(number, text, error="is not JSON")
            continue
        if isinstance(values, dict):
            yield Row(number, text, values)
        else:
            yield Row(number, text, error="must be a JSON object")


def _parquet(path: Path) -> Iterator[Row]:
    # Imported late: only an import of Parquet waits for it.
    import pyarrow  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    plain = {name: _plain(value) for name, value in values.items()}
                    yield Row(number, json.dumps(plain, default=str, ensure_ascii=False), plain)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{path} is not Parquet: {error}") from error


def _plain(value: Any) -> Any:
    """Return a value of Parquet as JSON has it, where JSON has such a value."""
    if isinstance(value, bytes):
        # Bytes that are not UTF-8 become characters that nothing accepts.
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _csv(path: Path) -> Iterator[Row]:
    lines = _Lines(_lines(path))
    header: list[str] | None = None
    delimiter = ","
    while (numbered_line := lines.take()) is not None:
        number, text = numbered_line
        if not text.strip():
            continue
        if header is None:
            delimiter = max(",;\t|", key=text.count)
            header = _header(path, text, delimiter)
            continue
        if not _is_text(text):
            yield Row(number, text.rstrip("\r\n"), error="is not UTF-8")
            continue
        yield _record(number, text, lines, header, delimiter)
    if header is None:
        raise UnreadableFileError(f"{path} is empty")


def _header(path: Path, text: str, delimiter: str) -> list[str]:
    try:
        if not _is_text(text):
            raise csv.Error("it is not UTF-8")
        return next(csv.reader([text], delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableFileError(f"the header of {path} cannot be read: {error}") from None


def _record(number: int, text: str, lines: "_Lines", header: list[str], delimiter: str) -> Row:
    """Return the record that begins with this line; take the further lines of a quoted field."""
    joined, taken = text, [(number, text)]
    while True:
        try:
            fields = next(csv.reader([joined], delimiter=delimiter, strict=True))
            break
        except csv.Error as error:
            following = lines.take() if "end of data" in str(error) and len(taken) < _MAX_LINES_OF_A_RECORD else None
            if following is None:
                lines.give_back(taken[1:])
                reason = f"its quotes do not match: {error}" if '"' in joined else str(error)
                return Row(number, text.rstrip("\r\n"), error=reason)
            taken.append(following)
            joined += following[1]
    joined = joined.rstrip("\r\n")
    if len(fields) != len(header):
        return Row(number, joined, error=f"has {len(fields)} fields where the header has {len(header)}")
    return Row(number, joined, dict(zip(header, fields, strict=True)))


class _Lines:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._returned: list[tuple[int, str]] = []

    def take(self) -> tuple[int, str] | None:
        if self._returned:
            return self._returned.pop(0)
        return next(self._lines, None)

    def give_back(self, lines: list[tuple[int, str]]) -> None:
        self._returned = lines + self._returned
