"""A hundred orders into a shop; and from a file to scored customers, by the length of the file: time and memory.

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
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from churn.adapters.mysql import Database, hourly_stats
from churn.services.hourly_stats import first_hour, hours_between
from tests.benchmarks.frame import SIZES, Bench, Row, grown, one
from tests.support.forests import small_model
from tests.support.large_shop import ERASURE_KEY

SHOPS = SIZES
_LINES = [int(number) for number in os.environ.get("LINES", "20000").split(",")]
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what imports into shops, and of files of several lengths into an empty database, take."""
    with tempfile.TemporaryDirectory() as name:
        file, model = Path(name) / "orders.csv", Path(name) / "model.npz"
        model.write_bytes(small_model().to_bytes())
        write_orders(file, 100)
        for size in SIZES:
            _store_hours(bench.urls[size])
        shops = {size: one(_import(bench, file, model, bench.urls[size], []).clock * 1000) for size in SIZES}
        yield from grown("an import of 100 orders", shops, at_most=2000)
        for lines in _LINES:
            write_orders(file, lines)
            with bench.empty_url() as url:
                for what, arguments in (("read alone", ["--dry-run"]), ("read and stored", []), ("again", [])):
                    used = _import(bench, file, model, url, arguments)
                    told = f"an import of {lines:,} lines, {what}"
                    yield Row(f"{told}: an order, by the clock", "µs", one(used.clock / lines * 1e6))
                    yield Row(f"{told}: an order, the command's processors", "µs", one(used.processors / lines * 1e6))
                    yield Row(f"{told}: an order, the database's", "µs", one(used.database / lines * 1e6))
                    yield Row(f"{told}: memory of the command", "MB", one(used.memory))
                    yield Row(f"{told}: memory of each of its processes", "MB", one(used.process_memory))


def _store_hours(url: str) -> None:
    """Store the hours of the look-back, as the sweep does: an import into a shop without them makes them all."""
    now = datetime.now(UTC)
    rows = [(hour, 0, 0, 0, 0) for hour in hours_between(first_hour(now), now)]
    with closing(Database(url)) as database:
        database.run(lambda transaction: hourly_stats.put(transaction, rows, now))


@dataclass(frozen=True, slots=True)
class _Used:
    """Seconds of the clock, of the command's processors and of the database's; MB of it and of a process."""

    clock: float
    processors: float
    database: float
    memory: float
    process_memory: float


def _import(bench: Bench, file: Path, model: Path, url: str, arguments: list[str]) -> _Used:
    at_first = bench.server_seconds()
    environment = os.environ | {"DATABASE_URL": url, "ERASURE_KEY": ERASURE_KEY, "MODEL_PATH": str(model)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    # The command tells its own memory: that of a child is the most of all children so far.
    code = (
        "import resource, sys; from infra.tools.importer.command import main; "
        "from infra.tools.importer.storing import collect_seldom; collect_seldom(); end = main(sys.argv[1:]); "
        "whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN; "
        "print('peak', *(resource.getrusage(who).ru_maxrss // 1024 for who in whose)); sys.exit(end)"
    )
    command = [sys.executable, "-c", code, str(file), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"the import ended with {done.returncode}: {done.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own, of_processes = done.stdout.rsplit("peak ", 1)[1].split()
    return _Used(took, worked, bench.server_seconds() - at_first, float(own), float(of_processes))


def write_orders(file: Path, lines: int) -> None:
    """Write a file of orders, each with a number of its own."""
    chance = random.Random(1)
    with file.open("w", encoding="utf-8") as out:
        out.write("customer_id,invoice,ts,amount,country\n")
        for number in range(lines):
            customer = int(chance.paretovariate(1.1) * 1000) % max(lines // 8, 10)
            at = _BEGIN + timedelta(seconds=int(number * 6e7 / lines) + chance.randrange(60))
            out.write(f"C{customer},{number},{at:%Y-%m-%d %H:%M:%S},{chance.lognormvariate(3, 1):.2f},Germany\n")
