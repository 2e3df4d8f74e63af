"""Opening a segment of a million customers beside one of 10,000: the 95th percentile of a count that no cache holds."""

import time
from collections.abc import Callable
from functools import partial

from churn.adapters.mysql import Transaction
from churn.adapters.redis_cache import Cache
from churn.domain.risk import ACTIVE_STATUSES
from churn.domain.segment_answers import Segment
from churn.services.customer_filters import CustomerFilters
from churn.services.segments import Segments
from churn.settings import Settings
from tests.benchmarks.bench_customer_lists import NOW, SIZES, filled

ROUNDS = 20
_ORDERS = """
INSERT INTO orders (customer_pk, order_id, placed_at, cents)
SELECT id, 'last', last_order_at, 1000 FROM customers
UNION ALL SELECT id, 'before', last_order_at - INTERVAL 40 DAY, 1000 FROM customers WHERE total_orders > 1
"""
_AT_RISK = "UPDATE customers SET at_risk_since = scored_at - INTERVAL (id MOD 60) DAY WHERE status = 'at_risk'"
_RETURNS = "UPDATE customers SET returned_at = last_order_at WHERE id MOD 20 = 0"
_SEGMENTS = {
    "high value at risk": CustomerFilters(
        risk_level=("high", "critical"), status=ACTIVE_STATUSES, min_value_at_risk=200
    ),
    "newly at risk this week": CustomerFilters(status=("at_risk",), max_days_at_risk=7),
    "came back": CustomerFilters(status=ACTIVE_STATUSES, max_days_since_return=30),
    "never bought again": CustomerFilters(status=("lapsed",), min_total_orders=1, max_total_orders=1),
    "current": CustomerFilters(status=ACTIVE_STATUSES),
    "everybody": CustomerFilters(),
    "with an open alert": CustomerFilters(has_open_alert=True),
}


def main() -> None:
    """Fill a database for each size, and print the percentiles, with a mark where the count is a lower bound."""
    measured: dict[str, list[str]] = {name: [] for name in _SEGMENTS}
    for size in SIZES:
        with filled(size) as database:
            database.run(_add)
            kept = Segments(database, Cache(""), Settings.from_environment({}))
            for name, filters in _SEGMENTS.items():
                segment_id = kept.add(f"bench: {name}", filters, "bench", NOW)["id"]
                measured[name].append(_percentile(partial(kept.get, segment_id, NOW)))
    print(f"{'95th percentile of opening a segment, milliseconds':<55}" + "".join(f"{size:>12,}" for size in SIZES))
    for name, figures in measured.items():
        print(f"{name:<55}" + "".join(f"{figure:>12}" for figure in figures))


def _add(transaction: Transaction) -> None:
    for statement in (_ORDERS, _AT_RISK, _RETURNS, "ANALYZE TABLE customers, orders"):
        transaction.execute(statement)


def _percentile(get: Callable[[], Segment]) -> str:
    took, figures = [], None
    for _ in range(ROUNDS):
        started = time.perf_counter()
        figures = get()["figures"]
        took.append(time.perf_counter() - started)
    mark = ">" if figures and figures["is_lower_bound"] else ""
    return f"{mark}{1000 * sorted(took)[int(0.95 * ROUNDS) - 1]:.0f}"


if __name__ == "__main__":
    main()
