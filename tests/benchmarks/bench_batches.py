"""Events a second that one invocation of scoring applies, by the size of its batch: what `BatchSize` is chosen by.

Ten thousand customers with a history each; events of random ones, as a busy topic delivers them. By the clock, and what
an event takes of this process's processor and of the database's.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from churn.domain.events import Event
from churn.ml.random_forest import ChurnModel
from churn.services.scoring import Scoring
from tests.support.forests import fitted_forest, metadata, trees_of
from tests.support.own_database import scoring_on_a_database_of_its_own, seconds_of_servers

CUSTOMERS = 10_000
SIZES = (10, 50, 200, 500, 1000)
SECONDS = 6.0
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_chance = random.Random(5)


def main() -> None:
    """Fill a database, and print what each size of a batch brings."""
    model = ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), metadata())
    with scoring_on_a_database_of_its_own(model) as (_, scoring):
        events = _orders()
        for _ in range(CUSTOMERS * 3 // 1000):
            scoring.apply([next(events) for _ in range(1000)], now=_NOW, raise_alerts=False)
        for size in SIZES:
            used, database = time.process_time(), seconds_of_servers()
            took = list(_batches(scoring, events, size))
            own, database = time.process_time() - used, seconds_of_servers() - database
            median, applied = statistics.median(took), size * len(took)
            print(
                f"batches of {size:5,}   {median * 1000:9.1f} ms each   {size / median:9,.0f} events a second   "
                f"{own / applied * 1e6:6,.0f} + {database / applied * 1e6:,.0f} µs of processors an event"
            )


def _batches(scoring: Scoring, events: Iterator[Event], size: int) -> Iterator[float]:
    """Apply batches for a while; yield how long each took."""
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        batch = [next(events) for _ in range(size)]
        begin = time.perf_counter()
        scoring.apply(batch, now=_NOW)
        yield time.perf_counter() - begin


def _orders() -> Iterator[Event]:
    number = 0
    while True:
        number += 1
        customer = f"C-{_chance.randrange(CUSTOMERS)}"
        at = _NOW - timedelta(days=_chance.uniform(0, 300))
        data = {"order_id": f"o-{number}", "order_value": _chance.uniform(5, 200)}
        yield Event(f"e-{number}", "order_placed", customer, at, data)


if __name__ == "__main__":
    main()
