"""Kafka's brokers: how a client reaches them, and the topics that a deployment makes on a cluster of its own."""

import contextlib
import re
from collections.abc import Sequence
from typing import Any

from churn.adapters import aws_clients as aws

_CLUSTER = re.compile(r"arn:aws[a-z-]*:kafka:")
_WEEK_MS = 7 * 24 * 3600 * 1000
_ADMIN_MS = 30_000


class BrokersUnknown(OSError):
    """MSK does not tell where the cluster's brokers are."""


def connection(servers: str) -> dict[str, Any]:
    """What kafka-python's clients want to know to reach `servers`, which are ``host:port,host:port``.

    In their place may stand the ARN of an MSK cluster, which names its brokers and wants IAM tokens. Raises
    BrokersUnknown.
    """
    if not _CLUSTER.match(servers):
        return {"bootstrap_servers": servers.split(",")}
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

    try:
        told = aws.client("kafka").get_bootstrap_brokers(ClusterArn=servers)
        brokers = str(told["BootstrapBrokerStringSaslIam"]).split(",")
    except (BotoCoreError, ClientError, KeyError) as error:
        raise BrokersUnknown(f"the brokers of {servers} are not known: {error!r}") from error
    return {"bootstrap_servers": brokers, "security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}


def make_topics(servers: str, topics: Sequence[str], partitions: int) -> list[str]:
    """Makes the topics that are not there, which keep a week of records, and returns their names.

    How often a record is stored is for the brokers to say. Raises BrokersUnknown and kafka-python's KafkaError.
    """
    from kafka import KafkaAdminClient  # noqa: PLC0415 (at deploy alone)
    from kafka.admin import NewTopic  # noqa: PLC0415
    from kafka.errors import TopicAlreadyExistsError  # noqa: PLC0415

    admin = KafkaAdminClient(request_timeout_ms=_ADMIN_MS, **connection(servers))
    try:
        there = set(admin.list_topics())
        missing = [topic for topic in topics if topic not in there]
        for topic in missing:
            # Another deployment may have been faster.
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics([NewTopic(topic, partitions, -1, topic_configs={"retention.ms": str(_WEEK_MS)})])
        return missing
    finally:
        admin.close()
