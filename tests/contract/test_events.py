"""Events by REST: each is answered, and they come to the same as those on Kafka."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.conftest import Stack
from tests.contract.test_rest import assert_described
from tests.support import eventually

_NOW = datetime.now(UTC)


def _history(customer_id: str) -> list[dict[str, Any]]:
    def event(number: int, kind: str, days_ago: float, **data: Any) -> dict[str, Any]:
        at = (_NOW - timedelta(days=days_ago)).isoformat(timespec="milliseconds")
        return {
            "event_id": f"{customer_id}-{number}",
            "event_type": kind,
            "customer_id": customer_id,
            "timestamp": at,
            "data": data,
        }

    return [
        event(1, "customer_registered", 60, name="Ann", loyalty_points=3),
        event(2, "order_placed", 50, order_id="a", order_value=20, discount_used=True),
        event(3, "order_placed", 20, order_id="b", order_value=30.5),
        event(4, "order_cancelled", 10, order_id="a"),
        event(5, "login", 2),
        event(6, "payment_failed", 1),
    ]


def _customer(stack: Stack, customer_id: str, **expected: object) -> dict[str, Any]:
    answer = stack.get(f"/api/customers/{customer_id}")
    customer: dict[str, Any] = answer.json if answer.status == 200 else {}
    return customer if customer and all(customer[name] == value for name, value in expected.items()) else {}


def test_both_ways_end_in_the_same_state(stack: Stack) -> None:
    by_rest, by_kafka = (f"{way}-{uuid.uuid4().hex[:8]}" for way in ("REST", "KAFKA"))
    answer = stack.post("/api/events", {"events": _history(by_rest)}, role="write")
    taken = assert_described("take_events", answer)
    assert (answer.status, taken["accepted"], taken["refused"]) == (202, 6, 0)
    for event in _history(by_kafka):
        at = datetime.fromisoformat(event["timestamp"])
        stack.publish(event["event_type"], by_kafka, at, **event["data"])
    expected = {"total_orders": 1, "total_spent": 30.5, "payment_failures": 1, "name": "Ann", "login_frequency": 1}
    first, second = (
        eventually(lambda who=who: _customer(stack, who, **expected))  # type: ignore[misc]
        for who in (by_rest, by_kafka)
    )
    # They were scored within seconds of each other, on the clock of each.
    for name, value in first.items():
        if name in {"total_spent", "avg_order_value", "discount_usage", "loyalty_points", "status", "risk_level"}:
            assert value == second[name], name
    assert first["churn_probability"] == pytest.approx(second["churn_probability"], abs=1e-3)
    # Sent again, they change nothing.
    assert stack.post("/api/events", {"events": _history(by_rest)}, role="write").status == 202
    stack.post("/api/events", _history(by_rest)[0] | {"event_id": "last", "event_type": "login"}, role="write")
    eventually(lambda: _customer(stack, by_rest, login_frequency=1, total_orders=1))
    assert stack.get(f"/api/customers/{by_rest}/events?limit=50").json["total"] in {6, 7}


def test_an_order_whose_value_nobody_told_counts_and_money_is_null(stack: Stack) -> None:
    customer_id = f"UNTOLD-{uuid.uuid4().hex[:8]}"
    event = _history(customer_id)[2] | {"data": {"order_id": "b"}}
    taken = assert_described("take_events", stack.post("/api/events", event, role="write"))
    assert taken["accepted"] == 1
    customer = eventually(lambda: _customer(stack, customer_id, total_orders=1))
    assert_described("get_customer", stack.get(f"/api/customers/{customer_id}"))
    assert customer["days_since_last_order"] == pytest.approx(20, abs=0.2)
    assert customer["churn_probability"] is not None
    assert {customer[name] for name in ("total_spent", "avg_order_value", "expected_spend", "value_at_risk")} == {None}


def test_each_event_is_answered_and_the_field_is_named(stack: Stack) -> None:
    good = _history(f"MIX-{uuid.uuid4().hex[:8]}")[2]
    bad = {"event_type": "order_placed", "customer_id": "x", "data": {"order_value": "many"}}
    text = json.dumps(good)
    answer = stack.post("/api/events", {"events": [bad, good, 7, text]}, role="write")
    taken = assert_described("take_events", answer)
    assert (answer.status, taken["accepted"], taken["refused"]) == (202, 1, 3)
    assert [result["status"] for result in taken["results"]] == ["refused", "accepted", "refused", "refused"]
    assert {error["field"] for error in taken["results"][0]["errors"]} == {"timestamp", "data.order_value"}
    eventually(lambda: _customer(stack, good["customer_id"], total_orders=1))


def test_a_single_bad_event_is_a_400(stack: Stack) -> None:
    answer = stack.post("/api/events", {"event_type": "login", "customer_id": "x"}, role="write")
    assert_described("take_events", answer)
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, ["timestamp"])


def test_what_stands_beside_a_list_is_refused_by_its_name(stack: Stack) -> None:
    body = {"events": [_history("BESIDE")[0]], "dry_run": True, "customer_id": "BESIDE"}
    answer = stack.post("/api/events", body, role="write")
    assert_described("take_events", answer)
    assert (answer.status, {error["field"] for error in answer.json["errors"]}) == (400, {"dry_run", "customer_id"})


@pytest.mark.parametrize("count", [0, 501])
def test_none_and_more_than_five_hundred_are_refused(stack: Stack, count: int) -> None:
    answer = stack.post("/api/events", {"events": [{}] * count}, role="write")
    error = {"field": "events", "message": f"must have at {'most 500' if count else 'least 1'}, not {count}"}
    assert (answer.status, answer.json["errors"]) == (400, [error])


def test_an_id_that_is_not_in_utf_8_is_refused_as_on_kafka(stack: Stack) -> None:
    event = json.dumps(_history("RAW")[0], ensure_ascii=False).encode().replace(b"RAW", b"V\xfe-3")
    answer = stack.post("/api/events", event, role="write")
    if answer.by_sam:
        pytest.skip("sam local decodes a body before the function has it")
    assert answer.status == 400
    assert "UTF-8" in answer.json["detail"]


def test_a_body_of_more_than_five_megabytes_is_a_413(stack: Stack) -> None:
    event = _history("BIG")[0]
    answer = stack.post("/api/events", {"events": [event | {"padding": "x" * (5 * 1024 * 1024)}]}, role="write")
    assert answer.status == 413


@pytest.mark.parametrize("element", ["{}", '{"":0}', "[[]]", "1.5", '""'])
def test_the_largest_body_is_answered_however_dense_it_is(stack: Stack, element: str) -> None:
    event = json.dumps(_history("DENSE")[0] | {"data": {"x": []}}).removesuffix("[]}}")
    # Lambda's own limit counts quotation marks twice.
    size = (3 if '"' in element else 5) * 1024 * 1024 - 1000
    many = ",".join([element] * (size // (len(element) + 1)))
    answer = stack.post("/api/events", f"{event}[{many}]}}}}".encode(), role="write")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "data")


def test_five_hundred_dense_events_are_taken(stack: Stack) -> None:
    data: dict[str, object] = {f"k{number}": [{}] * 60 for number in range(50)}
    events = [
        {**_history("DENSE")[0], "event_id": f"dense-{n}", "event_type": "seen", "data": data} for n in range(500)
    ]
    answer = stack.post("/api/events", json.dumps({"events": events}, separators=(",", ":")).encode(), role="write")
    assert (answer.status, answer.json["accepted"]) == (202, 500)
