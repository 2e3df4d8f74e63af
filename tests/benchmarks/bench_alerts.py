"""Reads of alerts in a shop of a million customers beside one of 10,000: outcomes, a preview, who is next."""

import time
from collections.abc import Callable
from datetime import timedelta

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql.waiting_customers import most_valuable
from churn.domain.alerts import AlertRules
from churn.services.alert_outcomes import performance
from churn.services.alert_preview import RulesAsked, preview
from churn.settings import Settings
from tests.benchmarks.bench_customer_lists import NOW, SIZES, filled

_ROUNDS = 20
_SETTINGS = Settings.from_environment({})
# Of sixty days, one a customer and another for each third.
PREDICTIONS = """
INSERT INTO predictions (customer_pk, risk_level, churn_probability, confidence, model_version, as_of, created_at,
  value_at_risk, is_active)
SELECT id, risk_level, LEAST(0.99, churn_probability + %s), 0.9, 'v1', at, at, value_at_risk, status <> 'lapsed'
FROM (SELECT *, %s - INTERVAL (CRC32(id * %s) MOD 43000) MINUTE AS at FROM customers WHERE id MOD %s = 0) drawn
"""
_WEEKS = """
INSERT INTO alert_weeks (week, alert_type, handling, outcome, number)
SELECT DATE '2026-11-23' - INTERVAL 7 * w.seq DAY, CONCAT('kind_', k.seq),
  ELT(h.seq, 'untouched', 'worked', 'dismissed'), ELT(o.seq, 'pending', 'left', 'stayed', 'none'), {size}
FROM seq_0_to_103 w, seq_1_to_6 k, seq_1_to_3 h, seq_1_to_4 o
"""


def main() -> None:
    """Fill a database for each size, and print the percentiles."""
    reads: dict[str, Callable[[Database], object]] = {
        "performance of half a year": lambda database: performance(
            database, _SETTINGS, by=("kind", "week"), first=None, last=None, now=NOW
        ),
        "preview of the settings in force": lambda database: _preview(database, RulesAsked()),
        "preview of twenty a day": lambda database: _preview(database, RulesAsked(alerts_a_day=20)),
        "the 500 most valuable who wait": lambda database: database.run(_waiting),
    }
    measured: dict[str, list[float]] = {name: [] for name in reads}
    for size in SIZES:
        with filled(size) as database:
            database.run(lambda transaction, size=size: _fill(transaction, size))  # type: ignore[misc]
            for name, read in reads.items():
                measured[name].append(percentile(database, read))
    print(f"{'95th percentile, milliseconds':<50}" + "".join(f"{size:>12,}" for size in SIZES))
    for name, taken in measured.items():
        print(f"{name:<50}" + "".join(f"{milliseconds:12.0f}" for milliseconds in taken))


def _fill(transaction: Transaction, size: int) -> None:
    transaction.execute(PREDICTIONS, (0, NOW - timedelta(days=30), 3, 1))
    transaction.execute(PREDICTIONS, (0.2, NOW, 5, 3))
    transaction.execute(_WEEKS.format(size=size))
    transaction.execute(
        "UPDATE customers SET waiting_value = value_at_risk, pending_level = risk_level WHERE id MOD 20 = 0"
    )
    transaction.execute("ANALYZE TABLE customers, predictions, alert_weeks")


def _preview(database: Database, asked: RulesAsked) -> object:
    return preview(database, _SETTINGS, asked, until=None, now=NOW)


def _waiting(transaction: Transaction) -> object:
    return most_valuable(transaction, 0, NOW - AlertRules().cooldown, None, 500)


def percentile(database: Database, read: Callable[[Database], object]) -> float:
    """Return the 95th percentile of reads, in milliseconds."""
    took = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        read(database)
        took.append(time.perf_counter() - started)
    return 1000 * sorted(took)[int(0.95 * _ROUNDS) - 1]


if __name__ == "__main__":
    main()
