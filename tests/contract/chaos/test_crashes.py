"""`kill -9` of scoring, database and gateway while 20,000 events come in: nothing is lost, nothing counts twice."""

import json
import os
import random
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaProducer

from churn.adapters.mysql import Database, DatabaseUnavailableError
from churn.adapters.mysql.database import Row
from tests.contract.chaos.listener import Listener
from tests.contract.conftest import Stack
from tests.support import eventually

_EVENTS = 20_000
_CUSTOMERS = 1_000


def _events() -> list[dict[str, Any]]:
    """Twenty events a customer: orders, some twice, and for each fourth customer payments that fail."""
    start = datetime.now(UTC) - timedelta(days=3)
    events = []
    for number in range(_EVENTS):
        customer = number % _CUSTOMERS
        fails = customer % 4 == 0 and number // _CUSTOMERS % 5 == 0
        events.append(
            {
                "event_id": f"crash-{number}",
                "event_type": "payment_failed" if fails else "order_placed",
                "customer_id": f"CRASH-{customer:04d}",
                "timestamp": (start + timedelta(seconds=number)).isoformat(),
                "data": {"order_id": f"o-{number}", "order_value": 10},
            }
        )
    return events


def _rows(database: Database, query: str) -> list[Row]:
    try:
        return database.run(lambda transaction: transaction.rows(query))
    except DatabaseUnavailableError:
        return []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_event_counts_once_and_every_alert_is_raised_once(own_stack: Stack) -> None:
    database = Database(own_stack.database_url)
    chance = random.Random(7)
    events = _events()
    # One in twenty is delivered again, as a producer that was not answered would.
    sent = events + chance.sample(events, _EVENTS // 20)
    kills = iter([_kill_scoring, _kill_database, _kill_gateway, _kill_scoring])
    listener = Listener(own_stack)
    listener.start()
    producer = KafkaProducer(bootstrap_servers=own_stack.kafka, acks="all", linger_ms=5)
    try:
        for number, event in enumerate(sent):
            producer.send("user-events", key=event["customer_id"].encode(), value=json.dumps(event).encode())
            if number % 5000 == 4999:
                producer.flush(30)
                _counted(database, number // 4)
                next(kills)(own_stack)
        producer.flush(30)
        eventually(lambda: _count(database) == _EVENTS, within=240, every=0.5)
        eventually(lambda: len(set(listener.ids)) >= _CUSTOMERS // 4, within=120, every=0.2)
    finally:
        producer.close()
        listener.stop()
    (row,) = _rows(database, "SELECT SUM(total_orders) AS orders, COUNT(*) AS customers FROM customers")
    kinds = Counter(event["event_type"] for event in events)
    assert (row["orders"], row["customers"]) == (kinds["order_placed"], _CUSTOMERS)
    alerts = _rows(database, "SELECT id, customer_pk FROM alerts WHERE alert_type = 'payment_failure' ORDER BY id")
    assert len(alerts) == len({alert["customer_pk"] for alert in alerts}) == _CUSTOMERS // 4
    every_id = [row["id"] for row in _rows(database, "SELECT id FROM alerts ORDER BY id")]
    assert every_id == list(range(1, len(every_id) + 1))
    assert sorted(set(listener.ids)) == every_id
    assert _rows(database, "SELECT * FROM dead_letters") == []


def _count(database: Database) -> int:
    rows = _rows(database, "SELECT COUNT(*) AS number FROM events")
    return int(rows[0]["number"]) if rows else -1


def _counted(database: Database, at_least: int) -> None:
    """Wait until the work is in full swing, so that the kill comes in the middle of it."""
    eventually(lambda: _count(database) >= at_least, within=120, every=0.05)


def _kill_scoring(stack: Stack) -> None:
    for pid in stack.functions()["scoring"]:
        _kill(pid)


def _kill_database(stack: Stack) -> None:
    _kill(stack.pids()["database"])


def _kill_gateway(stack: Stack) -> None:
    before = stack.pids()["gateway"]
    _kill(before)
    eventually(lambda: stack.pids()["gateway"] != before, every=0.1)
    eventually(lambda: stack.is_ready, within=60, every=0.2)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
