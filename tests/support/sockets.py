"""Alerts and open sockets for tests of delivery."""

import json
import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from churn.adapters.api_gateway_push import ConnectionGoneError, PushUnavailableError
from churn.adapters.mysql import Database, Transaction, prediction_subscriptions
from churn.adapters.mysql import websocket_connections as sockets
from churn.domain.prediction_filter import PredictionFilter


class FakePush:
    """A `Push` that records what each connection got; connections may be gone or busy."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.not_now: dict[str, list[float]] = {}
        self.blocked: dict[str, threading.Event] = {}
        self.attempts: defaultdict[str, int] = defaultdict(int)
        self.closed: list[str] = []
        self._messages: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._lock = threading.Lock()

    def post(self, connection_id: str, message: bytes) -> None:
        """Record a message, or fail as configured."""
        with self._lock:
            self.attempts[connection_id] += 1
            pauses = self.not_now.get(connection_id)
            if connection_id in self.gone:
                raise ConnectionGoneError
            if pauses:
                raise PushUnavailableError(pauses.pop(0))
        if connection_id in self.blocked:
            self.blocked[connection_id].wait(10)
        with self._lock:
            self._messages[connection_id].append(json.loads(message))

    def close(self, connection_id: str) -> None:
        """Record that a connection was closed, or fail as configured."""
        with self._lock:
            if connection_id in self.gone:
                raise ConnectionGoneError
            if self.not_now.get(connection_id):
                raise PushUnavailableError(self.not_now[connection_id].pop(0))
            self.closed.append(connection_id)
            self.gone.add(connection_id)

    def messages(self, connection_id: str) -> list[dict[str, Any]]:
        """Return what the connection got, in order."""
        with self._lock:
            return list(self._messages[connection_id])

    def alert_ids(self, connection_id: str) -> list[int]:
        """Return the ids of the alerts that the connection got, in order."""
        return [message["data"]["id"] for message in self.messages(connection_id) if message["event"] == "churn_alert"]


def add_customer(database: Database, customer_id: str = "CUST-001", name: str | None = "Ada Byron") -> int:
    """Return a customer; return the row's key."""

    def work(transaction: Transaction) -> int:
        transaction.execute(
            "INSERT INTO customers (customer_id, name, created_at, updated_at) "
            "VALUES (%s, %s, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))",
            (customer_id, name),
        )
        row = transaction.row("SELECT id FROM customers WHERE customer_id = %s", (customer_id,))
        assert row is not None
        return int(row["id"])

    return database.run(work)


def raise_alerts(
    database: Database, customer: int, *priorities: str, created_at: str = "2026-01-02 03:04:05.678"
) -> list[int]:
    """Commit alerts of these priorities in one transaction; return the ids."""

    def work(transaction: Transaction) -> list[int]:
        row = transaction.row("SELECT value FROM counters WHERE name = 'alerts' FOR UPDATE")
        assert row is not None
        ids = [int(row["value"]) + number for number in range(1, len(priorities) + 1)]
        transaction.insert_many(
            "INSERT INTO alerts (id, customer_pk, alert_type, priority, title, message, reason, is_open, created_at)",
            [
                (alert_id, customer, "churn_risk", priority, "title", "message", "reason", None, created_at)
                for alert_id, priority in zip(ids, priorities, strict=True)
            ],
        )
        transaction.execute("UPDATE counters SET value = %s WHERE name = 'alerts'", (ids[-1],))
        return ids

    return database.run(work)


def open_socket(
    database: Database, connection_id: str, *, subject: str = "dashboard", limit: int = 100, seconds: float = 3600
) -> None:
    """Open a socket that was greeted, and has not subscribed; its token holds for some seconds."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)

    def work(transaction: Transaction) -> None:
        sockets.register(transaction, connection_id, subject, "read", until=until, limit=limit, ticket_id=None)
        sockets.greet(transaction, connection_id, lambda: None)

    database.run(work)


def ask_for_predictions(database: Database, connection_id: str, wanted: PredictionFilter | None = None) -> None:
    """Let an open socket ask for the predictions of a filter, by default for all."""
    asked = wanted or PredictionFilter()
    database.run(lambda transaction: prediction_subscriptions.subscribe(transaction, connection_id, asked))
