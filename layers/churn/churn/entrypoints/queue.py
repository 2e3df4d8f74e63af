"""The SQS entry point: the records of a batch of messages, each of which holds events; a partial-batch response."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Any

from churn.adapters.event_queue import read_message
from churn.entrypoints.kafka import Record, read_record

TOPIC = "events-by-rest"
"""What stands for the topic in a dead letter that came by the queue."""


def is_queued(source: Mapping[str, Any]) -> bool:
    """Return whether an event comes from SQS."""
    return any(message.get("eventSource") == "aws:sqs" for message in source.get("Records", ()))


def decode(source: Mapping[str, Any], now: datetime, allowed: Container[str] = ()) -> dict[str, list[Record]]:
    """Return the records of an SQS event by the ids of their messages."""
    return {
        message["messageId"]: [
            read_record(TOPIC, 0, place, None, text.encode(), now, allowed)
            for place, text in enumerate(read_message(message["body"]))
        ]
        for message in source["Records"]
    }


def failures(messages: Mapping[str, Iterable[Record]], failed: Iterable[Record]) -> dict[str, Any]:
    """Return the partial-batch response: only the messages with a record that failed are delivered again."""
    ids = {id(record) for record in failed}
    return {
        "batchItemFailures": [
            {"itemIdentifier": message}
            for message, records in messages.items()
            if any(id(record) in ids for record in records)
        ]
    }
