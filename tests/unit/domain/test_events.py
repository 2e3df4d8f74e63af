"""What is an event, and what is told to who sends something else."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn.domain.events import InvalidEventError, parse_event
from tests.support.events import NOW

_ORDER = {
    "event_id": "e1",
    "event_type": "order_placed",
    "customer_id": "CUST-001",
    "timestamp": "2026-11-23T10:00:00Z",
    "data": {"order_id": "o1", "order_value": 12.5},
}


def test_todays_shape() -> None:
    event = parse_event(json.dumps(_ORDER), now=NOW)
    assert (event.event_id, event.event_type, event.customer_id) == ("e1", "order_placed", "CUST-001")
    assert event.timestamp == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert event.data == {"order_id": "o1", "order_value": 12.5}


def test_the_older_shape() -> None:
    raw = {
        "event_id": "e1",
        "event_type": "login",
        "user_id": 42,
        "timestamp": 1763892000,
        "metadata": {"success": True},
    }
    event = parse_event(json.dumps(raw).encode(), now=NOW)
    assert (event.customer_id, event.data) == ("42", {"success": True})


def test_an_event_without_an_id_is_known_again_by_its_content() -> None:
    without = {key: value for key, value in _ORDER.items() if key != "event_id"}
    other = without | {"data": {"order_value": 12.6}}
    assert parse_event(without, now=NOW).event_id == parse_event(dict(reversed(without.items())), now=NOW).event_id
    assert parse_event(without, now=NOW).event_id != parse_event(other, now=NOW).event_id


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_id": None}, "customer_id"),
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "x" * 65}, "customer_id"),
        ({"customer_id": ["a"]}, "customer_id"),
        ({"event_type": None}, "event_type"),
        ({"event_id": {}}, "event_id"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"timestamp": "9999-99-99"}, "timestamp"),
        ({"timestamp": 1e300}, "timestamp"),
        ({"timestamp": "2028-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": 0}, "timestamp"),
        ({"event_type": "login", "data": "text"}, "data"),
        ({"data": {"order_value": 1, "blob": "x" * 70_000}}, "data"),
        ({"data": {}}, "data.order_value"),
        ({"data": {"order_value": -1}}, "data.order_value"),
        ({"data": {"order_value": "many"}}, "data.order_value"),
        ({"data": {"order_value": 1, "order_id": [1]}}, "data.order_id"),
        ({"event_type": "order_cancelled", "data": {}}, "data.order_id"),
        ({"event_type": "profile_updated", "data": {"name": 5}}, "data.name"),
        ({"event_type": "loyalty_points_changed", "data": {}}, "data.points"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        parse_event(_ORDER | change, now=NOW)
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"[1]", b"null", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidEventError):
        parse_event(raw, now=NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("event_id", "customer_id", "timestamp", "data", "user_id"), _JSON)
        | {"event_type": _JSON | st.sampled_from(["order_placed", "login", "profile_updated", "order_cancelled"])},
    )
)
def test_any_json_is_an_event_or_refused(raw: dict[str, object]) -> None:
    try:
        event = parse_event(json.dumps(raw), now=NOW)
    except InvalidEventError as error:
        assert str(error)  # noqa: PT017  (either way is right, and both are looked at)
    else:
        assert event.customer_id
        assert event.event_id
