"""Private MariaDB and Redis servers in a folder of their own, on free ports of the loopback address.

Both come from Debian packages that hold programs only (``mariadb-server-core``, ``mariadb-client-core``,
``redis-tools``), so that installing them starts no service on the machine. A server reads and writes its own folder
alone.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pymysql

from infra.local.private_files import open_private
from infra.local.servers.child_process import start_child, stop_child
from infra.local.servers.supervisor import StackError

_STARTUP_SECONDS = 60.0


@dataclass
class Server:
    """A running server: its URL, its process and how to end it."""

    name: str
    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the server and wait for it; kill it after 20 seconds."""
        stop_child(self.process)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def mariadb_url(port: int) -> str:
    """Return the URL of the database ``churn`` of a private MariaDB."""
    return f"mysql://root@127.0.0.1:{port}/churn"


def redis_url(port: int) -> str:
    """Return the URL of a private Redis."""
    return f"redis://127.0.0.1:{port}/0"


def start_mariadb(folder: Path, port: int | None = None, *options: str) -> Server:
    """Start MariaDB with its data and its temporary files under `folder`, which is created at the first use.

    `options` of its command line come after those of all. Return a server whose database ``churn`` exists. Raises
    StackError if it cannot be installed or started.
    """
    _program("my_print_defaults", "mariadb-client-core", [])
    program = _program("mariadbd", "mariadb-server-core", ["/usr/sbin/mariadbd"])
    folder.mkdir(parents=True, exist_ok=True)
    data, log, port = folder / "data", folder / "mariadb.log", port or free_port()
    # A starting server deletes the temporary tables that it finds, also those of another in the same folder.
    temporary = _temporary(folder)
    if not (data / "mysql").is_dir():
        _make_data_folder(data, temporary, log)
    command = [
        program,
        "--no-defaults",
        f"--datadir={data.resolve()}",
        f"--tmpdir={temporary}",
        *_as_user(),
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={_socket_path(port)}",
        f"--pid-file={(folder / 'mariadb.pid').resolve()}",
        "--character-set-server=utf8mb4",
        "--innodb-buffer-pool-size=512M",
        "--innodb-flush-log-at-trx-commit=1",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--max-connections=200",
        *options,
    ]
    process = start_child(command, os.environ | {"TMPDIR": str(temporary)}, log)

    def answers() -> None:
        with pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=2) as connection:
            connection.cursor().execute("CREATE DATABASE IF NOT EXISTS churn CHARACTER SET utf8mb4")

    _wait("MariaDB", process, answers, log)
    return Server("mariadb", mariadb_url(port), process)


def _make_data_folder(data: Path, temporary: Path, log: Path) -> None:
    """Create the data folder of a MariaDB, whole or not at all. Raises StackError."""
    installer = _program("mariadb-install-db", "mariadb-server-core", ["/usr/bin/mariadb-install-db"])
    partial = data.with_name("data.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with open_private(log) as out:
        installed = subprocess.run(
            [
                installer,
                "--no-defaults",
                f"--datadir={partial.resolve()}",
                f"--tmpdir={temporary}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                # A machine need not have a name that can be looked up.
                "--force",
                *_as_user(),
            ],
            env=os.environ | {"TMPDIR": str(temporary)},
            stdout=out,
            stderr=out,
            check=False,
        )
    if installed.returncode:
        raise StackError(f"MariaDB's data folder could not be made; see {log}")
    partial.rename(data)


def start_redis(folder: Path, port: int | None = None) -> Server:
    """Start Redis as a cache: nothing is written to disk. Raises StackError if it cannot be started."""
    folder.mkdir(parents=True, exist_ok=True)
    # Debian's redis-server is a link to this program, which looks at the name that it is called by.
    named = folder / "redis-server"
    named.unlink(missing_ok=True)
    named.symlink_to(_program("redis-server", "redis-tools", ["/usr/bin/redis-check-rdb"]))
    port, log = port or free_port(), folder / "redis.log"
    command = [
        str(named.absolute()),
        f"--port {port}",
        "--bind 127.0.0.1",
        "--save",
        "",
        f"--dir {folder.resolve()}",
        "--maxmemory 256mb",
        "--maxmemory-policy allkeys-lru",
    ]
    process = start_child(command, os.environ | {"TMPDIR": str(_temporary(folder))}, log)

    def answers() -> None:
        # Without the client, whose import takes a fifth of a second.
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
        if answer != b"+PONG\r\n":
            raise OSError(f"it answered {answer!r}")

    _wait("Redis", process, answers, log)
    return Server("redis", redis_url(port), process)


def _temporary(folder: Path) -> Path:
    """Return an empty temporary folder of a server's own below `folder`."""
    temporary = (folder / "tmp").resolve()
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    return temporary


def _socket_path(port: int) -> str:
    # A Unix socket's path may hold 107 bytes, fewer than the folder of a checkout may have.
    return f"@churn-mariadb-{port}" if os.uname().sysname == "Linux" else f"/tmp/churn-mariadb-{port}.sock"  # noqa: S108


def _as_user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _program(name: str, package: str, places: list[str]) -> str:
    program = _find_program(name, places)
    if program is None and shutil.which("apt-get") and os.geteuid() == 0:
        _install(package)
        program = _find_program(name, places)
    if program is None:
        raise StackError(
            f"{name} is not installed: install the package {package} (Debian) or {name} by your package manager, "
            "or name a server of yours in DATABASE_URL and REDIS_URL"
        )
    return program


def _find_program(name: str, places: list[str]) -> str | None:
    return shutil.which(name) or next((place for place in places if Path(place).exists()), None)


def _install(package: str) -> None:
    print(f"installing {package} (programs only, no service)", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if process.returncode and command[1] == "install":
            raise StackError(f"{package} could not be installed: {process.stderr.strip()[-500:]}")


def _wait(name: str, process: subprocess.Popen[bytes], answers: Callable[[], None], log: Path) -> None:
    deadline = time.monotonic() + _STARTUP_SECONDS
    while True:
        if process.poll() is not None:
            raise StackError(f"{name} ended at once with code {process.returncode}; see {log}")
        try:
            answers()
        except (pymysql.MySQLError, OSError) as error:
            if time.monotonic() > deadline:
                process.kill()
                raise StackError(
                    f"{name} did not answer within {_STARTUP_SECONDS:.0f} s: {error}; see {log}"
                ) from error
            time.sleep(0.05)
        else:
            return


def is_free(port: int) -> bool:
    """Return whether a port of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
