"""`make bench` runs every benchmark, `make bench NAME=sweep` one: one table, a file of JSON, and curves of growth.

SIZES=10000,1000000 sets how many customers the shops have. DOCUMENT=docs/performance.md replaces the table there, and
the curves in docs/pictures, which it shows. BEFORE=/path of a checkout of an earlier commit is what `outage` and
`hostile_models` compare with. Each benchmark runs in a process of its own; the shops are built once, and dropped.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from infra.local.options import ROOT
from infra.local.servers.databases import start_mariadb
from tests.benchmarks import curves
from tests.benchmarks.frame import Bench, Row
from tests.benchmarks.screen import without_metrics
from tests.benchmarks.table import markdown, replaced, shown
from tests.support.large_shop import build, schema

_FOLDER = Path(__file__).parent
_ALONE = frozenset(
    {"dashboard", "export", "training", "what_if", "young_shops", "evaluation", "outage", "hostile_models", "seasons"}
)
"""What takes minutes and is none of the goals of speed: run by name alone."""
_SERVER = ("--innodb-buffer-pool-size=8G", "--innodb-log-file-size=1G")
"""As a database has that serves a million customers: it holds their rows and indexes in memory."""
# What is expected of customers is told in money, as by trained versions.
_SPENDING = {
    "p": 4.0, "q": 3.0, "gamma": 60.0,
    "interval": {"expected": [1.0, 100.0, 1000.0], "low": [0.0, 10.0, 200.0], "high": [80.0, 300.0, 2000.0]},
}  # fmt: skip
_LAST = "sweep"
"""It changes the shop that the others read."""


def main() -> int:
    """Run the benchmarks that are asked for; return 1 if one of them failed."""
    every = sorted(path.stem.removeprefix("bench_") for path in _FOLDER.glob("bench_*.py"))
    asked = sys.argv[1:] or sorted(set(every) - _ALONE, key=lambda name: (name == _LAST, name))
    if unknown := set(asked) - set(every):
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(every)}")
        return 2
    # What the functions tell of each request is not for here.
    os.environ.update(POWERTOOLS_METRICS_DISABLED="true", POWERTOOLS_LOG_LEVEL="ERROR", PYTHONWARNINGS="ignore")
    begun, failed = time.monotonic(), []
    rows: list[Row] = []
    times: dict[str, float] = {}
    with _shared({size for name in asked for size in _sizes(name)}) as bench:
        for name in asked:
            started = time.monotonic()
            try:
                found = _in_a_process(_measured, name, bench)
            except Exception as error:  # noqa: BLE001 (the others are measured all the same)
                failed.append(name)
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
                continue
            finally:
                times[name] = time.monotonic() - started
                print(f"{name}: {times[name]:.0f} s", flush=True)
            rows += found
    told = f"{datetime.now(UTC):%d %B %Y}, {_machine()}, {time.monotonic() - begun:.0f} s in all: "
    told += ", ".join(f"{name} {seconds:.0f}" for name, seconds in times.items())
    if failed:
        told += f"; failed: {', '.join(failed)}"
    _tell(rows, told)
    return 1 if failed else 0


def _sizes(name: str) -> Sequence[int]:
    """Return the sizes of the shops that a benchmark reads."""
    sizes: Sequence[int] = getattr(import_module(f"tests.benchmarks.bench_{name}"), "SHOPS", ())
    return sizes


@contextmanager
def _shared(sizes: set[int]) -> Iterator[Bench]:
    """Yield what benchmarks share, with shops of these sizes; all of it ends with the block."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        model = Path(folder) / "model.npz"
        # In a process of its own, so that what training takes is nobody's memory.
        model.write_bytes(_in_a_process(_trained))
        server = start_mariadb(Path(folder) / "mariadb", None, *_SERVER)
        stack.callback(server.stop)
        urls = {}
        for size in sorted(sizes):
            urls[size] = stack.enter_context(schema(server.url, f"shop_{size}"))
            started = time.monotonic()
            build(urls[size], size, read_model(model.read_bytes()))
            print(f"a shop of {size:,} customers: {time.monotonic() - started:.0f} s", flush=True)
        yield Bench(str(model), server.url, server.process.pid, urls)


def _in_a_process[**P, T](work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(work, *arguments, **named).result()


def _trained() -> bytes:
    from tests.support.forests import PURCHASE_PROCESS, fitted_forest, metadata, trees_of  # noqa: PLC0415  (it loads scikit-learn)

    described = metadata() | {"current_process": PURCHASE_PROCESS, "spending": _SPENDING}
    return ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), described).to_bytes()


def _measured(name: str, bench: Bench) -> list[Row]:
    with without_metrics(sys.stdout):
        return [*import_module(f"tests.benchmarks.bench_{name}").measure(bench)]


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} processors ({model}), load {os.getloadavg()[0]:.1f} at the end"


def _tell(rows: Sequence[Row], told: str) -> None:
    """Print the table, and write the file and the curves."""
    print(f"\n{shown(rows)}\n{told}")
    folder = ROOT / ".local" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    kept = [asdict(row) | {"ratio": row.ratio, "goal": row.goal, "is_met": row.is_met} for row in rows]
    (folder / "bench.json").write_text(json.dumps({"told": told, "rows": kept}, indent=1), encoding="utf-8")
    drawn = curves.draw(rows, folder)
    print(f"in {folder.relative_to(ROOT)}: bench.json, {', '.join(path.name for path in drawn)}")
    if document := os.environ.get("DOCUMENT"):
        path = ROOT / document
        pictures = ROOT / "docs" / "pictures"
        for old in pictures.glob("growth-*.svg"):
            old.unlink()
        shows = [f"pictures/{picture.name}" for picture in curves.draw(rows, pictures)]
        path.write_text(replaced(path.read_text(encoding="utf-8"), markdown(rows, told, shows)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
