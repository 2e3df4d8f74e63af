"""A private database or cache as a service of the supervisor."""

from collections.abc import Callable
from pathlib import Path

from infra.local.servers.databases import Server
from infra.local.servers.supervisor import progress


class OwnServer:
    """A server that the stack starts for itself, on the same port and data after each death."""

    def __init__(self, name: str, begin: Callable[[Path, int], Server], folder: Path, port: int) -> None:
        self.name = name
        self._begin = begin
        self._folder = folder
        self._port = port
        self._server: Server | None = None

    @property
    def pid(self) -> int | None:
        """The id of its process."""
        return self._server.process.pid if self._server else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._server is not None and self._server.process.poll() is None

    def start(self) -> None:
        """Start it. Raises StackError."""
        with progress(f"starting the {self.name}"):
            self._server = self._begin(self._folder, self._port)

    def stop(self) -> None:
        """End it."""
        if self._server:
            self._server.stop()
