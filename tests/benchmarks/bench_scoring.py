"""Events that one process of `scoring` applies: by the size of its batch, beside the way without batches, and by four.

Histories of 10,000 customers; events of random ones, as a busy topic delivers them. Time is that of the processors, of
the process and of the database; for four processes a clock's. Each of these has customers of its own, as the partitions
of a topic do, whose records have the customer's id as their key; beside that all four take any, and wait for rows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from multiprocessing import get_context

import numpy as np

from churn.adapters.mysql import Database
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES
from churn.services.scoring import Scoring
from tests.benchmarks.frame import SIZES, Bench, Row, Spread, in_turns, one
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
    alone, _ = _by_processes(bench, 1)
    for what, shares in (("customers of their own", True), ("the same customers", False)):
        four, waited = _by_processes(bench, 4, shares=shares)
        yield Row(
            f"an event, four processes with {what}", "µs", four, "one process", alone, times=1.5 if shares else None
        )
        yield Row(f"an event, four processes with {what}: waiting for locks of rows", "µs", waited)


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


def _by_processes(bench: Bench, number: int, *, shares: bool = True) -> tuple[Spread, Spread]:
    """Return microseconds of the clock for an event of so many processes at once, and how long it waited for locks.

    `shares`: each process has a share of the customers, and no other scores them.
    """
    context = get_context("spawn")
    start = context.Barrier(number + 1)
    shared = [(place, number) if shares else (0, 1) for place in range(number)]
    processes = [context.Process(target=_share, args=(bench, share, start)) for share in shared]
    for process in processes:
        process.start()
    # A process that has failed never comes to the start.
    start.wait(_PATIENCE_SECONDS)
    waited, begun = _lock_millis(bench), time.perf_counter()
    for process in processes:
        process.join()
    took, waited = time.perf_counter() - begun, _lock_millis(bench) - waited
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process failed: a deadlock has surfaced")
    events = number * _SHARED * 500
    return one(took / events * 1e6), one(waited / events * 1e3)


def _lock_millis(bench: Bench) -> int:
    """Return for how many milliseconds transactions have waited for locks of rows since the server's start."""
    with closing(Database(bench.server_url)) as database:
        row = database.run(lambda transaction: transaction.row("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_time'"))
    return int(row["Value"]) if row else 0


def _share(bench: Bench, share: tuple[int, int], start: object) -> None:
    events = _orders(random.Random(time.monotonic_ns() + share[0]), share)
    scoring = Scoring(Database(bench.urls[_SIZE]), bench.model, SETTINGS)
    scoring.apply([next(events)], now=NOW)
    start.wait(_PATIENCE_SECONDS)  # type: ignore[attr-defined]
    for _ in range(_SHARED):
        scoring.apply([next(events) for _ in range(500)], now=NOW)


def _orders(chance: random.Random, share: tuple[int, int] = (0, 1)) -> Iterator[Event]:
    """Yield orders of any customers of a share, which is its place among how many."""
    place, shares = share
    lived, copies = 10_000, _SIZE // 10_000 or 1
    while True:
        name = f"{chance.getrandbits(60):x}"
        shift = chance.randrange(copies) * lived
        customer = f"C-{chance.randrange(min(lived, _SIZE) // shares) * shares + place}" + (
            f"-{shift}" if shift else ""
        )
        at = NOW - timedelta(days=chance.uniform(0, 300))
        data = {"order_id": f"o-{name}", "order_value": chance.uniform(5, 200)}
        yield Event(f"e-{name}", "order_placed", customer, at, data)
