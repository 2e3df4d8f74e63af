"""Events as they come over Kafka."""

import base64
import json
from typing import Any

from churn.domain.events import Event


def wire(event: Event, **change: Any) -> bytes:
    """Return an event as the value of a record, with some fields changed."""
    return json.dumps(
        {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "customer_id": event.customer_id,
            "timestamp": event.timestamp.isoformat(),
            "data": event.data,
        }
        | change
    ).encode()


def batch_of(*values: bytes | None) -> dict[str, Any]:
    """Return a batch of the event source: a record of one partition for each value."""

    def encoded(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    records = [
        {"topic": "user-events", "partition": 0, "offset": offset, "key": None, "value": encoded(value)}
        for offset, value in enumerate(values)
    ]
    return {"records": {"user-events-0": records}}
