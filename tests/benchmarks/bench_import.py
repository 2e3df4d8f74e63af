"""Orders a second from a file to scored customers, and the memory for it, by the length of the file.

Generated orders, eight a customer on average, some customers with many; ``LINES=10000000`` for another length.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import migrate, read_migrations
from infra.local.servers.databases import Server, start_mariadb
from tests.support.forests import small_model

_LINES = [int(number) for number in os.environ.get("LINES", "10000,100000").split(",")]
_MIGRATIONS = Path(__file__).parents[2] / "infra" / "migrations"
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def main() -> None:
    """Import files of several lengths, each into an empty database."""
    for lines in _LINES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            file, model = folder / "orders.csv", folder / "model.npz"
            _write(file, lines)
            model.write_bytes(small_model().to_bytes())
            for what, arguments in (("read alone", ["--dry-run"]), ("read and stored", []), ("again", [])):
                if what != "again":
                    server = start_mariadb(Path(tempfile.mkdtemp(dir=folder)))
                    database = Database(server.url, statement_timeout=120)
                    migrate(database, read_migrations(_MIGRATIONS))
                    database.close()
                _import(what, lines, file, model, server, arguments)
                if what != "read and stored":
                    server.stop()


def _import(what: str, lines: int, file: Path, model: Path, server: Server, arguments: list[str]) -> None:
    environment = os.environ | {"DATABASE_URL": server.url, "ERASURE_KEY": "k" * 32, "MODEL_PATH": str(model)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    # The command tells its own memory: that of a child is the most of all children so far.
    code = (
        "import resource, sys; from infra.tools.importer.command import main; "
        "from infra.tools.importer.storing import collect_seldom; collect_seldom(); end = main(sys.argv[1:]); "
        "whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN; "
        "print('peak', *(resource.getrusage(who).ru_maxrss // 1024 for who in whose)); sys.exit(end)"
    )
    at_first = _processor_seconds(server)
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), *arguments], env=environment, capture_output=True, text=True, check=True
    )
    took = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own, of_processes = done.stdout.rsplit("peak ", 1)[1].split()
    print(
        f"{lines:11,} lines {what:15} {took:8.1f} s {lines / took:8,.0f} orders a second, {worked:8.1f} s of CPU, "
        f"{_processor_seconds(server) - at_first:8.1f} s of the database; {own} MB, of each process {of_processes} MB",
        flush=True,
    )


def _processor_seconds(server: Server) -> float:
    """Return the processor's time that a server has taken so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write(file: Path, lines: int) -> None:
    chance = random.Random(1)
    with file.open("w", encoding="utf-8") as out:
        out.write("customer_id,invoice,ts,amount,country\n")
        for number in range(lines):
            customer = int(chance.paretovariate(1.1) * 1000) % max(lines // 8, 10)
            at = _BEGIN + timedelta(seconds=int(number * 6e7 / lines) + chance.randrange(60))
            out.write(f"C{customer},{number},{at:%Y-%m-%d %H:%M:%S},{chance.lognormvariate(3, 1):.2f},Germany\n")


if __name__ == "__main__":
    main()
