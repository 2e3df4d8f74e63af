"""Events for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from churn.domain.events import Event

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

_numbers = count(1)


def event(event_type: str, customer_id: str = "CUST-001", *, days_ago: float = 0, **data: Any) -> Event:
    """Return an event of a customer so many days before NOW, with an id of its own."""
    return Event(f"e-{next(_numbers)}", event_type, customer_id, NOW - timedelta(days=days_ago), data)


def order(customer_id: str = "CUST-001", *, days_ago: float = 0, value: float | None = 50, **data: Any) -> Event:
    """Return an order so many days before NOW; None is a value that nobody told."""
    number = next(_numbers)
    data = {"order_id": f"o-{number}", **({} if value is None else {"order_value": value})} | data
    return Event(f"e-{number}", "order_placed", customer_id, NOW - timedelta(days=days_ago), data)


def without_value(event: Event) -> Event:
    """Return the event as of a shop that does not tell what orders are worth."""
    return replace(event, data={name: value for name, value in event.data.items() if name != "order_value"})
