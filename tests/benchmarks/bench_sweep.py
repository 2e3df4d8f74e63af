"""The rescoring sweep of a shop of which three in ten customers are due, and of one in which nobody is.

In time of the clock, of this process's processor, and of the database's; and what readers see of it meanwhile.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

from churn.services.customers import CustomerQuery, Customers
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from tests.benchmarks.frame import SIZES, Bench, Row, Spread, in_turns, one, scaled, timed
from tests.support.large_shop import NOW, SETTINGS

SHOPS = (SIZES[-1],)
_READS = 40


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what a sweep costs, and one that finds nobody."""
    size = SIZES[-1]
    with bench.database(size) as database, bench.database(size) as of_readers:
        scoring = Scoring(database, bench.model, SETTINGS)
        customers = Customers(of_readers, SETTINGS)

        def read() -> None:
            customers.page(CustomerQuery(sort="value_at_risk", limit=100), NOW)

        before = Spread.of([timed(read) * 1000 for _ in range(_READS)])
        meanwhile: list[float] = []
        ended = threading.Event()
        reader = threading.Thread(target=lambda: _read_on(read, ended, meanwhile))
        reader.start()
        begun, own, of_server = time.perf_counter(), time.thread_time(), bench.server_seconds()
        scored = sweep(scoring, now=NOW, time_left=lambda: True).scored
        took, own = time.perf_counter() - begun, time.thread_time() - own
        of_server = bench.server_seconds() - of_server
        ended.set()
        reader.join()
        what = f"a sweep, {scored:,} due"
        share = size / 1_000_000
        yield Row(f"{what}, both processors", "s", one(own + of_server), at_most=120 * share, size=size)
        yield Row(f"{what}, by the clock, beside a reader", "s", one(took), size=size)
        yield Row(f"{what}: a customer, this process", "µs", one(own / scored * 1e6), size=size)
        yield Row(f"{what}: a customer, the database, reader included", "µs", one(of_server / scored * 1e6), size=size)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Row(f"{what}: memory at most", "MB", one(memory), at_most=300, size=size)
        slowest, usual = (one(spread.high) for spread in (Spread.of(meanwhile), before))
        yield Row("readers' 95th percentile beside a sweep", "ms", slowest, "without one", usual, growth=2, size=size)
        later = NOW + timedelta(minutes=15)
        (idle,) = in_turns([lambda _: _nobody(scoring, later)], 5, time.perf_counter)
        yield Row("a sweep, nobody due", "ms", scaled(idle, 1000), at_most=200, size=size)


def _read_on(read: object, ended: threading.Event, taken: list[float]) -> None:
    while not ended.is_set():
        taken.append(timed(read) * 1000)  # type: ignore[arg-type]
        ended.wait(0.2)


def _nobody(scoring: Scoring, now: object) -> None:
    if sweep(scoring, now=now, time_left=lambda: True).scored:  # type: ignore[arg-type]
        raise RuntimeError("somebody was due")
