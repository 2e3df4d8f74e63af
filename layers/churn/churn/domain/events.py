"""Shop events: their types, their shape on the wire, and the check of one."""

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.identifiers import as_sent, canonical, identifier, stands_for_nobody
from churn.domain.json_text import read_json
from churn.domain.timestamps import parse_timestamp, to_millis
from churn.domain.values import MAX_AMOUNT, amount, json_value, number, truth

MADE_ID = "sha256-"
"""What the id of an event begins with that was sent without one."""
EVENT_TYPES = frozenset(
    {
        "cart_abandoned",
        "customer_deleted",
        "customer_registered",
        "email_clicked",
        "email_opened",
        "email_sent",
        "login",
        "loyalty_points_changed",
        "order_cancelled",
        "order_placed",
        "order_returned",
        "payment_failed",
        "product_viewed",
        "profile_updated",
        "refund_requested",
        "review_submitted",
        "subscription_cancelled",
        "support_ticket_created",
    }
)
"""The types that the service knows; others are kept in the history and counted."""
PROFILE_EVENTS = ("customer_registered", "profile_updated")
"""Those that tell a customer's name, addresses and balance of points."""

SIMULATED = "simulated-shop:"
"""What the ids of events of the sample shop begin with: all others are the shop's own."""

MAX_DATA_BYTES = 64 * 1024
MAX_FUTURE = timedelta(days=366)
_NOBODY = "stands for no customer; if it is one, name it in ALLOWED_CUSTOMER_IDS"
# A zero byte, and a schema id of four.
_WIRE_PREFIX = 5


class InvalidEventError(InvalidInputError):
    """A record is no event."""


class NoCustomerError(InvalidEventError):
    """A record whose customer is what tools write where there is none."""

    def __init__(self, customer_id: str, *others: FieldError) -> None:
        super().__init__(FieldError("customer_id", f"{customer_id!r} {_NOBODY}"), *others)
        self.customer_id = customer_id


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one customer at an instant (UTC, whole milliseconds)."""

    event_id: str
    event_type: str
    customer_id: str
    timestamp: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    sent_ids: tuple[str, str] | None = field(default=None, compare=False, repr=False)
    """The ids of customer and event in the Unicode form that they came in, if it was another."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes the event again; the dataclass's own way takes three times as long."""
        fields = self.event_id, self.event_type, self.customer_id, self.timestamp, self.data, self.sent_ids
        return type(self), fields

    @property
    def at(self) -> int:
        """The instant in milliseconds since 1970."""
        return to_millis(self.timestamp)

    @property
    def is_simulated(self) -> bool:
        """Whether the sample shop wrote the event."""
        return self.event_id.startswith(SIMULATED)

    @property
    def order_id(self) -> str:
        """The number of the event's order; without one, or with what tools write for none, it is the event's id."""
        sent = self.data.get("order_id")
        try:
            number = "" if sent is None else as_sent(sent)
        except ValueError:
            number = str(sent)
        number = canonical(number)
        return canonical(self.event_id) if not number or stands_for_nobody(number) else number


def parse_event(raw: bytes | Mapping[str, Any], *, now: datetime, allowed: Container[str] = ()) -> Event:
    """Return the event that a record holds, in today's shape or the older one with ``user_id`` and ``metadata``.

    An event without an id gets one from its content, so that a repetition is recognised. `allowed` are customers whose
    ids look as if there were no customer. Raises InvalidEventError, and nothing else: one record must never stop those
    behind it.
    """
    try:
        return _parse(raw, now, allowed)
    except InvalidEventError:
        raise
    except Exception as error:
        raise InvalidEventError(FieldError("", f"cannot be read: {type(error).__name__}")) from error


def _parse(raw: bytes | Mapping[str, Any], now: datetime, allowed: Container[str]) -> Event:
    record = _object(raw)
    errors: list[FieldError] = []
    customer_id, sent_customer_id = _identifier(record, ("customer_id", "user_id"), errors)
    event_type, sent_type = _identifier(record, ("event_type",), errors)
    timestamp = _timestamp(record, now, errors)
    sent, data = _data(record, errors)
    if not any(error.field == "data" for error in errors):
        _check_data(event_type, data, errors)
    event_id = sent_event_id = ""
    if record.get("event_id") is not None:
        event_id, sent_event_id = _identifier(record, ("event_id",), errors)
    # Who was stored under such an id before can still be erased.
    is_nobody = event_type != "customer_deleted" and stands_for_nobody(customer_id, allowed)
    if customer_id and is_nobody:
        raise NoCustomerError(customer_id, *errors)
    if errors:
        raise InvalidEventError(*errors)
    if not event_id:
        # Of what was sent: the id of an event stays the same, however its values are read.
        content = _canonical([sent_customer_id, sent_type, to_millis(timestamp), sent])
        event_id = sent_event_id = MADE_ID + hashlib.sha256(content).hexdigest()[:48]
    ids = sent_customer_id, sent_event_id
    return Event(event_id, event_type, customer_id, timestamp, data, None if ids == (customer_id, event_id) else ids)


def _data(record: Mapping[str, Any], errors: list[FieldError]) -> tuple[object, dict[str, Any]]:
    """Return the data as they were sent, and as they are stored: text that means a truth value is one."""
    sent = record.get("data", record.get("metadata"))
    if sent is None:
        return {}, {}
    if not isinstance(sent, Mapping):
        errors.append(FieldError("data", "must be an object"))
        return {}, {}
    try:
        data: dict[str, Any] = json_value(sent)
    except ValueError as error:
        errors.append(FieldError("data", str(error)))
        return {}, {}
    if len(_canonical(data)) > MAX_DATA_BYTES:
        errors.append(FieldError("data", f"is larger than {MAX_DATA_BYTES} bytes"))
    for name in _TRUTHS:
        if data.get(name) is not None:
            try:
                data[name] = truth(data[name])
            except ValueError as error:
                errors.append(FieldError(f"data.{name}", str(error)))
    return sent, data


def stored_data(text: str) -> dict[str, Any]:
    """Return the data of a stored event as they would be read now.

    Earlier versions stored text for truth values as it came; what means neither is unknown.
    """
    data: dict[str, Any] = json.loads(text)
    for name in _TRUTHS:
        if isinstance(data.get(name), str):
            try:
                data[name] = truth(data[name])
            except ValueError:
                data[name] = None
    return data


def order_cents(data: Mapping[str, Any]) -> int | None:
    """Return the value of an order in hundredths of the currency's unit; None where its event does not tell it."""
    value = data.get("order_value")
    return None if value is None else round(amount(value) * 100)


def instant_of(data: Mapping[str, Any], name: str) -> int | None:
    """Return the instant in a field of an event's data, in milliseconds since 1970; None if there is none."""
    sent = data.get(name)
    try:
        return None if sent is None else to_millis(parse_timestamp(sent))
    except ValueError:
        # Events of before may have any value in a field that had no meaning.
        return None


def _object(raw: object) -> Mapping[str, Any]:
    if isinstance(raw, bytes):
        if not raw:
            raise InvalidEventError(FieldError("", "is empty"))
        if len(raw) > _WIRE_PREFIX and raw[0] == 0:
            schema = int.from_bytes(raw[1:_WIRE_PREFIX])
            raise InvalidEventError(
                FieldError(
                    "", f"is in Confluent's wire format (schema {schema}): publish plain JSON, without a registry"
                )
            )
        try:
            raw = read_json(raw)
        except ValueError as error:
            raise InvalidEventError(FieldError("", str(error))) from None
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        raise InvalidEventError(FieldError("", "is JSON within a JSON text: send the object itself"))
    if not isinstance(raw, Mapping):
        raise InvalidEventError(FieldError("", "must be a JSON object"))
    return raw


def _identifier(record: Mapping[str, Any], names: tuple[str, ...], errors: list[FieldError]) -> tuple[str, str]:
    """Return an identifier of a record, and the same in the form that it came in; both empty if it is none."""
    name = next((name for name in names if record.get(name) is not None), names[0])
    value = record.get(name)
    if value is None:
        errors.append(FieldError(name, "is required"))
        return "", ""
    try:
        return identifier(value), as_sent(value)
    except ValueError as error:
        errors.append(FieldError(name, str(error)))
        return "", ""


def _timestamp(record: Mapping[str, Any], now: datetime, errors: list[FieldError]) -> datetime:
    if record.get("timestamp") is None:
        errors.append(FieldError("timestamp", "is required"))
        return now
    try:
        timestamp = parse_timestamp(record["timestamp"])
    except ValueError as error:
        errors.append(FieldError("timestamp", str(error)))
        return now
    if timestamp > now + MAX_FUTURE:
        errors.append(FieldError("timestamp", f"is more than {MAX_FUTURE.days} days ahead"))
    return timestamp


_AMOUNTS = {
    "order_placed": ("order_value", "discount_value"),
    "order_cancelled": ("order_value",),
    "order_returned": ("order_value",),
    "refund_requested": ("order_value",),
    "customer_registered": ("loyalty_points",),
    "profile_updated": ("loyalty_points",),
    "loyalty_points_changed": ("balance",),
}
_REQUIRED = {"order_cancelled": ("order_id",)}
_INSTANTS = {"order_placed": ("revised_at", "reinstated_at"), "order_cancelled": ("revised_at",)}
_TEXTS = ("name", "email", "phone")
_TRUTHS = ("discount_used", "success")


def _check_data(event_type: str, data: dict[str, Any], errors: list[FieldError]) -> None:
    errors.extend(
        FieldError(f"data.{name}", "is required") for name in _REQUIRED.get(event_type, ()) if data.get(name) is None
    )
    for name in _AMOUNTS.get(event_type, ()):
        if data.get(name) is not None:
            try:
                amount(data[name])
            except ValueError as error:
                errors.append(FieldError(f"data.{name}", str(error)))
    if data.get("order_id") is not None:
        _check_order_id(data, errors)
    for name in _INSTANTS.get(event_type, ()):
        if data.get(name) is not None:
            try:
                parse_timestamp(data[name])
            except ValueError as error:
                errors.append(FieldError(f"data.{name}", str(error)))
    if event_type == "loyalty_points_changed" and data.get("balance") is None:
        _check_points(data.get("points"), errors)
    if event_type in PROFILE_EVENTS:
        errors.extend(
            FieldError(f"data.{name}", "must be text")
            for name in _TEXTS
            if data.get(name) is not None and not isinstance(data[name], str)
        )


def _check_order_id(data: dict[str, Any], errors: list[FieldError]) -> None:
    try:
        number = identifier(data["order_id"])
    except ValueError as error:
        errors.append(FieldError("data.order_id", str(error)))
    else:
        if isinstance(data["order_id"], float):
            data["order_id"] = number


def _check_points(points: object, errors: list[FieldError]) -> None:
    try:
        is_in_range = not isinstance(points, str) and abs(number(points)) <= MAX_AMOUNT
    except ValueError:
        is_in_range = False
    if not is_in_range:
        sentence = f"must be a number between {-MAX_AMOUNT:,.0f} and {MAX_AMOUNT:,.0f} where no balance is given"
        errors.append(FieldError("data.points", sentence))


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()
