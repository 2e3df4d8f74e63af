"""Whether a topic was made again, by a real broker."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from churn.adapters.kafka import make_topics
from infra.local.gateway.kafka_topic import TopicIdentity
from infra.local.servers import kafka_broker
from infra.local.servers.child_process import start_child
from infra.local.servers.databases import free_port
from tests.support import eventually

_TOPIC = "made-again"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve a broker that has the topic; return its address."""
    port = free_port()
    process = start_child(kafka_broker.command(port), os.environ | {"TMPDIR": str(tmp_path)}, tmp_path / "broker.log")
    try:
        eventually(lambda: kafka_broker.answers(port))
        make_topics(f"127.0.0.1:{port}", [_TOPIC], 1)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_topic_is_read_again_after_it_was_made_again_and_not_before(address: str) -> None:
    partition = TopicPartition(_TOPIC, 0)
    # One batch of several records, as a producer that lingers sends them.
    with closing(KafkaProducer(bootstrap_servers=address, linger_ms=2000)) as producer:
        for number in range(3):
            producer.send(_TOPIC, str(number).encode())
    with ExitStack() as clients:
        reader = clients.enter_context(closing(KafkaConsumer(bootstrap_servers=address)))
        admin = clients.enter_context(closing(KafkaAdminClient(bootstrap_servers=address)))
        identity = clients.enter_context(TopicIdentity(address, _TOPIC))
        reader.assign([partition])
        reader.seek_to_beginning(partition)
        read: list[bytes] = []

        def has_read(number: int) -> bool:
            read.extend(record.value for records in reader.poll(200).values() for record in records)
            return len(read) == number

        eventually(lambda: has_read(3))
        assert reader.end_offsets([partition])[partition] < reader.position(partition), "what the bundled broker tells"
        assert not identity.begin_again(reader, [partition])
        assert reader.position(partition) == 3
        admin.delete_topics([_TOPIC])
        make_topics(address, [_TOPIC], 1)
        assert identity.begin_again(reader, [partition])
        assert reader.position(partition) == 0
        assert not identity.begin_again(reader, [partition])
