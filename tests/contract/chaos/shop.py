"""The service under test: a whole local stack, before a MySQL server that the tests may do anything to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql

from churn.adapters.mysql import Database, DatabaseUnavailableError
from churn.adapters.mysql.database import Row
from infra.local.gateway.config import GatewayConfig
from infra.local.servers.databases import Server, start_mariadb
from infra.local.servers.external import RIGHTS
from tests.contract.conftest import Stack, running_stack
from tests.support import eventually
from tests.support.tcp_proxy import TcpProxy

_AGAIN_SECONDS = 5
_FAKETIME = ("*/faketime/libfaketimeMT.so.1", "faketime/libfaketimeMT.so.1")
_DISK_MB = 600


class MySql:
    """A MySQL-compatible server that is killed, and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = start_mariadb(folder)
        self._owner = self._server.url

    @property
    def server(self) -> Server:
        """The server that runs now."""
        return self._server

    @property
    def port(self) -> int:
        """The server's port."""
        return urlsplit(self._owner).port or 3306

    def start(self) -> None:
        """Start it again after it was killed."""
        self._server = start_mariadb(self._folder, self.port)

    def keep_running(self) -> None:
        """Start it again if it has ended by itself, as a service manager does."""
        if self._server.process.poll() is not None:
            self.start()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the server a signal; wait for its end where the signal ends it."""
        self._server.process.send_signal(number)
        if number is signal.SIGKILL:
            self._server.process.wait()

    def execute(self, *statements: str) -> None:
        """Run statements as the server's owner, each by itself: some are not allowed in a transaction."""
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def rows(self, query: str, *values: object) -> list[Row]:
        """Return the rows of a query as the server's owner; none while the server is away."""
        try:
            with closing(Database(self._owner)) as owner:
                return owner.run(lambda transaction: transaction.rows(query, values))
        except DatabaseUnavailableError:
            return []

    @property
    def owner(self) -> Database:
        """A connection as the server's owner."""
        return Database(self._owner)


@dataclass
class Shop:
    """A running service, and what it depends on."""

    stack: Stack
    mysql: MySql
    proxy: TcpProxy
    disk: Path | None
    """The small file system that MySQL has to itself; None where none can be mounted."""
    clock: Path | None
    """The file that says how far the functions' clock is off; None where there is no libfaketime."""

    def health(self) -> dict[str, Any]:
        """Return what `/health` says: its status, and the status of each check where it could answer by itself."""
        health: dict[str, Any] = self.stack.get("/health", role=None).json
        return health


@contextmanager
def running_shop(folder: Path, buckets: Path, *, is_whole: bool) -> Iterator[Shop]:
    """Run an empty shop whose database is reached through a proxy, as a user who has the documented rights.

    `is_whole`: with a small file system and a clock of the functions' own, where these are possible.
    """
    data, state = folder / "mysql", folder / "stack"
    for one in (data, state):
        one.mkdir()
    with _file_system(data, is_wanted=is_whole) as is_mounted, _mysql(data / "data") as mysql:
        mysql.execute(
            "CREATE USER shop@'%' IDENTIFIED BY 'secret'",
            f"GRANT {', '.join(RIGHTS)} ON churn.* TO shop@'%'",
        )
        with TcpProxy(mysql.port) as proxy:
            url = f"mysql://shop:secret@127.0.0.1:{proxy.port}/churn"
            with running_stack(state, buckets, SAMPLE_CUSTOMERS="0", EVENT_RATE="0", DATABASE_URL=url) as stack:
                _deliver_again_soon(stack)
                clock = _own_clock(stack, state / "clock") if is_whole else None
                yield Shop(stack, mysql, proxy, data if is_mounted else None, clock)


@contextmanager
def _mysql(folder: Path) -> Iterator[MySql]:
    mysql = MySql(folder)
    try:
        yield mysql
    finally:
        mysql.server.stop()


@contextmanager
def _file_system(folder: Path, *, is_wanted: bool) -> Iterator[bool]:
    """Mount a small file system in memory, if it is wanted; whether it is there."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "churn-chaos", str(folder)]
    try:
        is_mounted = is_wanted and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _own_clock(stack: Stack, file: Path) -> Path | None:
    """Give the functions a clock of their own, which follows a file; their gateway starts again for it.

    Returns None where Debian's package libfaketime, or another of it, is not installed.
    """
    library = next((path for pattern in _FAKETIME for path in sorted(Path("/usr/lib").glob(pattern))), None)
    if library is None:
        return None
    file.write_text("+0")
    sleep = file.with_name("sleep.so")
    source = Path(__file__).with_name("sleep.c")
    # Without libraries, which the compiler would build first, for minutes, and without checks, which need some: each
    # process that loads it has what it calls.
    flags = ["-shared", "-fPIC", "-nostdlib", "-O1", "-o", str(sleep)]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *flags, str(source)], check=True)
    config = GatewayConfig.read(file.with_name("gateway.json"))
    clock = {
        "LD_PRELOAD": f"{sleep} {library}",
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    replace(config, environment={**config.environment, **clock}).write(file.with_name("gateway.json"))
    before = stack.pids()["gateway"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.pids()["gateway"] != before, within=60)
    eventually(lambda: stack.is_ready, within=120)
    return file


def _deliver_again_soon(stack: Stack) -> None:
    """Shorten the six minutes after which the queue of events delivers again what could not be scored."""
    queues = stack.client("sqs")
    for url in queues.list_queues()["QueueUrls"]:
        queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(_AGAIN_SECONDS)})
