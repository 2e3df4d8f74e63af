"""One customer with 100,000 orders beside one with ten: what an event costs, and how large the state is.

Each event is a batch of its own, as it is when a shop is quiet; the two customers take turns.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from churn.domain.events import Event
from churn.services.scoring import Scoring
from tests.support.models import RecencyModel
from tests.support.own_database import scoring_on_a_database_of_its_own

ORDERS = 100_000
ROUNDS = 60
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_chance = random.Random(3)


def main() -> None:
    """Fill a database, and print the medians."""
    with scoring_on_a_database_of_its_own(RecencyModel()) as (database, scoring):
        for customer_id, orders in (("LARGE", ORDERS), ("SMALL", 10)):
            history = [_order(customer_id, number, _chance.uniform(0, 720)) for number in range(orders)]
            for start in range(0, orders, 5000):
                scoring.apply(history[start : start + 5000], now=_NOW, raise_alerts=False)
        _compare(scoring)
        sizes = database.run(
            lambda transaction: transaction.rows(
                "SELECT c.customer_id, LENGTH(s.state) AS bytes FROM customers c "
                "JOIN customer_states s ON s.customer_pk = c.id ORDER BY 1"
            )
        )
        for row in sizes:
            print(f"state of {row['customer_id']:<35} {row['bytes']:9,} bytes")


def _compare(scoring: Scoring) -> None:
    # Even numbers go to one customer, odd ones to the other.
    numbers, newest = iter(range(1_000_000, 2_000_000)), iter(range(1_000_000, 2_000_000))
    kinds: dict[str, Callable[[str], Event]] = {
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
    for name, make in kinds.items():
        taken: dict[str, list[float]] = {"LARGE": [], "SMALL": []}
        for _ in range(ROUNDS):
            for who, times in taken.items():
                event = make(who)
                begun = time.perf_counter()
                scoring.apply([event], now=_NOW)
                times.append(1000 * (time.perf_counter() - begun))
        large, small = median(taken["LARGE"]), median(taken["SMALL"])
        print(f"{name:<40} {large:7.1f} ms, {small:5.1f} ms with ten orders: {large / small:5.2f} times", flush=True)


def _order(customer_id: str, number: int, days_ago: float) -> Event:
    at = _NOW - timedelta(days=days_ago)
    return Event(f"e{number}", "order_placed", customer_id, at, {"order_id": f"o{number}", "order_value": 20})


def _cancelled(customer_id: str, number: int) -> Event:
    data = {"order_id": f"o{number}"}
    return Event(f"c{_chance.random()}", "order_cancelled", customer_id, _NOW, data)


if __name__ == "__main__":
    main()
