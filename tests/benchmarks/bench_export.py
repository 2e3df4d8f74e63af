"""`make export` of a million customers beside 10,000: how long it takes, and how much memory the command needs."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from churn.settings import settings
from tests.benchmarks.frame import SIZES, Bench, Row, one
from tests.support.http import serving
from tests.support.rest import load, server

SHOPS = SIZES
_FORMS = ("csv", "parquet")


def measure(bench: Bench) -> Iterator[Row]:
    """Yield the seconds and the memory of an export of each shop."""
    for size in SIZES:
        os.environ["DATABASE_URL"] = bench.urls[size]
        settings.cache_clear()
        with tempfile.TemporaryDirectory() as folder, serving(http := server({"customers": load("customers").app})):
            for form in _FORMS:
                path = Path(folder) / f"all.{form}"
                seconds, memory = _export(f"http://127.0.0.1:{http.server_port}", path)
                yield Row(f"an export ({form})", "s", one(seconds), size=size)
                yield Row(f"an export ({form}): memory of the command", "MB", one(memory), size=size)


def _export(url: str, path: Path) -> tuple[float, float]:
    """Return the seconds of the command and the MB of its memory."""
    environment = {**os.environ, "URL": url, "TOKEN": "of-a-benchmark"}
    started = time.perf_counter()
    command = [sys.executable, "-m", "infra.tools.exporter.command", str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the export ended with {process.returncode}")
    return time.perf_counter() - started, used.ru_maxrss / 1024
