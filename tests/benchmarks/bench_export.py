"""`make export` of a million customers beside 10,000: how long it takes, and how much memory the command needs."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from churn.settings import settings
from tests.benchmarks.bench_customer_lists import SIZES, filled_server
from tests.support.http import serving
from tests.support.rest import load, server

_FORMS = ("csv", "parquet")


def main() -> None:
    """Fill a database for each size, and export its customers by the command, over HTTP."""
    # What the functions tell of each request is not for here.
    os.environ.update(POWERTOOLS_METRICS_DISABLED="true", POWERTOOLS_LOG_LEVEL="ERROR")
    print(f"{'customers':>12}{'form':>10}{'seconds':>10}{'MB of memory':>14}{'MB of file':>12}")
    for size in SIZES:
        with filled_server(size) as database_url, tempfile.TemporaryDirectory() as folder:
            os.environ["DATABASE_URL"] = database_url
            settings.cache_clear()
            with serving(http := server({"customers": load("customers").app})):
                for form in _FORMS:
                    _export(f"http://127.0.0.1:{http.server_port}", Path(folder) / f"all.{form}", size, form)


def _export(url: str, path: Path, size: int, form: str) -> None:
    environment = {**os.environ, "URL": url, "TOKEN": "of-a-benchmark"}
    started = time.perf_counter()
    command = [sys.executable, "-m", "infra.tools.exporter.command", str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the export ended with {process.returncode}")
    seconds, memory = time.perf_counter() - started, used.ru_maxrss / 1024
    print(f"{size:>12,}{form:>10}{seconds:>10.0f}{memory:>14.0f}{path.stat().st_size / 1e6:>12.1f}", flush=True)


if __name__ == "__main__":
    main()
