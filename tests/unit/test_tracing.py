"""What is sent within an invocation belongs to its trace; ids are random also where a snapshot is shared."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from churn import observability, tracing
from churn.adapters import aws_clients
from churn.adapters.aws_clients import client
from churn.adapters.event_queue import EventQueue

TRACE = "0af7651916cd43dd8448eb211c80319c"
EVENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}


@pytest.fixture
def queue() -> Iterator[str]:
    with mock_aws():
        aws_clients.client.cache_clear()
        yield str(client("sqs").create_queue(QueueName="events")["QueueUrl"])
    aws_clients.client.cache_clear()


def received(url: str) -> dict[str, Any]:
    (message,) = client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    return dict(message.get("MessageAttributes", {}))


def test_a_message_of_a_traced_invocation_carries_its_trace(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observability, "tracing", tracing)
    observability.traced(lambda *_: EventQueue(queue).send([{"event_id": "1"}]))(EVENT, None)
    assert received(queue)["traceparent"]["StringValue"].startswith(f"00-{TRACE}-")


def test_without_tracing_a_message_carries_none(queue: str) -> None:
    assert observability.tracing is None
    EventQueue(queue).send([{"event_id": "1"}])
    assert received(queue) == {}


def test_outside_an_invocation_nothing_is_measured_or_kept() -> None:
    with tracing.span("transaction", {}):
        assert tracing.headers() == {}


def test_ids_do_not_come_from_the_state_that_a_snapshot_keeps() -> None:
    ids = tracing.RandomIds()
    drawn = []
    for _ in range(2):
        random.seed(1)
        drawn.append((ids.generate_trace_id(), ids.generate_span_id()))
    assert drawn[0] != drawn[1]
