"""A connection that reads a server's answers several times faster than the driver, which is written in Python.

The driver calls four functions for each value. Here one loop cuts a row up, and what a column's description says is
worked out once in a process. The values are those of the driver.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pymysql.connections import TEXT_TYPES, Connection, MySQLResult
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, through
from pymysql.cursors import DictCursor
from pymysql.protocol import FieldDescriptorPacket

from churn.adapters.request_time import RequestTime

if TYPE_CHECKING:
    _Connection = Connection[DictCursor]
else:
    # It is generic in its stubs alone.
    _Connection = Connection

type _Reader = Callable[[bytes], Any]

# The first byte of a value: up to 250 its length; NULL; or how many bytes hold the length.
_MOST_SHORT = 250
_NULL = 251
_LENGTH_BYTES = {252: 2, 253: 3, 254: 8}
# The number of the character set of columns of bytes.
_BINARY = 63
# A socket whose time-out is 0 does not wait at all, which is another mode.
_LEAST_SECONDS = 0.001


def _instant(text: str) -> datetime | str:
    """Return the instant that a server's text tells, in UTC; the text of a date that is none (0000-00-00)."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return text


CONVERSIONS = {**conversions, FIELD_TYPE.DATETIME: _instant, FIELD_TYPE.TIMESTAMP: _instant}
"""How texts of the server become values, by the type of their column."""


class RowConnection(_Connection):
    """A connection whose answers are read by `_Rows`; each is read whole."""

    _result: MySQLResult | None
    _read_timeout: float | None
    connect_timeout: float

    def __init__(self, *, within: float = math.inf, request_time: RequestTime | None = None, **arguments: Any) -> None:
        """Connect, in so many seconds at most from the first packet to the last statement of the session's settings.

        `request_time` bounds the connection's beginning and its statements, None if nothing but time-outs does. Raises
        MySQLError, and TimeoutError if the request has no time left.
        """
        self._within = within
        self._request_time = request_time
        self._connected_until = math.inf
        super().__init__(**arguments)

    def connect(self, sock: Any = None) -> None:
        """Connect, as the driver does, whose time-outs are of a packet each."""
        patience = nullcontext(math.inf) if self._request_time is None else self._request_time.statement()
        longest = self._read_timeout
        with patience as left:
            within = min(self._within, left)
            self._connected_until = time.monotonic() + within
            self.connect_timeout = min(self.connect_timeout, within)
            try:
                super().connect(sock)
            finally:
                self._connected_until, self._read_timeout = math.inf, longest

    def _read_packet(self, *arguments: Any) -> Any:
        if self._connected_until < math.inf:
            left = max(self._connected_until - time.monotonic(), _LEAST_SECONDS)
            self._read_timeout = left if self._read_timeout is None else min(self._read_timeout, left)
        read: Callable[..., Any] = super()._read_packet
        return read(*arguments)

    def query(self, sql: str, unbuffered: bool = False) -> int:
        """Run a statement, as the driver does. Raises TimeoutError if the request has no time left for it."""
        if self._request_time is None or self._connected_until < math.inf:
            return super().query(sql, unbuffered)
        longest = self._read_timeout
        with self._request_time.statement() as left:
            try:
                self._read_timeout = left if longest is None else min(longest, left)
                return super().query(sql, unbuffered)
            finally:
                self._read_timeout = longest

    def _read_query_result(self, unbuffered: bool = False) -> int | None:  # noqa: ARG002  (the driver's signature)
        self._result = None
        rows = _Rows(self)
        rows.read()
        self._result = rows
        if rows.server_status is not None:
            self.server_status = rows.server_status
        return rows.affected_rows

    def next_packet(self) -> bytes:
        """Return what the server's next packet holds. Raises MySQLError."""
        read: Callable[[], Any] = self._read_packet
        content: bytes = read().get_all_data()
        return content


class _Rows(MySQLResult):
    """The answer to a statement."""

    def _get_descriptions(self) -> None:
        connection = cast("RowConnection", self.connection)
        columns = [_column(connection.next_packet(), connection.encoding) for _ in range(self.field_count)]
        # What ends the descriptions.
        connection.next_packet()
        self.fields = [field for field, _, _ in columns]
        self.description = tuple(description for _, description, _ in columns)
        self._readers = [reader for _, _, reader in columns]

    def _read_row_from_packet(self, packet: Any) -> tuple[Any, ...]:
        content: bytes = packet.get_all_data()
        row: list[Any] = []
        at = 0
        for read in self._readers:
            length = content[at]
            at += 1
            if length > _MOST_SHORT:
                if length == _NULL:
                    row.append(None)
                    continue
                begin, at = at, at + _LENGTH_BYTES[length]
                length = int.from_bytes(content[begin:at], "little")
            end = at + length
            row.append(read(content[at:end]))
            at = end
        return tuple(row)


@lru_cache(maxsize=4096)
def _column(packet: bytes, encoding: str) -> tuple[FieldDescriptorPacket, tuple[Any, ...], _Reader]:
    """Return a column's description, also in the form of the database API, and what reads its values."""
    field: Any = FieldDescriptorPacket(packet, encoding)
    return field, field.description(), _reader(field.type_code, is_binary=field.charsetnr == _BINARY)


def _reader(type_code: int, *, is_binary: bool) -> _Reader:
    convert: Any = CONVERSIONS.get(type_code, through)
    if convert in {int, float}:
        # They read bytes themselves.
        return cast("_Reader", convert)
    if type_code in TEXT_TYPES and is_binary:
        return cast("_Reader", convert)
    if convert is through:
        return bytes.decode
    return lambda content: convert(content.decode())
