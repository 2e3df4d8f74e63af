"""The rescoring sweep of a shop of which three in ten customers are due, and of one in which nobody is.

`CUSTOMERS=100000` sets the size. In time of the clock, and of this process's processor: the database's comes on top.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import UTC, datetime, timedelta
from itertools import batched

from churn.domain.events import Event
from churn.ml.random_forest import ChurnModel
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from tests.support.forests import fitted_forest, metadata, trees_of
from tests.support.own_database import scoring_on_a_database_of_its_own

CUSTOMERS = int(os.environ.get("CUSTOMERS", "20000"))
ACTIVE = 3 * CUSTOMERS // 10
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_REPEATS = 5


def main() -> None:
    """Fill a database, sweep while nobody is due, then those who are."""
    model = ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), metadata())
    with scoring_on_a_database_of_its_own(model) as (_, scoring):
        _fill(scoring, range(ACTIVE), _NOW - timedelta(days=2))
        _fill(scoring, range(ACTIVE, CUSTOMERS), _NOW)
        _report(scoring)


def _report(scoring: Scoring) -> None:
    began, used = time.perf_counter(), time.process_time()
    scored = sweep(scoring, now=_NOW, time_left=lambda: True).scored
    took, used = time.perf_counter() - began, time.process_time() - used
    print(f"{scored:,} of {CUSTOMERS:,} customers due   {took:8.2f} s   {scored / took:9,.0f} a second")
    print(f"a customer                  {used / scored * 1e6:9,.0f} µs of this process's processor")
    idle = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        if sweep(scoring, now=_NOW + timedelta(minutes=15), time_left=lambda: True).scored:
            raise RuntimeError("somebody was due")
        idle.append(time.perf_counter() - began)
    print(f"nobody of {CUSTOMERS:,} due        {statistics.median(idle) * 1000:9.1f} ms")


def _fill(scoring: Scoring, numbers: range, now: datetime) -> None:
    for part in batched(numbers, 500, strict=False):
        events = [_order(number, order, now) for number in part for order in range(4)]
        scoring.apply(events, now=now, raise_alerts=False)


def _order(number: int, order: int, now: datetime) -> Event:
    at = now - timedelta(days=1 + order * 20 + number % 19)
    data = {"order_id": f"o-{number}-{order}", "order_value": 20.0 + number % 90}
    return Event(f"e-{number}-{order}", "order_placed", f"C-{number}", at, data)


if __name__ == "__main__":
    main()
