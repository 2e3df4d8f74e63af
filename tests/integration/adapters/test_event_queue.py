"""The queue of events that came by REST, when it does not answer."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError
from moto import mock_aws

from churn.adapters import aws_clients, event_queue
from churn.adapters.breaker import PROBE_EVERY_SECONDS, Breaker
from churn.adapters.event_queue import EventQueue, QueueUnavailableError
from tests.support.clock import FakeClock
from tests.support.silent import SilentServer

_EVENTS = [{"event_id": "e-1"}]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws_clients.client.cache_clear()
    with mock_aws():
        yield
    aws_clients.client.cache_clear()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentServer]:
    server = SilentServer()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{server.port}")
    aws_clients.client.cache_clear()
    yield server
    aws_clients.client.cache_clear()
    server.close()


def test_a_queue_that_hangs_costs_one_request_the_wait_and_others_nothing(silent: SilentServer) -> None:
    clock = FakeClock(0.0)
    queue = EventQueue("http://127.0.0.1/000000000000/events", Breaker(clock))
    with pytest.raises(QueueUnavailableError, match="timeout"):
        queue.send(_EVENTS)
    assert silent.taken == 1
    for _ in range(3):
        with pytest.raises(QueueUnavailableError, match="a moment ago"):
            queue.send(_EVENTS)
    assert silent.taken == 1
    clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(QueueUnavailableError, match="timeout"):
        queue.send(_EVENTS)
    assert silent.taken == 2


@pytest.mark.usefixtures("aws")
def test_the_try_that_is_answered_lets_all_others_in_again() -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(clock)
    queue = EventQueue(boto3.client("sqs").create_queue(QueueName="events")["QueueUrl"], breaker)
    breaker.open()
    clock.now += PROBE_EVERY_SECONDS
    for _ in range(2):
        queue.send(_EVENTS)
    # An answer that says no is not one of a queue that works.
    with pytest.raises(QueueUnavailableError, match="NonExistentQueue"):
        EventQueue("http://127.0.0.1/000000000000/none", breaker).send(_EVENTS)
    assert not breaker.admits()


@pytest.mark.usefixtures("aws")
def test_a_connection_that_was_closed_idle_costs_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    closed = iter([ConnectionClosedError(endpoint_url=url)])

    class Closed:
        def send_message(self, **message: Any) -> None:
            for error in closed:
                raise error
            sqs.send_message(**message)

    monkeypatch.setattr(event_queue, "client_for_requests", lambda _: Closed())
    EventQueue(url, Breaker()).send(_EVENTS)
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
