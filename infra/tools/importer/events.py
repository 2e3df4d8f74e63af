"""Events made of a file's rows: checked like those that come over Kafka, with identifiers that the rows decide."""

import hashlib
import json
from collections.abc import Container, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from churn.domain.events import Event, InvalidEventError, parse_event
from churn.domain.json_text import PLAIN
from churn.domain.timestamps import from_millis, iso
from infra.tools.importer.cells import clean, unwrapped
from infra.tools.importer.faults import BadRowError
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.times import TimeReader

CUSTOMER_COLUMNS = ("customer_id", "user_id")
"""Where an event's customer stands, today and in the older shape."""
NUMBER_COLUMNS = (
    *("order_value", "discount_value", "items_count", "loyalty_points", "balance", "points", "unit_price"),
    "refund_amount",
)
"""Columns beside those of an event that hold numbers, of which text is read as in a file of orders."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)
_OWN_FIELDS = frozenset({"event_id", "event_type", *CUSTOMER_COLUMNS, "timestamp", "data", "metadata"})


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


class EventReader:
    """The reader of rows that have the fields of an event; flat columns beside them belong to its data."""

    def __init__(
        self,
        *,
        now: datetime,
        allowed: Container[str],
        whole_numbers: Container[str],
        is_table: bool,
        time: TimeReader,
        numbers: Mapping[str, NumberReader],
    ) -> None:
        """`whole_numbers`: the columns in which all ids are such; `numbers`: the readers of columns with numbers."""
        self._now = now
        self._allowed = allowed
        self._whole_numbers = whole_numbers
        self._is_table = is_table
        self._time = time
        self._numbers = numbers

    def __call__(self, values: Mapping[str, Any]) -> Event:
        """Return the event of a row. Raises InvalidEventError, BadRowError."""
        cells = {name: clean(value) for name, value in values.items()}
        wire: dict[str, Any] = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in cells.items()
            if value is not None
        }
        for name in CUSTOMER_COLUMNS:
            if isinstance(wire.get(name), str):
                wire[name] = unwrapped(wire[name]) if self._is_table else wire[name]
                if name in self._whole_numbers:
                    wire[name] = wire[name].split(".")[0]
        if isinstance(wire.get("timestamp"), str):
            # What is no time is told by the check of all events.
            with suppress(BadRowError):
                wire["timestamp"] = iso(from_millis(self._time(wire["timestamp"])))
        for name in ("data", "metadata"):
            if isinstance(wire.get(name), str):
                wire[name] = _json(name, wire[name])
        return self._with_flat_columns(wire)

    def _with_flat_columns(self, wire: dict[str, Any]) -> Event:
        sent = wire.get("data", wire.get("metadata"))
        further = {name: value for name, value in wire.items() if name not in _OWN_FIELDS}
        if not further or not (sent is None or isinstance(sent, dict)):
            return parse_event(wire, now=self._now, allowed=self._allowed)
        own = {name: value for name, value in wire.items() if name in _OWN_FIELDS}
        if own.get("event_id") is None:
            # An event that needs none of the further columns keeps the id that it has always had.
            with suppress(InvalidEventError):
                own["event_id"] = parse_event(own, now=self._now, allowed=self._allowed).event_id
        flat = {name.removeprefix("data."): self._number(name, value) for name, value in further.items()}
        own.pop("metadata", None)
        return parse_event(own | {"data": flat | (sent or {})}, now=self._now, allowed=self._allowed)

    def _number(self, name: str, value: Any) -> Any:
        reader = self._numbers.get(name)
        if reader is None or not isinstance(value, str):
            return value
        try:
            return reader(value)
        except BadRowError:
            return value


def _json(name: str, text: str) -> Any:
    """Return what a column of CSV or Parquet holds in JSON. Raises BadRowError."""
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        raise BadRowError(f"{name}: is not JSON") from None


class Withdrawn(Event):
    """The placing of an order that the same file cancels."""

    __slots__ = ()


class Credit(Event):
    """The cancellation of an order by amounts below 0 alone, in a file that does not show the order."""

    __slots__ = ()


def digest(content: list[Any]) -> str:
    """Return an identifier of the content: the same whenever and wherever it is read."""
    try:
        # The text of _CANONICAL, in half the time.
        text = f"[{','.join([PLAIN[type(value)](value) for value in content])}]"
    except KeyError:
        text = _CANONICAL.encode(content)
    return digest_of_text(text)


def digest_of_text(text: str) -> str:
    """Return `digest` of what the text writes as compact JSON."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]
