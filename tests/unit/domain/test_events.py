"""What is an event, and why anything else is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn.domain.customer import replay
from churn.domain.events import InvalidEventError, NoCustomerError, parse_event, stored_data
from churn.domain.features import features_at
from churn.domain.timestamps import iso
from tests.support.events import NOW, order
from tests.support.histories import ALL_OBSERVED

_ORDER: dict[str, Any] = {
    "event_id": "e1",
    "event_type": "order_placed",
    "customer_id": "CUST-001",
    "timestamp": "2026-11-23T10:00:00Z",
    "data": {"order_id": "o1", "order_value": 12.5},
}


def test_todays_shape() -> None:
    event = parse_event(json.dumps(_ORDER).encode(), now=NOW)
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
        event = parse_event(json.dumps(raw).encode(), now=NOW)
    except InvalidEventError as error:
        assert str(error)  # noqa: PT017  (either way is right, and both are looked at)
    else:
        assert event.customer_id
        assert event.event_id


@pytest.mark.parametrize("digits", [1, 2, 19, 64, 65, 308, 309, 400, 4299, 4300])
@pytest.mark.parametrize(
    ("event_type", "field"),
    [
        ("order_placed", "order_value"),
        ("order_placed", "discount_value"),
        ("order_placed", "order_id"),
        ("order_placed", "discount_used"),
        ("order_placed", "items_count"),
        ("loyalty_points_changed", "points"),
        ("loyalty_points_changed", "balance"),
        ("customer_registered", "loyalty_points"),
        ("customer_registered", "name"),
        ("login", "success"),
        ("", "timestamp"),
        ("", "customer_id"),
        ("", "event_id"),
        ("", "event_type"),
        ("", "data"),
    ],
)
def test_numbers_of_any_length_are_read_or_refused(event_type: str, field: str, digits: int) -> None:
    record: dict[str, Any] = {
        "event_type": event_type or "order_placed",
        "customer_id": "C-1",
        "timestamp": iso(NOW),
        "data": {"order_value": 1, "points": 1},
    }
    place = record["data"] if event_type else record
    for sign in ("", "-"):
        for text in (f"{sign}{'9' * digits}", f'"{sign}{"9" * digits}"', f"{sign}{'9' * digits}.5"):
            place[field] = "PLACE"
            try:
                event = parse_event(json.dumps(record).replace('"PLACE"', text).encode(), now=NOW)
            except InvalidEventError as error:
                # Either way is right; what may not happen is another exception, or one without a field.
                assert "cannot be read" not in str(error)  # noqa: PT017
            else:
                replay([event]).to_json().encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x00\x00\x00\x00\x2a{}", "Confluent's wire format (schema 42)"),
        (json.dumps(json.dumps(_ORDER)).encode(), "JSON within a JSON text"),
        (b"", "is empty"),
        (b"[" * 100_000, "nested too deeply"),
        (json.dumps({**_ORDER, "timestamp": 1_763_892_900_000_000}).encode(), "microseconds"),
        (json.dumps({**_ORDER, "timestamp": "1763892900000000"}).encode(), "microseconds"),
        (json.dumps({**_ORDER, "data": {"a": [[]] * 2}}).replace("[]", "[" * 60 + "]" * 60).encode(), "levels deep"),
    ],
)
def test_the_reason_names_the_cause(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidEventError) as refused:
        parse_event(raw, now=NOW)
    assert reason in str(refused.value)


def test_text_that_means_false_is_not_taken_for_true() -> None:
    placed = parse_event({**_ORDER, "data": {"order_value": 5, "discount_used": "false"}}, now=NOW)
    assert placed.data["discount_used"] is False
    with pytest.raises(InvalidEventError, match=r"data\.discount_used: must be true or false"):
        parse_event({**_ORDER, "data": {"order_value": 5, "discount_used": "sometimes"}}, now=NOW)
    login = parse_event({**_ORDER, "event_type": "login", "data": {"success": "0"}}, now=NOW)
    assert features_at(replay([login]), NOW, ALL_OBSERVED)["login_frequency"] == 0


def test_a_name_with_a_lone_surrogate_can_be_stored() -> None:
    event = parse_event(
        b'{"event_type": "profile_updated", "customer_id": "C-1", "timestamp": 1e9, "data": {"name": "A\\ud800"}}',
        now=NOW,
    )
    assert event.data["name"] == "A\ufffd"


def test_the_id_of_an_event_without_one_is_that_of_what_was_sent() -> None:
    # Stored by versions that did not read text as a truth value: a repetition must be recognised.
    record = {**_ORDER, "data": {"order_value": 5, "discount_used": "false"}}
    record.pop("event_id", None)
    assert parse_event(record, now=NOW).event_id == "sha256-654b05e78a755ebe67fa64578f10af64dd1eee82390c7b97"


@pytest.mark.parametrize(("value", "expected"), [(12345, "12345"), (12345.0, "12345"), ("12345.0", "12345.0")])
def test_identifiers_are_read_alike_wherever_they_stand(value: object, expected: str) -> None:
    record = _ORDER | {"customer_id": value, "event_id": value, "data": {"order_id": value, "order_value": 1}}
    event = parse_event(json.dumps(record).encode(), now=NOW)
    assert (event.customer_id, event.event_id, event.order_id) == (expected, expected, expected)


def test_another_form_of_unicode_is_the_same_customer_and_known_as_it_came() -> None:
    record = _ORDER | {"customer_id": "Zoe\u0308", "event_id": "e\u0301"}
    event = parse_event(record, now=NOW)
    assert (event.customer_id, event.event_id) == ("Zo\u00eb", "\u00e9")
    assert event.sent_ids == ("Zoe\u0308", "e\u0301")
    assert event == parse_event(record | {"customer_id": "Zo\u00eb", "event_id": "\u00e9"}, now=NOW)
    # The id that comes from the content is the one that it always was.
    without = {key: value for key, value in record.items() if key != "event_id"}
    assert parse_event(without, now=NOW).event_id == "sha256-c79ac77510760766ba79cec62aa28793f3967aaaab8de278"


def test_nobody_is_no_customer_until_somebody_says_so() -> None:
    record = _ORDER | {"customer_id": " NULL "}
    with pytest.raises(NoCustomerError, match=r"customer_id: 'NULL' stands for no customer.*ALLOWED_CUSTOMER_IDS"):
        parse_event(record, now=NOW)
    assert parse_event(record, now=NOW, allowed={"NULL"}).customer_id == "NULL"
    # Who was stored under such an id before can be erased.
    assert parse_event(record | {"event_type": "customer_deleted"}, now=NOW).customer_id == "NULL"


@pytest.mark.parametrize("number", ["1e999", "-1e400"])
def test_a_number_that_no_history_can_show_is_refused(number: str) -> None:
    raw = json.dumps(_ORDER).replace('"o1"', f'"o1", "weight": {number}').encode()
    with pytest.raises(InvalidEventError, match="data: holds a number that is too large"):
        parse_event(raw, now=NOW)


@pytest.mark.parametrize("number", [None, "", " ", 0, 0.0, "0", "null", "#N/A", "-"])
def test_what_tools_write_for_no_number_is_no_order(number: object) -> None:
    assert order(order_id=number).order_id != order(order_id=number).order_id


@pytest.mark.parametrize("number", [12345, 12345.0, "12345", " 12345 "])
def test_a_number_of_an_order_is_one_whatever_its_type(number: object) -> None:
    assert order(order_id=number).order_id == "12345"


@pytest.mark.parametrize(("stored", "read"), [("false", False), ("0", False), ("true", True), ("maybe", None)])
def test_text_that_an_earlier_version_stored_is_read_as_the_truth_that_it_means(stored: str, read: bool | None) -> None:
    assert stored_data(json.dumps({"discount_used": stored, "success": stored, "note": stored})) == {
        "discount_used": read,
        "success": read,
        "note": stored,
    }
