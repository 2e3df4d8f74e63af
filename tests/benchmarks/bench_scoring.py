"""Events that one process of `scoring` applies: by the size of its batch, beside the way without batches, and by four.

Histories of 10,000 customers; events of random ones, as a busy topic delivers them. Time is that of the processors, of
the process and of the database; for four processes a clock's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing import get_context

import numpy as np

from churn.adapters.mysql import Database
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES
from churn.services.scoring import Scoring
from tests.benchmarks.frame import SIZES, Bench, Row, Spread, in_turns
from tests.support.forests import fitted_forest
from tests.support.large_shop import NOW, SETTINGS

_SIZE = min(100_000, SIZES[-1])
SHOPS = (_SIZE,)
_SECONDS = 5.0
_PATIENCE_SECONDS = 300
_SHARED = 6
"""How many batches of 500 one process applies, and each of four."""


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what an event costs."""
    with bench.database(_SIZE) as database:
        scoring = Scoring(database, bench.model, SETTINGS)
        alone = _alone(bench, scoring)
        for batch in (50, 500, 1000):
            taken = [*_applied(bench, scoring, batch)]
            spread = Spread.of([micros for micros, _ in taken])
            what = f"an event of Kafka, batches of {batch}, database included"
            is_asked = batch == 500
            yield Row(
                what, "µs", spread, "one event, scikit-learn, commit at a time", alone,
                at_most=1e6 / 3000 if is_asked else None, times=50 if is_asked else None,
            )  # fmt: skip
            yield Row(f"{what}, by the clock", "µs", Spread.of([clock for _, clock in taken]))
    one, four = (_by_processes(bench, number) for number in (1, 4))
    yield Row("an event, four processes on one database", "µs", four, "one process", one, times=1.5)


def _applied(bench: Bench, scoring: Scoring, batch: int) -> Iterator[tuple[float, float]]:
    """Apply batches for a while; yield microseconds of an event, of all processors and of the clock."""
    events = _orders(random.Random(batch))
    until = time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        part = [next(events) for _ in range(batch)]
        used, begun = time.process_time() + bench.server_seconds(), time.perf_counter()
        scoring.apply(part, now=NOW)
        clock, used = time.perf_counter() - begun, time.process_time() + bench.server_seconds() - used
        yield used / batch * 1e6, clock / batch * 1e6


def _alone(bench: Bench, scoring: Scoring) -> Spread:
    """Return microseconds of one event, one call of scikit-learn and one commit at a time."""
    forest = fitted_forest(trees=200, rows=12_000, with_derived=False)
    row = np.ones((1, len(FEATURE_NAMES)))
    events = _orders(random.Random(1))

    def one(_: int) -> None:
        scoring.apply([next(events)], now=NOW)
        forest.predict_proba(row)

    (spread,) = in_turns([one], 100, lambda: time.process_time() + bench.server_seconds())
    return Spread(spread.median * 1e6, spread.low * 1e6, spread.high * 1e6)


def _by_processes(bench: Bench, number: int) -> Spread:
    """Return microseconds of the clock for an event of so many processes at once."""
    context = get_context("spawn")
    start = context.Barrier(number + 1)
    processes = [context.Process(target=_share, args=(bench, seed, start)) for seed in range(number)]
    for process in processes:
        process.start()
    # A process that has failed never comes to the start.
    start.wait(_PATIENCE_SECONDS)
    begun = time.perf_counter()
    for process in processes:
        process.join()
    took = time.perf_counter() - begun
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process failed: a deadlock has surfaced")
    micros = took / (number * _SHARED * 500) * 1e6
    return Spread(micros, micros, micros)


def _share(bench: Bench, seed: int, start: object) -> None:
    events = _orders(random.Random(100 + seed + time.monotonic_ns()))
    scoring = Scoring(Database(bench.urls[_SIZE]), bench.model, SETTINGS)
    scoring.apply([next(events)], now=NOW)
    start.wait(_PATIENCE_SECONDS)  # type: ignore[attr-defined]
    for _ in range(_SHARED):
        scoring.apply([next(events) for _ in range(500)], now=NOW)


def _orders(chance: random.Random) -> Iterator[Event]:
    while True:
        name = f"{chance.getrandbits(60):x}"
        lived, copies = 10_000, _SIZE // 10_000 or 1
        shift = chance.randrange(copies) * lived
        customer = f"C-{chance.randrange(min(lived, _SIZE))}" + (f"-{shift}" if shift else "")
        at = NOW - timedelta(days=chance.uniform(0, 300))
        data = {"order_id": f"o-{name}", "order_value": chance.uniform(5, 200)}
        yield Event(f"e-{name}", "order_placed", customer, at, data)
