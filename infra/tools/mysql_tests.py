"""The integration tests that ask the database, on a real MySQL server where the machine has one.

A server is `mysqld` on the path, or in a folder below `.local` where `--install` unpacks Debian unstable's.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql

from infra import console
from infra.local.options import ROOT
from infra.local.servers.child_process import start_child, stop_child
from infra.local.servers.databases import free_port
from infra.local.servers.supervisor import StackError, wait_until

_FOLDER = ROOT / ".local" / "mysql"
_TESTS = [f"tests/integration/{room}" for room in ("adapters", "services", "functions")]
_START_SECONDS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests, and return pytest's exit code; without a server say so, and return 0."""
    parser = argparse.ArgumentParser(prog="mysql-tests", description="Run the integration tests on MySQL.")
    parser.add_argument("--install", action="store_true", help="unpack Debian unstable's MySQL, if there is none")
    parser.add_argument("tests", nargs="*", default=_TESTS, help="what to run in place of all of them")
    options = parser.parse_args(arguments)
    try:
        program = _program() or (_install() if options.install else None)
        if program is None:
            print("mysql-tests: skipped, there is no MySQL here (make test-mysql INSTALL=1 fetches one on Debian)")
            return 0
        with _running(program) as url:
            print(f"mysql-tests: {_version(program)}", flush=True)
            command = [sys.executable, "-m", "pytest", *options.tests]
            environment = os.environ | {"TEST_DATABASE_URL": url}
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except StackError as error:
        print(f"mysql-tests: {error}", file=sys.stderr)
        return 1


def _program() -> list[str] | None:
    """Return the command of a server, None if there is none; MariaDB has a program of that name too."""
    root = _FOLDER / "root"
    candidates = [["chroot", str(root), "/usr/sbin/mysqld"]] if (root / "usr" / "sbin" / "mysqld").exists() else []
    candidates += [[found] for found in (shutil.which("mysqld"),) if found]
    return next((command for command in candidates if "MariaDB" not in _version(command)), None)


def _version(command: Sequence[str]) -> str:
    answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.strip().split("  ", maxsplit=1)[-1]


def _install() -> list[str]:
    """Unpack Debian unstable's server into a folder; nothing else on the machine changes. Raises StackError."""
    if not shutil.which("debootstrap") or os.geteuid():
        raise StackError("installing MySQL needs Debian's package debootstrap, and root")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    print("mysql-tests: unpacking Debian unstable's MySQL below .local/mysql", flush=True)
    log = _FOLDER / "debootstrap.log"
    part = _FOLDER / "root.part"
    shutil.rmtree(part, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", "--include=mysql-server-core", "sid", str(part)]
    with log.open("wb") as out:
        if subprocess.run(command, stdout=out, stderr=out, check=False).returncode:
            raise StackError(f"MySQL could not be unpacked; see {log}")
    part.rename(_FOLDER / "root")
    program = _program()
    if program is None:
        raise StackError("what was unpacked is no MySQL")
    return program


@contextmanager
def _running(program: Sequence[str]) -> Iterator[str]:
    """Start a server with data of its own; yield the URL of an empty database. Raises StackError."""
    # A server in a folder of its own sees that folder alone.
    root = Path(program[1]) if program[0] == "chroot" else Path("/")
    with TemporaryDirectory(prefix="mysql-", dir=root / "tmp" if program[0] == "chroot" else None) as temporary:
        log, port = Path(temporary) / "mysqld.log", free_port()
        inside = f"/{Path(temporary).relative_to(root)}"
        common = ["--no-defaults", f"--datadir={inside}/data", *([] if os.geteuid() else ["--user=root"])]
        environment, initialize = os.environ | {"TMPDIR": inside}, [*program, *common, "--initialize-insecure"]
        with log.open("wb") as out:
            made = subprocess.run(initialize, env=environment, stdout=out, stderr=out, check=False)
        if made.returncode:
            raise StackError(f"MySQL cannot make its data: {_end_of(log)}")
        listening = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={inside}/socket", "--mysqlx=OFF"]
        server = start_child(
            [*program, *common, *listening, f"--pid-file={inside}/pid", "--secure-file-priv="], environment, log
        )
        try:
            try:
                wait_until(lambda: _answers(port), "MySQL", lambda: server.poll() is None, _START_SECONDS, None)
            except StackError as error:
                raise StackError(f"{error}: {_end_of(log)}") from error
            yield f"mysql://root@127.0.0.1:{port}/churn"
        finally:
            stop_child(server)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-500:]


def _answers(port: int) -> bool:
    try:
        with pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=2) as connection:
            connection.cursor().execute("CREATE DATABASE IF NOT EXISTS churn CHARACTER SET utf8mb4")
    except pymysql.MySQLError:
        return False
    return True


if __name__ == "__main__":
    console.run(main)
