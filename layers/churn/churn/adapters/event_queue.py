"""The queue of events that came by REST: written by the function that takes them, read by scoring."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from churn.adapters.aws_clients import client_for_requests
from churn.adapters.breaker import QUEUE, Breaker
from churn.domain.errors import UnavailableError
from churn.observability import trace_headers

MAX_MESSAGE_BYTES = 200_000
"""So large is a message at most: below SQS's limit for a request, which holds one message here."""
MAX_MESSAGE_EVENTS = 100
"""So many events has a message at most: ten messages go to one invocation of scoring, within its time-out."""


class QueueUnavailableError(UnavailableError):
    """The queue does not take messages."""

    dependency = "queue of events"


class EventQueue:
    """The queue, by its URL."""

    def __init__(self, url: str, breaker: Breaker = QUEUE) -> None:
        self._url = url
        self._breaker = breaker

    def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Send events, as many as fit into each message. Raises QueueUnavailableError.

        Some may have been sent then: all can be sent again, as each counts once by its id. Of a queue that hangs the
        first request waits for 2 seconds, then all are refused at once but for one in 2 seconds, which tries it.
        """
        if not self._breaker.admits():
            raise QueueUnavailableError("the queue did not answer a moment ago")
        try:
            queue = client_for_requests("sqs")
            attributes = {
                name: {"DataType": "String", "StringValue": value} for name, value in trace_headers().items() if value
            }
            for message in messages(events):
                _send(queue, QueueUrl=self._url, MessageBody=message, MessageAttributes=attributes)
        except (BotoCoreError, ClientError) as error:
            self._breaker.open()
            raise QueueUnavailableError(str(error)) from error
        self._breaker.close()


def _send(queue: Any, **message: Any) -> None:
    try:
        queue.send_message(**message)
    except ConnectionClosedError:
        # A connection that was closed while the process stood still.
        queue.send_message(**message)


def messages(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield JSON arrays of MAX_MESSAGE_EVENTS at most, in their order, each of MAX_MESSAGE_BYTES or of one event."""
    pending: list[str] = []
    size = 0
    for event in events:
        text = json.dumps(event, separators=(",", ":"))
        if pending and (size + len(text) + 1 > MAX_MESSAGE_BYTES or len(pending) == MAX_MESSAGE_EVENTS):
            yield f"[{','.join(pending)}]"
            pending, size = [], 0
        pending.append(text)
        size += len(text) + 1
    if pending:
        yield f"[{','.join(pending)}]"


def read_message(body: str) -> list[str]:
    """Return the events of a message as JSON texts; one that is no array of ours is one text."""
    try:
        events = json.loads(body)
    except ValueError:
        return [body]
    return [json.dumps(event, separators=(",", ":")) for event in events] if isinstance(events, list) else [body]
