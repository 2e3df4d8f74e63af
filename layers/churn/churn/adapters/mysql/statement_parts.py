"""Values as literals of SQL, and long lists of them, cut into as many statements as their sizes need."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymysql.converters import encoders, escape_item, escape_string

CHARSET: Final = "utf8mb4"

HASHES: Final = 2**32
"""The number of values of CRC32, by which a share of the customers is chosen: the same ones each time."""


def naive(value: datetime) -> datetime:
    """Return an aware instant as it is sent: in UTC and without its zone; a naive one as it is."""
    if value.tzinfo is None:
        return value
    # MariaDB truncates to the column's milliseconds, and MySQL would round.
    return value.astimezone(UTC).replace(tzinfo=None, microsecond=value.microsecond // 1000 * 1000)


def row_literal(row: Sequence[object]) -> str:
    """Return a row of values as SQL, in brackets; the driver's way for any value takes five times as long."""
    return f"({', '.join([_WRITERS.get(type(value), _any)(value) for value in row])})"


def literal(value: object) -> str:
    """Return a value as SQL, for sessions whose texts are escaped by a backslash (as `SESSION_SETTINGS` has them)."""
    return _WRITERS.get(type(value), _any)(value)


def _any(value: object) -> str:
    return escape_item(value, CHARSET, encoders)


def _text(value: str) -> str:
    if value.isprintable():
        if "'" in value or "\\" in value:
            value = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{value}'"
    return f"'{escape_string(value)}'"


def _instant(value: datetime) -> str:
    if value.tzinfo is UTC:
        # Python writes an instant without a zone in half the time.
        return f"'{value.replace(tzinfo=None).isoformat(' ', 'milliseconds')}'"
    return escape_item(naive(value), CHARSET, encoders)


def _number(value: float) -> str:
    text = repr(value)
    # The driver refuses inf and nan.
    return escape_item(value, CHARSET, encoders) if "e" in text or "n" in text else text + "e0"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: _text,
    int: str,
    float: _number,
    type(None): lambda _: "NULL",
    bool: lambda value: "1" if value else "0",
    datetime: _instant,
    bytes: lambda value: f"X'{value.hex()}'",
}


def in_parts(literals: Iterable[str], most: int, most_bytes: int) -> Iterator[list[str]]:
    """Yield lists of literals in their order: as many as both limits allow with their commas, one as the least."""
    part: list[str] = []
    used = 0
    for literal in literals:
        size = bytes_of(literal) + len(", ")
        if part and (len(part) == most or used + size > most_bytes):
            yield part
            part, used = [], 0
        part.append(literal)
        used += size
    if part:
        yield part


def bytes_of(literal: str) -> int:
    """Return how many bytes a literal has in a statement."""
    # The driver writes bytes that are not UTF-8 as surrogates.
    return len(literal) if literal.isascii() else len(literal.encode("utf-8", "surrogateescape"))
