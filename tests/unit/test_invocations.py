"""What an event of Lambda says of its invocation: a name without ids, and the trace that it belongs to."""

from collections.abc import Mapping
from typing import Any

import pytest

from churn.invocations import described

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
SEGMENT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
OF_SEGMENT = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
REQUEST: Mapping[str, Any] = {
    "resource": "/api/customers/{id}",
    "path": "/api/customers/CUST-7",
    "httpMethod": "GET",
    "headers": {"Traceparent": PARENT, "Authorization": "Bearer secret"},
    "requestContext": {"requestId": "request-1", "path": "/live/api/customers/CUST-7"},
}


def record(*headers: tuple[str, bytes]) -> dict[str, Any]:
    return {"topic": "user-events", "partition": 0, "headers": [{name: list(value)} for name, value in headers]}


def kafka(*records: dict[str, Any]) -> dict[str, Any]:
    return {"eventSource": "aws:kafka", "records": {"user-events-0": list(records)}}


def test_a_request_is_named_by_its_route_and_holds_no_customer() -> None:
    about = described(REQUEST)
    assert (about.name, about.kind, about.parent) == (
        "GET /api/customers/{id}",
        "server",
        {"traceparent": PARENT},
    )
    assert about.attributes["churn.request_id"] == "request-1"
    assert "CUST-7" not in str(about)
    assert "secret" not in str(about)


@pytest.mark.parametrize("headers", [None, {}, {"accept": "*/*"}])
def test_a_request_of_no_trace_belongs_to_that_of_lambda(headers: dict[str, str] | None) -> None:
    event = {**REQUEST, "headers": headers}
    assert described(event, SEGMENT).parent == {"traceparent": OF_SEGMENT}
    assert described(event, SEGMENT.replace("Sampled=1", "Sampled=0")).parent == {}
    assert described(event, "nonsense").parent == {}
    assert described(REQUEST, SEGMENT).parent == {"traceparent": PARENT}, "a caller's trace goes first"


def test_an_authorizer_and_a_socket_are_named_by_what_happens() -> None:
    assert described({**REQUEST, "type": "REQUEST", "methodArn": "arn:…"}).name == "authorize"
    socket = {"requestContext": {"connectionId": "c-1", "eventType": "CONNECT", "requestId": "r"}, "headers": {}}
    assert described(socket).name == "socket CONNECT"


def test_a_batch_is_linked_to_the_trace_of_each_record() -> None:
    about = described(
        kafka(
            record(("traceparent", PARENT.encode())),
            record(("TraceParent", PARENT.encode())),
            record(("traceparent", OTHER.encode()), ("tracestate", b"shop=1")),
            record(("other", b"\xff")),
            {"topic": "user-events"},
        )
    )
    assert (about.name, about.kind) == ("process user-events", "consumer")
    assert list(about.links) == [{"traceparent": PARENT}, {"traceparent": OTHER, "tracestate": "shop=1"}]
    assert about.attributes["messaging.batch.message_count"] == 5


def test_a_header_that_is_no_text_hurts_nobody() -> None:
    assert described(kafka(record(("traceparent", b"\xff\xfe")), {"topic": "t", "headers": [{"traceparent": [-1]}]}))


def test_messages_of_a_queue_carry_their_trace_in_an_attribute() -> None:
    message = {
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:events",
        "messageAttributes": {"traceparent": {"stringValue": PARENT, "dataType": "String"}},
    }
    about = described({"Records": [message, {**message, "messageAttributes": {}}]})
    assert (about.name, list(about.links)) == ("process events", [{"traceparent": PARENT}])


def test_a_schedule_and_a_call_of_the_functions_own_are_named_by_the_function() -> None:
    assert described({"time": "2026-11-24T10:00:00Z"}).name == ""
    assert described({"socket": "connected", "traceparent": PARENT}).parent == {"traceparent": PARENT}
