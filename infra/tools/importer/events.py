"""Events made of a file's rows: checked like those that come over Kafka, with identifiers that the rows decide."""

import hashlib
import json
from collections.abc import Container, Mapping
from datetime import date, datetime
from typing import Any

from churn.domain.events import Event, parse_event
from churn.domain.timestamps import iso
from infra.tools.importer.cells import BadRowError, clean

CUSTOMER_COLUMNS = ("customer_id", "user_id")
"""Where an event's customer stands, today and in the older shape."""


def build_event(
    event_id: str,
    event_type: str,
    customer_id: str,
    at: datetime,
    data: Mapping[str, Any],
    *,
    now: datetime,
    allowed: Container[str],
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
    return parse_event(wire, now=now, allowed=allowed)


def read_event(
    values: Mapping[str, Any], *, now: datetime, allowed: Container[str], whole_numbers: Container[str]
) -> Event:
    """Return the event of a row that has the fields of one; in the columns `whole_numbers` all ids are such.

    Raises InvalidEventError, BadRowError.
    """
    cells = {name: clean(value) for name, value in values.items()}
    wire = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in cells.items()
        if value is not None
    }
    for name in CUSTOMER_COLUMNS:
        if name in whole_numbers and isinstance(wire.get(name), str):
            wire[name] = wire[name].split(".")[0]
    for name in ("data", "metadata"):
        text = wire.get(name)
        if isinstance(text, str):
            # In CSV and Parquet the field is JSON in a column.
            try:
                wire[name] = json.loads(text) if text.strip() else {}
            except (ValueError, RecursionError):
                raise BadRowError(f"{name}: is not JSON") from None
    return parse_event(wire, now=now, allowed=allowed)


def digest(content: list[Any]) -> str:
    """Return an identifier of the content: the same whenever and wherever it is read."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
