"""Shops of a million customers in bounded time: some live through their orders, and the others are their copies.

Three in ten are active, and were scored two days ago, so that a sweep finds them due; the others are scored as of now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.domain.customer_record import COLUMNS
from churn.domain.events import Event
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.local.options import ROOT

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ERASURE_KEY = "only-a-benchmark-knows-this-key-of-32-bytes"
SETTINGS = Settings.from_environment({"ERASURE_KEY": ERASURE_KEY})
_FIRST = (
    "Anna", "Ben", "Chloe", "David", "Emma", "Felix", "Grace", "Hugo", "Ida", "Jonas", "Klara", "Luis", "Mia", "Noah",
    "Olga", "Paul", "Rosa", "Sam", "Tom", "Zoe",
)  # fmt: skip
_LAST = (
    "Abel", "Baker", "Costa", "Duarte", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen", "Kim", "Lopez", "Meyer",
    "Novak", "Ortiz", "Park", "Quinn",
)  # fmt: skip
# What a copy has in another way than its original.
_CHANGED = {
    "id": "id + {shift}",
    "customer_pk": "customer_pk + {shift}",
    "customer_id": "CONCAT(customer_id, '-', {shift})",
    "word": "IF(word LIKE 'c-%%', CONCAT(word, '-', {shift}), word)",
}
_COPIED = {
    "customers": COLUMNS,
    "customer_states": ("customer_pk", "state", "contributions"),
    "predictions": (
        "customer_pk", "risk_level", "churn_probability", "confidence", "model_version", "reasons", "as_of",
        "created_at", "value_at_risk", "is_active",
    ),
    "customer_words": ("word", "customer_pk"),
    "orders": ("customer_pk", "order_id", "placed_at", "cents"),
}  # fmt: skip
# One a customer, over a year and a half; one in fifty is open.
_ALERTS = """
INSERT INTO alerts (id, customer_pk, title, message, reason, status, is_open, snoozed_until, assigned_to,
  alert_type, priority, outcome, handling, change_number, created_at, counted_on)
SELECT id, id, 't', 'm', 'r', status, IF(status = 'new', 1, NULL),
  IF(id MOD 1000 = 0, %s + INTERVAL 1 DAY, NULL), IF(id MOD 500 = 0, 'anna', NULL),
  IFNULL(ELT(chance MOD 10 + 1, 'payment_failed', 'support_ticket'), 'churn_risk'),
  ELT(chance DIV 10 MOD 4 + 1, 'low', 'medium', 'high', 'urgent'),
  IF(status = 'new', 'pending', ELT(chance DIV 40 MOD 4 + 1, 'pending', 'left', 'stayed', 'none')),
  CASE status WHEN 'new' THEN 'untouched' WHEN 'resolved' THEN 'worked' ELSE 'dismissed' END, id, at, DATE(at)
FROM (
  SELECT c.id, CRC32(c.id) AS chance,
    IF(c.id MOD 50 = 0, 'new', IF(CRC32(c.id) MOD 7, 'resolved', 'dismissed')) AS status,
    %s - INTERVAL (newest.id - c.id) * 540 / newest.id * 86400 SECOND AS at
  FROM customers c JOIN (SELECT MAX(id) AS id FROM customers) newest
) alerts
"""
_ALERT_TOTALS = """
INSERT INTO totals (name, shard, value)
SELECT CONCAT('alerts:', status, ':', priority), 0, COUNT(*) FROM alerts GROUP BY status, priority
"""
# What a shop of half a year has of many customers, and a shop of today of none.
_PAST = """
UPDATE customers SET risk_change_7d = CRC32(id) MOD 2001 / 5000 - 0.2,
  at_risk_since = IF(status = 'at_risk', %s - INTERVAL (id MOD 60) DAY, NULL),
  returned_at = IF(id MOD 20 = 0, %s - INTERVAL (id MOD 90) DAY, NULL)
WHERE churn_probability IS NOT NULL
"""
_ORIGINALS = "SELECT MAX(id) AS last, COUNT(*) AS number FROM customers"


def build(url: str, size: int, model: Any, lived: int = 10_000) -> None:
    """Fill an empty database with so many customers, scored by a model; `lived` of them are not copies."""
    with closing(Database(url, statement_timeout=1200)) as database:
        migrate(database, read_migrations(ROOT / "infra" / "migrations"))
        scoring = Scoring(database, model, SETTINGS)
        lived = min(size, lived)
        active = 3 * lived // 10
        _live(scoring, range(active), NOW - timedelta(days=2))
        _live(scoring, range(active, lived), NOW)
        database.run(lambda transaction: transaction.execute(_PAST, (NOW, NOW)))
        _copy(database, size // lived)


def _live(scoring: Scoring, numbers: range, now: datetime) -> None:
    is_active = numbers.start == 0
    for part in batched(numbers, 250, strict=False):
        events = [event for number in part for event in _story(number, now, is_active=is_active)]
        scoring.apply(events, now=now, raise_alerts=False)


def _story(number: int, now: datetime, *, is_active: bool) -> Iterator[Event]:
    """Yield what a customer did: up to eight orders, the last of them long ago unless the customer is active."""
    customer = f"C-{number}"
    silent = number % 89 if is_active else 181 + number % 500
    name = f"{_FIRST[number % len(_FIRST)]} {_LAST[number * 7 % len(_LAST)]}"
    profile = {"name": name, "email": f"{number}@example.org"}
    orders = 1 + number * 13 % 8
    yield Event(f"r-{number}", "customer_registered", customer, now - timedelta(days=silent + 40 * orders), profile)
    for order in range(orders):
        at = now - timedelta(days=silent + 0.5 + order * (11 + number % 31))
        data = {"order_id": f"o-{number}-{order}", "order_value": 5.0 + number * 37 % 1000 / 4}
        yield Event(f"e-{number}-{order}", "order_placed", customer, at, data)


def _copy(database: Database, times: int) -> None:
    """Copy the customers until there are so many times as many, with all that is stored of them."""
    originals = database.run(lambda transaction: transaction.row(_ORIGINALS))
    assert originals
    last = int(originals["last"])
    for table, columns in _COPIED.items():
        for number in range(1, times):
            with_shift = (_CHANGED.get(name, name).format(shift=number * last) for name in columns)
            statement = (
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(with_shift)} FROM {table} "
                f"WHERE {'id' if table == 'customers' else 'customer_pk'} <= %s"
            )
            database.run(lambda transaction, copy=statement: transaction.execute(copy, (last,)))  # type: ignore[misc]
    database.run(lambda transaction: _finish(transaction, times))


def _finish(transaction: Transaction, times: int) -> None:
    transaction.execute("UPDATE totals SET value = value * %s", (times,))
    transaction.execute(_ALERTS, (NOW, NOW))
    transaction.execute(_ALERT_TOTALS)
    newest = "SELECT MAX(id) FROM alerts"
    transaction.execute(f"UPDATE counters SET value = ({newest}) WHERE name IN ('alerts', 'alert_changes')")
    transaction.rows(f"ANALYZE TABLE {', '.join(_COPIED)}, alerts")


@contextmanager
def schema(server_url: str, name: str) -> Iterator[str]:
    """Yield the address of an empty database of a server; it is dropped at the end of the block."""
    with closing(Database(server_url, statement_timeout=1200)) as database:
        database.run(lambda transaction: transaction.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        try:
            yield f"{server_url.rpartition('/')[0]}/{name}"
        finally:
            database.run(lambda transaction: transaction.execute(f"DROP DATABASE {name}"))
