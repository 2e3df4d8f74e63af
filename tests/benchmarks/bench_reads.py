"""Reads that are no list of customers, in a shop of a million beside one of 10,000: inside the function, uncached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.redis_cache import Cache
from churn.domain.risk import ACTIVE_STATUSES
from churn.services.alert_outcomes import performance
from churn.services.alert_preview import RulesAsked, preview
from churn.services.alerts import list_alerts
from churn.services.cohorts import cohort_table
from churn.services.customer_filters import CustomerFilters
from churn.services.customer_story import CustomerStory, RiskQuery, TimelineQuery
from churn.services.customers import Customers
from churn.services.dashboard import Dashboard
from churn.services.segments import Segments
from tests.benchmarks.frame import MOST_GROWTH, SIZES, Bench, Row, by_size, grown
from tests.support.large_shop import NOW, SETTINGS

SHOPS = SIZES
_WHO = "C-777"
_WEEKS = """
INSERT IGNORE INTO alert_weeks (week, alert_type, handling, outcome, number)
SELECT DATE '2026-11-23' - INTERVAL 7 * w.seq DAY, CONCAT('kind_', k.seq),
  ELT(h.seq, 'untouched', 'worked', 'dismissed'), ELT(o.seq, 'pending', 'left', 'stayed', 'none'), {size}
FROM seq_0_to_103 w, seq_1_to_6 k, seq_1_to_3 h, seq_1_to_4 o
"""
_SEGMENTS = {
    "high value at risk": CustomerFilters(
        risk_level=("high", "critical"), status=ACTIVE_STATUSES, min_value_at_risk=200
    ),
    "came back": CustomerFilters(status=ACTIVE_STATUSES, max_days_since_return=30),
    "never bought again": CustomerFilters(status=("lapsed",), min_total_orders=1, max_total_orders=1),
    "current": CustomerFilters(status=ACTIVE_STATUSES),
    "everybody": CustomerFilters(),
    "with an open alert": CustomerFilters(has_open_alert=True),
}


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what each read takes, by the size of the shop."""
    with bench.databases() as databases:
        reads = {}
        for size, database in databases.items():
            database.run(partial(_add_weeks, size=size))
            reads[size] = {**_reads(database), **_segments(database)}
        for what in reads[SIZES[0]]:
            # What looks at a bounded part of the shop grows up to the bound.
            growth = None if what.startswith(("opening", "a preview", "alerts of")) else MOST_GROWTH
            yield from grown(what, by_size({size: of_size[what] for size, of_size in reads.items()}), growth=growth)


def _reads(database: Database) -> dict[str, Callable[[], object]]:
    dashboard, story = Dashboard(database, Cache(""), SETTINGS), CustomerStory(database, SETTINGS.retention)
    customers = Customers(database, SETTINGS)
    return {
        "stats, nothing cached": lambda: dashboard.stats(NOW),
        "trends of a year, nothing cached": lambda: dashboard.trends("1y", "day", NOW),
        "one customer": lambda: customers.get(_WHO, NOW),
        "a timeline, all kinds": lambda: story.timeline(_WHO, TimelineQuery(), NOW),
        "risk over time, 50 points": lambda: story.predictions(_WHO, RiskQuery()),
        "a customer as of three weeks ago": lambda: story.then(_WHO, NOW - timedelta(weeks=3), NOW),
        "retention of 12 months": lambda: cohort_table(database, "month", 12, NOW),
        "how good alerts were, half a year": lambda: performance(
            database, SETTINGS, by=("kind", "week"), first=None, last=None, now=NOW
        ),
        "alerts of an inbox, 50": lambda: list_alerts(database, Wanted(status=("new",), awake_at=NOW), limit=50),
        "alerts of a kind and a priority, 50": lambda: list_alerts(
            database, Wanted(alert_type="churn_risk", priority="low"), limit=50
        ),
        "alerts of a status in a quarter, 50": lambda: list_alerts(
            database, Wanted(status=("resolved",), created_from=NOW - timedelta(days=90)), limit=50
        ),
        "a preview of alerts": lambda: preview(database, SETTINGS, RulesAsked(), until=None, now=NOW),
    }


def _segments(database: Database) -> dict[str, Callable[[], object]]:
    """Return what opens each of some segments, which it stores."""
    kept = Segments(database, Cache(""), SETTINGS)
    ids = {name: kept.add(f"bench: {name}", filters, "bench", NOW)["id"] for name, filters in _SEGMENTS.items()}
    return {f"opening a segment: {name}": partial(kept.get, key, NOW) for name, key in ids.items()}


def _add_weeks(transaction: Transaction, size: int) -> None:
    transaction.execute(_WEEKS.format(size=size))
    transaction.execute("ANALYZE TABLE alert_weeks")
