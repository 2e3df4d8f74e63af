"""Events made of a file's rows: checked like those that come over Kafka, with identifiers that the rows decide."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from churn.domain.events import Event, parse_event
from churn.domain.timestamps import iso
from infra.tools.importer.cells import BadRowError


def build_event(
    event_id: str, event_type: str, customer_id: str, at: datetime, data: Mapping[str, Any], *, now: datetime
) -> Event:
    """Return an event that passed the check of those that come over Kafka.

    Raises InvalidEventError.
    """
    wire = {
        "event_id": event_id,
        "event_type": event_type,
        "customer_id": customer_id,
        "timestamp": iso(at),
        "data": data,
    }
    return parse_event(wire, now=now)


def read_event(values: Mapping[str, Any], *, now: datetime) -> Event:
    """Return the event of a row that has the fields of one.

    Raises InvalidEventError, BadRowError.
    """
    wire = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
        if value is not None
    }
    for name in ("data", "metadata"):
        text = wire.get(name)
        if isinstance(text, str):
            # In CSV and Parquet the field is JSON in a column.
            try:
                wire[name] = json.loads(text) if text.strip() else {}
            except ValueError:
                raise BadRowError(f"{name}: is not JSON") from None
    return parse_event(wire, now=now)


def digest(content: list[Any]) -> str:
    """Return an identifier of the content: the same whenever and wherever it is read."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
