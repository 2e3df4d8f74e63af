"""The queue of events that came by REST, when it does not answer."""

import socket

import pytest

from churn.adapters import aws_clients
from churn.adapters.event_queue import EventQueue, QueueUnavailableError


@pytest.mark.slow
@pytest.mark.timeout(28)
def test_a_queue_that_hangs_is_away_within_the_time_of_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        aws_clients.client.cache_clear()
        with pytest.raises(QueueUnavailableError):
            EventQueue("http://127.0.0.1/000000000000/events").send([{"event_id": "e-1"}])
    aws_clients.client.cache_clear()
