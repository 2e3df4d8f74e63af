"""Predictions and alerts on a Kafka topic of their own, for whoever builds on them: made only where one is named."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from churn.adapters.kafka import BrokersUnknown, connection

_FLUSH_SECONDS = 5


class OutputUnavailable(RuntimeError):
    """The topic did not take the messages in time."""


class Output(Protocol):
    """Where messages go, each with the customer that it is about as its key."""

    def send(self, event: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Sends `{"event": …, "data": …}` for each item, and returns when all are taken. Raises OutputUnavailable."""


class KafkaOutput:
    """`Output` on a topic of the brokers that `churn.adapters.kafka.connection` reaches."""

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic
        self._producer: Any = None

    def send(self, event: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Sends the items in their order, which a customer's keep. Raises OutputUnavailable."""
        from kafka import KafkaProducer  # noqa: PLC0415  (a fifth of a second, for those who have a topic)
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            if self._producer is None:
                self._producer = KafkaProducer(
                    acks="all",
                    bootstrap_timeout_ms=_FLUSH_SECONDS * 1000,
                    delivery_timeout_ms=_FLUSH_SECONDS * 2000,
                    max_block_ms=_FLUSH_SECONDS * 1000,
                    request_timeout_ms=_FLUSH_SECONDS * 1000,
                    **connection(self._servers),
                )
            sent = [
                self._producer.send(
                    self._topic,
                    key=str(item["customer_id"]).encode(),
                    value=json.dumps({"event": event, "data": item}, separators=(",", ":")).encode(),
                )
                for item in items
            ]
            self._producer.flush(_FLUSH_SECONDS)
            for future in sent:
                future.get(_FLUSH_SECONDS)
        except (KafkaError, BrokersUnknown) as error:
            raise OutputUnavailable(f"topic {self._topic}: {error}") from error

    def close(self) -> None:
        """Closes the connections; the next message opens new ones."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(_FLUSH_SECONDS)
