"""WebSocket frames that are too long for API Gateway."""

from typing import Any

from aiohttp import WSCloseCode
from aiohttp.http_websocket import WebSocketError


class _FrameLimit:
    """A filter before aiohttp's parser that ends the connection at a frame longer than API Gateway takes.

    aiohttp joins the frames of a message before anyone sees them, so their lengths are read off the wire here.
    """

    def __init__(self, parser: Any, queue: Any, limit: int) -> None:
        self._parser = parser
        self._queue = queue
        self._limit = limit
        self._header = bytearray()
        self._skip = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_eof(self) -> None:
        self._parser.feed_eof()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if self._too_long(memoryview(data)):
            self._queue.set_exception(
                WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, f"a frame is longer than {self._limit} bytes")
            )
            return False, b""
        eof, tail = self._parser.feed_data(data)
        return bool(eof), tail

    def _too_long(self, data: memoryview) -> bool:
        while data:
            if self._skip:
                passed = min(self._skip, len(data))
                self._skip -= passed
                data = data[passed:]
                continue
            self._header.append(data[0])
            data = data[1:]
            if len(self._header) < 2:
                continue
            length = self._header[1] & 0x7F
            extended = {126: 2, 127: 8}.get(length, 0)
            if len(self._header) < 2 + extended:
                continue
            if extended:
                length = int.from_bytes(self._header[2:], "big")
            if length > self._limit:
                return True
            masked = 4 if self._header[1] & 0x80 else 0
            self._skip = length + masked
            self._header.clear()
        return False


def limit_frames(protocol: Any, socket: Any, limit: int) -> None:
    """Refuse frames above `limit` bytes on a connection before they are read whole."""
    protocol._payload_parser = _FrameLimit(protocol._payload_parser, socket._reader, limit)  # noqa: SLF001
