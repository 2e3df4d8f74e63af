"""A customer's story in a shop of a million beside one of 10,000: the 95th percentile of a page and of what follows."""

from collections.abc import Callable
from datetime import timedelta

from churn.adapters.mysql import Database, Transaction
from churn.services.customer_story import CustomerStory, RiskQuery, TimelineQuery
from churn.settings import Settings
from tests.benchmarks.bench_alerts import PREDICTIONS, percentile
from tests.benchmarks.bench_customer_lists import NOW, SIZES, filled

_RETENTION = Settings.from_environment({}).retention
_WHO = "CUST-7777"
_KEY = 7777
# Two of everybody; two thousand of one customer, whose story is read.
_EVENTS = """
INSERT INTO events (customer_pk, event_id, event_type, occurred_at, data)
SELECT id, CONCAT('e', n.seq), 'login', %s - INTERVAL (n.seq * 997 + id MOD 1000) MINUTE, '{}'
FROM customers, seq_1_to_2 n
UNION ALL SELECT %s, CONCAT('x', n.seq), 'login', %s - INTERVAL n.seq HOUR, '{}' FROM seq_1_to_2000 n
"""
_POINTS = """
INSERT INTO predictions (customer_pk, risk_level, churn_probability, confidence, model_version, as_of, created_at,
  value_at_risk, is_active)
SELECT %s, 'low', 0.001 * (n.seq MOD 400), 0.9, 'v1', %s - INTERVAL n.seq HOUR, %s - INTERVAL n.seq HOUR, 10, TRUE
FROM seq_1_to_1000 n
"""
_READS: dict[str, Callable[[CustomerStory], object]] = {
    "timeline, all kinds": lambda story: story.timeline(_WHO, TimelineQuery(), NOW),
    "timeline, predictions of last week": lambda story: story.timeline(
        _WHO, TimelineQuery(kind=("prediction",), date_from=NOW - timedelta(days=7)), NOW
    ),
    "timeline, 1,000 hours ago": lambda story: story.timeline(
        _WHO, TimelineQuery(date_to=NOW - timedelta(hours=1000)), NOW
    ),
    "risk over time, 50 points": lambda story: story.predictions(_WHO, RiskQuery()),
    "as of three weeks ago": lambda story: story.then(_WHO, NOW - timedelta(weeks=3), NOW),
}


def main() -> None:
    """Fill a database for each size, and print the percentiles."""
    measured: dict[str, list[float]] = {name: [] for name in _READS}
    for size in SIZES:
        with filled(size) as database:
            database.run(_fill)
            for name, read in _READS.items():
                measured[name].append(_percentile(database, read))
    print(f"{'95th percentile, milliseconds':<50}" + "".join(f"{size:>12,}" for size in SIZES))
    for name, taken in measured.items():
        print(f"{name:<50}" + "".join(f"{milliseconds:12.1f}" for milliseconds in taken))


def _fill(transaction: Transaction) -> None:
    transaction.execute(_EVENTS, (NOW, _KEY, NOW))
    transaction.execute(PREDICTIONS, (0, NOW, 3, 1))
    transaction.execute(_POINTS, (_KEY, NOW, NOW))
    transaction.execute("ANALYZE TABLE events, predictions")


def _percentile(database: Database, read: Callable[[CustomerStory], object]) -> float:
    story = CustomerStory(database, _RETENTION)
    return percentile(database, lambda _: read(story))


if __name__ == "__main__":
    main()
