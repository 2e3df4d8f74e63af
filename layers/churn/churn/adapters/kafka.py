"""Kafka: how a client reaches the brokers, the topics of a deployment's own cluster, and the output topic."""

import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from churn.adapters import aws_clients
from churn.domain.errors import UnavailableError
from churn.observability import trace_headers

_CLUSTER = re.compile(r"arn:aws[a-z-]*:kafka:")
_WEEK_MS = 7 * 24 * 3600 * 1000
_ADMIN_MS = 30_000
_FLUSH_SECONDS = 5


class KafkaUnavailableError(UnavailableError):
    """The brokers do not answer, or refuse."""


class BrokersUnknownError(KafkaUnavailableError):
    """MSK does not return the cluster's brokers."""


class OutputUnavailableError(KafkaUnavailableError):
    """The topic did not take the messages in time."""


def connection(servers: str) -> dict[str, Any]:
    """Return the arguments with which kafka-python's clients reach `servers`, ``host:port,host:port``.

    `servers` may also be the ARN of an MSK cluster, which is asked for its brokers and authenticates by IAM. Raises
    BrokersUnknownError.
    """
    if not _CLUSTER.match(servers):
        return {"bootstrap_servers": servers.split(",")}
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

    try:
        response = aws_clients.client("kafka").get_bootstrap_brokers(ClusterArn=servers)
        brokers = str(response["BootstrapBrokerStringSaslIam"]).split(",")
    except (BotoCoreError, ClientError, KeyError) as error:
        raise BrokersUnknownError(f"the brokers of {servers} are not known: {error!r}") from error
    return {"bootstrap_servers": brokers, "security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}


def make_topics(servers: str, topics: Sequence[str], partitions: int) -> list[str]:
    """Create the missing topics, with a retention of one week, and return their names.

    The brokers' default replication factor applies. Raises KafkaUnavailableError.
    """
    from kafka import KafkaAdminClient  # noqa: PLC0415 (at deploy alone)
    from kafka.admin import NewTopic  # noqa: PLC0415
    from kafka.errors import KafkaError, TopicAlreadyExistsError  # noqa: PLC0415

    try:
        with contextlib.closing(KafkaAdminClient(request_timeout_ms=_ADMIN_MS, **connection(servers))) as admin:
            existing = set(admin.list_topics())
            missing = [topic for topic in topics if topic not in existing]
            for topic in missing:
                new = NewTopic(topic, partitions, -1, topic_configs={"retention.ms": str(_WEEK_MS)})
                # Another deployment may have been faster.
                with contextlib.suppress(TopicAlreadyExistsError):
                    admin.create_topics([new])
            return missing
    except KafkaError as error:
        raise KafkaUnavailableError(str(error)) from error


class Output(Protocol):
    """A destination of messages, each with the customer that it is about as its key."""

    def send(self, event: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Send `{"event": …, "data": …}` for each item and wait for all. Raises OutputUnavailableError."""


class KafkaOutput:
    """`Output` on a topic of the brokers that `connection` reaches."""

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic
        self._producer: Any = None

    def send(self, event: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Send the items; those of one customer keep their order. Raises OutputUnavailableError."""
        from kafka import KafkaProducer  # noqa: PLC0415  (a fifth of a second, which only functions with an output topic pay)
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
            headers = [(name, value.encode()) for name, value in trace_headers().items()]
            sent = [
                self._producer.send(
                    self._topic,
                    key=str(item["customer_id"]).encode(),
                    value=json.dumps({"event": event, "data": item}, separators=(",", ":")).encode(),
                    headers=headers,
                )
                for item in items
            ]
            self._producer.flush(_FLUSH_SECONDS)
            for future in sent:
                future.get(_FLUSH_SECONDS)
        except (KafkaError, BrokersUnknownError) as error:
            raise OutputUnavailableError(f"topic {self._topic}: {error}") from error

    def close(self) -> None:
        """Close the connections; the next message opens new ones."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(_FLUSH_SECONDS)
