"""Which topic is read: one that was made again has the old name and none of the old records."""

import contextlib
from collections.abc import Collection
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

_TIMEOUT_MS = 5000


class TopicIdentity(contextlib.AbstractContextManager["TopicIdentity"]):
    """The identity of a topic that is being read, with a connection of its own.

    Offsets do not tell a topic that was made again: after a batch of several records the bundled broker gives an end
    that lies before the reader's place.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        """Ask for the identity that the topic has now. Raises KafkaError."""
        self._topic = topic
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), request_timeout_ms=_TIMEOUT_MS)
        self._known = self._ask()

    def __exit__(self, *_: object) -> None:
        self._admin.close()

    def __enter__(self) -> Self:
        return self

    def begin_again(self, consumer: Any, partitions: Collection[Any]) -> bool:
        """Let a consumer read from the start if the topic was made again; return whether it was. Raises KafkaError."""
        identity = self._ask()
        if identity == self._known:
            return False
        self._known = identity
        consumer.seek_to_beginning(*partitions)
        return True

    def _ask(self) -> str:
        described = self._admin.describe_topics([self._topic])[0]
        if described["error_code"]:
            raise UnknownTopicOrPartitionError(self._topic)
        return str(described["topic_id"])
