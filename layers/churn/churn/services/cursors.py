"""Cursors of lists: where the next page begins, as text that clients hand back unread."""

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from churn.adapters.mysql import stored_of_customer
from churn.adapters.mysql.customer_pages import Position
from churn.adapters.mysql.customer_search import NULLABLE, SORT_COLUMNS
from churn.adapters.mysql.dead_letters import Place
from churn.domain import timeline
from churn.domain.customer_record import CustomerSort, SortOrder
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.timeline import TimelineKind
from churn.domain.timestamps import iso, iso_micros
from churn.domain.values import storable

# As MySQL writes DECIMAL(20, 2), up to `churn.domain.values.MAX_SUM`.
_MONEY = re.compile(r"(0|[1-9]\d{0,15})\.\d{2}", re.ASCII)
_LONGEST_TOPIC = 249


class InvalidCursorError(InvalidInputError):
    """The cursor is not one of this list in this order."""

    def __init__(self, message: str) -> None:
        super().__init__(FieldError("cursor", message))


def write_customer_cursor(sort: CustomerSort, order: SortOrder, after: Position) -> str:
    """Return the cursor of the page after a position."""
    value = after.value
    if isinstance(value, datetime):
        value = iso(value)
    elif isinstance(value, Decimal):
        value = str(value)
    return _encode([sort, order, value, after.key, after.passed])


def read_customer_cursor(cursor: str, sort: CustomerSort, order: SortOrder) -> Position:
    """Return the position that a cursor stands for. Raises InvalidCursorError."""
    match _decode(cursor):
        case [str(cursor_sort), str(cursor_order), value, key, passed] if (cursor_sort, cursor_order) == (sort, order):
            with contextlib.suppress(ValueError, OverflowError):
                has_value = value is not None or SORT_COLUMNS[sort] not in NULLABLE
                return Position(_SORT_VALUES[sort](value) if has_value else None, _key(key), _key(passed))
    raise InvalidCursorError("is not the next_cursor of a page of this list in this order")


def write_alert_cursor(position: int, *, is_change: bool = False) -> str:
    """Return the cursor of the page after an alert, by its id or by the number of its change."""
    return _encode([_alert_list(is_change=is_change), position])


def read_alert_cursor(cursor: str, *, is_change: bool = False) -> int:
    """Return the id, or the number of the change, that a cursor stands for. Raises InvalidCursorError."""
    match _decode(cursor):
        case [str(name), key] if name == _alert_list(is_change=is_change):
            with contextlib.suppress(ValueError):
                return _key(key)
    raise InvalidCursorError("is not the next_cursor of a page of alerts in this order")


def write_timeline_cursor(place: timeline.Place) -> str:
    """Return the cursor of the page after a place in a customer's story."""
    return _encode(["story", iso_micros(place.at), place.kind, place.key])


def read_timeline_cursor(cursor: str, kinds: Collection[TimelineKind]) -> timeline.Place:
    """Return the place that a cursor stands for, of one of some kinds. Raises InvalidCursorError."""
    match _decode(cursor):
        case ["story", str(at), str(name), key]:
            for kind in kinds:
                if kind == name:
                    with contextlib.suppress(ValueError):
                        return timeline.Place(_exact(at), kind, _identifier(key) if kind == "event" else _key(key))
    raise InvalidCursorError("is not the next_cursor of a page of this list")


def write_prediction_cursor(created_at: datetime, key: int) -> str:
    """Return the cursor of the page after a stored prediction."""
    return _encode(["predictions", iso(created_at), key])


def read_prediction_cursor(cursor: str) -> Position:
    """Return the position that a cursor stands for, by when it was stored. Raises InvalidCursorError."""
    match _decode(cursor):
        case ["predictions", created_at, key]:
            with contextlib.suppress(ValueError, OverflowError):
                return Position(_instant(created_at), _key(key))
    raise InvalidCursorError("is not the next_cursor of a page of predictions")


def write_dead_letter_cursor(place: Place) -> str:
    """Return the cursor of the page after a dead letter."""
    topic, partition, offset, content = place.position
    return _encode(["dead_letters", iso(place.failed_at), topic, partition, offset, content.hex()])


def read_dead_letter_cursor(cursor: str) -> Place:
    """Return the dead letter that a cursor stands for. Raises InvalidCursorError."""
    match _decode(cursor):
        case ["dead_letters", str(at), str(topic), partition, offset, str(content)] if len(topic) <= _LONGEST_TOPIC:
            with contextlib.suppress(ValueError):
                position = (storable(topic), _key(partition), _key(offset), bytes.fromhex(content))
                return Place(_instant(at), position)
    raise InvalidCursorError("is not the next_cursor of a page of dead letters")


def write_audit_cursor(at: datetime, key: int) -> str:
    """Return the cursor of the page after an entry of the audit trail."""
    return _encode(["audit", iso(at), key])


def read_audit_cursor(cursor: str) -> tuple[datetime, int]:
    """Return the instant and id of the entry that a cursor stands for. Raises InvalidCursorError."""
    match _decode(cursor):
        case ["audit", at, key]:
            with contextlib.suppress(ValueError):
                return _instant(at), _key(key)
    raise InvalidCursorError("is not the next_cursor of a page of the audit trail")


def _alert_list(*, is_change: bool) -> str:
    return "alert_changes" if is_change else "alerts"


def _key(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError("not a key")
    return value


def _money(value: Any) -> Decimal:
    if not isinstance(value, str) or not _MONEY.fullmatch(value):
        raise ValueError("not an amount of the list")
    return Decimal(value)


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("not a time of the list")
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None or not 1970 < instant.year < 9999 or iso(instant) != value:
        raise ValueError("not a time of the list")
    return instant


def _exact(value: str) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None or not 1970 < instant.year < 9999 or iso_micros(instant) != value:
        raise ValueError("not a time of the list")
    return instant


def _probability(value: Any) -> float:
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise ValueError("not a probability")
    return value


def _change(value: Any) -> float:
    if not isinstance(value, float) or not -1 <= value <= 1:
        raise ValueError("not a change of a probability")
    return value


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 64 or storable(value) != value:
        raise ValueError("not an id")
    return value


_SORT_VALUES: Mapping[CustomerSort, Callable[[Any], object]] = {
    "churn_probability": _probability,
    "value_at_risk": _money,
    "expected_spend": _money,
    "risk_change_7d": _change,
    "total_spent": _money,
    "days_since_last_order": _instant,
    "customer_id": _identifier,
}


def write_export_cursor(place: stored_of_customer.Place) -> str:
    """Return the cursor of the part of an export after a place."""
    return _encode(["export", *place])


def read_export_cursor(cursor: str) -> stored_of_customer.Place:
    """Return the place that a cursor stands for. Raises InvalidCursorError."""
    match _decode(cursor):
        case ["export", int(part), str() | int() as after] if 0 <= part < len(stored_of_customer.PARTS):
            return stored_of_customer.Place(part, after)
    raise InvalidCursorError("is not the next_cursor of a part of an export")


def _encode(value: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str) -> Any:
    """Return what `_encode` made a cursor of, None if it did not make this one."""
    try:
        value = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return value if _encode(value) == cursor else None
    except (binascii.Error, ValueError, RecursionError):
        return None
