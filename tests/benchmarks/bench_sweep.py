"""The rescoring sweep of a shop of which three in ten customers are due, and of one in which nobody is.

In time of the clock, of this process's processor, and of the database's; and what readers see of it meanwhile. A sweep
that lasts longer than `SWEEP_SECONDS` is ended there: what all would take is reckoned from those it has scored.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from churn.adapters.mysql import Database, hourly_stats
from churn.services.customers import CustomerQuery, Customers
from churn.services.hourly_stats import first_hour, hours_between, measure_hours, refresh
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from tests.benchmarks.frame import SIZES, Bench, Row, Spread, in_turns, one, scaled, timed
from tests.support.large_shop import NOW, SETTINGS

SHOPS = (SIZES[-1],)
_READS_BEFORE = 40
_PAUSE_SECONDS = 0.2
_MOST_SECONDS = float(os.environ.get("SWEEP_SECONDS", "150"))
_SCORED = (
    "UPDATE customers SET scored_at = %s, model_version = %s "
    "WHERE deleted = 0 AND (scored_at < %s OR model_version <> %s)"
)


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what a sweep costs, and one that finds nobody."""
    size, context = SIZES[-1], get_context("spawn")
    ended, (told, tells) = context.Event(), context.Pipe(duplex=False)
    # In a process of its own, as other functions have: in a thread it would wait for this one's interpreter.
    reader = context.Process(target=_read_on, args=(bench.urls[size], ended, tells))
    reader.start()
    with bench.database(size) as database:
        scoring = Scoring(database, bench.model, SETTINGS)
        time.sleep(_READS_BEFORE * _PAUSE_SECONDS)
        due = len(scoring.due(0, now=NOW))
        begun, own, of_server = time.monotonic(), time.process_time(), bench.server_seconds()
        scored = sweep(scoring, now=NOW, time_left=lambda: time.monotonic() < begun + _MOST_SECONDS).scored
        took, own = time.monotonic() - begun, time.process_time() - own
        of_server = bench.server_seconds() - of_server
        ended.set()
        reads: list[tuple[float, float]] = told.recv()
        reader.join()
        what = f"a sweep, {due:,} due"
        share, whole = size / 1_000_000, due / scored
        reckoned = "" if scored == due else f", reckoned from {scored:,}"
        both = one((own + of_server) * whole)
        yield Row(f"{what}, both processors{reckoned}", "s", both, at_most=120 * share, size=size)
        yield Row(f"{what}, by the clock, beside a reader{reckoned}", "s", one(took * whole), size=size)
        yield Row(f"{what}: a customer, this process", "µs", one(own / scored * 1e6), size=size)
        yield Row(f"{what}: a customer, the database, reader included", "µs", one(of_server / scored * 1e6), size=size)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Row(f"{what}: memory at most", "MB", one(memory), at_most=300, size=size)
        before, beside = (
            Spread.of([taken for at, taken in reads[1:] if (at >= begun) == is_beside]) for is_beside in (False, True)
        )
        what = "a reader's 95th percentile beside a sweep"
        yield Row(what, "ms", one(beside.high), "without one", one(before.high), growth=2, size=size)
        # Whom a sweep that was ended has left counts as scored; an import's customers are scored by a model of its own.
        version, before_now = bench.model.version, NOW - SETTINGS.sweep_after
        database.run(lambda transaction: transaction.execute(_SCORED, (NOW, version, before_now, version)))
        yield from _idle(database, scoring, size)


def _idle(database: Database, scoring: Scoring, size: int) -> Iterator[Row]:
    """Yield what the function takes when nobody is due."""
    _store_hours(database)
    later, over = NOW + timedelta(minutes=15), NOW + timedelta(minutes=75)

    def whole(_: int) -> None:
        _nobody(scoring, later)
        refresh(database, SETTINGS, later)

    idle, with_hour, of_over = in_turns(
        [lambda _: _nobody(scoring, later), whole, lambda _: measure_hours(database, SETTINGS, [NOW], over)],
        5,
        time.perf_counter,
    )
    yield Row("a sweep, nobody due", "ms", scaled(idle, 1000), at_most=200, size=size)
    what = "a sweep, nobody due, with the figures of the hour"
    yield Row(what, "ms", scaled(with_hour, 1000), at_most=200, size=size)
    yield Row("the figures of an hour that is over", "ms", scaled(of_over, 1000), size=size)


def _store_hours(database: Database) -> None:
    """Store hours as they stand after a sweep: of a shop without them, all are calculated."""
    rows = [(hour, 0, 0, 0, 0) for hour in hours_between(first_hour(NOW), NOW)]
    database.run(lambda transaction: hourly_stats.put(transaction, rows, NOW))


def _read_on(url: str, ended: Event, tells: Connection) -> None:
    """Read a page now and then; tell when each read began (of the monotonic clock), and its milliseconds."""
    reads = []
    with closing(Database(url)) as database:
        customers = Customers(database, SETTINGS)
        while not ended.wait(_PAUSE_SECONDS):
            begun = time.monotonic()
            taken = timed(lambda: customers.page(CustomerQuery(sort="value_at_risk", limit=100), NOW))
            reads.append((begun, taken * 1000))
    tells.send(reads)


def _nobody(scoring: Scoring, now: object) -> None:
    if sweep(scoring, now=now, time_left=lambda: True).scored:  # type: ignore[arg-type]
        raise RuntimeError("somebody was due")
