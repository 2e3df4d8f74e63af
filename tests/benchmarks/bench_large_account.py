"""One customer with 20,000 orders (`ORDERS=100000`) beside one with ten: what an event costs, how large the state is.

Each event is a batch of its own, as it is when a shop is quiet; the two customers take turns.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

from churn.domain.events import Event
from churn.services.scoring import Scoring
from tests.benchmarks.frame import Bench, Row, in_turns, one, scaled
from tests.support.large_shop import SETTINGS
from tests.support.models import RecencyModel

ORDERS = int(os.environ.get("ORDERS", "20000"))
ROUNDS = 40
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_chance = random.Random(3)


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what events of the large customer take, beside those of the small one."""
    with bench.empty() as database:
        scoring = Scoring(database, RecencyModel(), SETTINGS)
        for customer_id, orders in (("LARGE", ORDERS), ("SMALL", 10)):
            history = [_order(customer_id, number, _chance.uniform(0, 720)) for number in range(orders)]
            for start in range(0, orders, 5000):
                scoring.apply(history[start : start + 5000], now=_NOW, raise_alerts=False)
        for what, make in _kinds().items():
            works = [partial(_applied, scoring, make, who) for who in ("LARGE", "SMALL")]
            large, small = (scaled(spread, 1000) for spread in in_turns(works, ROUNDS, time.perf_counter))
            yield Row(f"{what}, of a customer with {ORDERS:,} orders", "ms", large, "with ten", small, growth=1.5)
        sizes = database.run(
            lambda transaction: transaction.rows(
                "SELECT LENGTH(s.state) AS bytes FROM customers c JOIN customer_states s ON s.customer_pk = c.id "
                "ORDER BY c.customer_id"
            )
        )
        large, small = (one(row["bytes"] / 1000) for row in sizes)
        yield Row(f"the state of a customer with {ORDERS:,} orders", "KB", large, "with ten", small)


def _kinds() -> dict[str, Callable[[str], Event]]:
    # Even numbers go to one customer, odd ones to the other.
    numbers, newest = count(1_000_000), count(1_000_000)
    return {
        "an order, the newest": lambda who: _order(who, next(numbers), 0),
        "a log-in": lambda who: Event(f"l{next(numbers)}", "login", who, _NOW, {}),
        "a late order": lambda who: _order(who, next(numbers), _chance.uniform(300, 700)),
        "a cancellation of an old order": lambda who: _cancelled(
            who, _chance.randrange(10 if who == "SMALL" else ORDERS)
        ),
        "a cancellation of the newest order": lambda who: _cancelled(who, next(newest)),
        "a late balance of points": lambda who: Event(
            f"p{next(numbers)}", "loyalty_points_changed", who, _NOW - timedelta(days=400), {"balance": 5}
        ),
    }


def _applied(scoring: Scoring, make: Callable[[str], Event], who: str, _: int) -> None:
    scoring.apply([make(who)], now=_NOW)


def _order(customer_id: str, number: int, days_ago: float) -> Event:
    at = _NOW - timedelta(days=days_ago)
    return Event(f"e{number}", "order_placed", customer_id, at, {"order_id": f"o{number}", "order_value": 20})


def _cancelled(customer_id: str, number: int) -> Event:
    data = {"order_id": f"o{number}"}
    return Event(f"c{_chance.random()}", "order_cancelled", customer_id, _NOW, data)
