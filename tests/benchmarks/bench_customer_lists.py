"""Lists of a million customers beside those of 10,000: the 95th percentile of a first page and of the one after it."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.domain.risk import ACTIVE_STATUSES
from churn.services.customers import CustomerQuery, Customers
from churn.settings import Settings
from infra.local.servers.databases import start_mariadb

SIZES = (10_000, 1_000_000)
ROUNDS = 20
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_MIGRATIONS = Path(__file__).parents[2] / "infra" / "migrations"
# Who has not ordered for long is at a high risk, and few of those who have are.
_FILL = """
INSERT INTO customers (id, customer_id, first_seen_at, last_order_at, total_orders, total_spent, status,
  churn_probability, risk_level, model_version, expected_spend, value_at_risk, scored_at, created_at, updated_at)
SELECT n, CONCAT('CUST-', n), %s - INTERVAL (silent + age) DAY, %s - INTERVAL silent DAY, 1 + n MOD 30, spent,
  CASE WHEN silent > 180 THEN 'lapsed' WHEN age < 30 THEN 'new' WHEN risk >= 0.6 THEN 'at_risk' ELSE 'active' END,
  risk, CASE WHEN risk >= 0.8 THEN 'critical' WHEN risk >= 0.6 THEN 'high' WHEN risk >= 0.4 THEN 'medium'
    ELSE 'low' END,
  'v1', ROUND(spent / 4, 2), ROUND(risk * ROUND(spent / 4, 2), 2), %s, %s, %s
FROM (
  SELECT n, silent, age, spent, LEAST(0.999, 0.05 + silent / 400 + 0.3 * noise) AS risk
  FROM (
    SELECT seq AS n, CRC32(seq) MOD 360 AS silent, 1 + CRC32(seq * 7) MOD 900 AS age,
      ROUND(CRC32(seq * 13) / 4294967296 * 2000, 2) AS spent, CRC32(seq * 31) / 4294967296 AS noise
    FROM seq_1_to_{size}
  ) drawn
) scored
"""
_ALERTS = """
INSERT INTO alerts (id, customer_pk, alert_type, priority, title, message, reason, status, created_at, counted_on)
SELECT id, id, 'churn_risk', 'high', 't', 'm', 'r', 'new', %s, %s FROM customers WHERE id MOD 50 = 0
"""
_LISTS: dict[str, dict[str, Any]] = {
    "most value at risk": {"sort": "value_at_risk"},
    "most value at risk, current": {"sort": "value_at_risk", "status": ACTIVE_STATUSES},
    "most expected spend, lapsed": {"sort": "expected_spend", "status": ("lapsed",)},
    "risk 0.5 to 0.6": {"min_churn_probability": 0.5, "max_churn_probability": 0.6},
    "value above 300, silent for 30 days at most": {"min_value_at_risk": 300, "max_days_since_last_order": 30},
    "current, spent 1,900 and more, 20 orders": {
        "status": ACTIVE_STATUSES, "min_total_spent": 1900, "min_total_orders": 20, "sort": "value_at_risk",
    },
    "nobody: spent 3,000": {"min_total_spent": 3000},
    "most value with an open alert": {"sort": "value_at_risk", "has_open_alert": True},
    "least spent, current, an account of a week": {
        "sort": "total_spent", "order": "asc", "status": ACTIVE_STATUSES, "max_account_age_days": 7,
    },
}  # fmt: skip


def main() -> None:
    """Fill a database for each size, and print the percentiles."""
    measured: dict[str, list[float]] = {name: [] for name in _LISTS}
    for size in SIZES:
        with filled(size) as database:
            for name, pages in measured.items():
                pages.append(_percentile(database, _LISTS[name]))
    print(f"{'95th percentile of a page, milliseconds':<50}" + "".join(f"{size:>12,}" for size in SIZES))
    for name, pages in measured.items():
        print(f"{name:<50}" + "".join(f"{milliseconds:12.0f}" for milliseconds in pages))


@contextmanager
def filled(size: int) -> Iterator[Database]:
    """Yield a database of so many customers, whose server ends with the block."""
    with filled_server(size) as url:
        database = Database(url, statement_timeout=1200)
        yield database
        database.close()


@contextmanager
def filled_server(size: int) -> Iterator[str]:
    """Yield the address of a database of so many customers, whose server ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_mariadb(Path(folder))
        try:
            database = Database(server.url, statement_timeout=1200)
            migrate(database, read_migrations(_MIGRATIONS))
            database.run(partial(_fill, size=size))
            database.close()
            yield server.url
        finally:
            server.stop()


def _fill(transaction: Transaction, size: int) -> None:
    transaction.execute(_FILL.format(size=size), (NOW, NOW, NOW, NOW, NOW))
    transaction.execute(_ALERTS, (NOW, NOW.date()))
    transaction.execute("ANALYZE TABLE customers, alerts")


def _percentile(database: Database, asked: dict[str, Any]) -> float:
    customers = Customers(database, Settings.from_environment({}))
    first = customers.page(CustomerQuery(limit=100, **asked), NOW)["next_cursor"]
    took = []
    for number in range(ROUNDS):
        query = CustomerQuery(limit=100, cursor=first if number % 2 else None, **asked)
        started = time.perf_counter()
        customers.page(query, NOW)
        took.append(time.perf_counter() - started)
    return 1000 * sorted(took)[int(0.95 * ROUNDS) - 1]


if __name__ == "__main__":
    main()
