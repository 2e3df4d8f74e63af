"""A dependency that hangs."""

import contextlib
import socket
import threading


class SilentServer:
    """A server on `port` of this machine that takes connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])

    @property
    def taken(self) -> int:
        """How many connections were taken."""
        return len(self._held)

    def close(self) -> None:
        """End the server and its connections."""
        for each in (*self._held, self._listener):
            each.close()
