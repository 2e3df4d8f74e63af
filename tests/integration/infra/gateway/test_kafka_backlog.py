"""What is known of a topic's backlog while its broker hangs: a real one, which is stopped and goes on."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from infra.local.gateway.kafka_backlog import BacklogWatch, Causes
from infra.local.servers import kafka_broker
from infra.local.servers.child_process import start_child
from infra.local.servers.databases import free_port
from tests.support import eventually

TOPIC = "watched"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Serve a broker that nobody else uses; return its address and the id of its process."""
    port = free_port()
    process = start_child(kafka_broker.command(port), os.environ | {"TMPDIR": str(tmp_path)}, tmp_path / "broker.log")
    try:
        eventually(lambda: kafka_broker.answers(port))
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait()


def test_a_broker_that_hangs_is_told_with_the_age_of_what_is_known(broker: tuple[str, int]) -> None:
    address, pid = broker
    producer = KafkaProducer(bootstrap_servers=address)
    producer.send(TOPIC, b"waits").get(20)
    producer.close()
    causes, stopping = Causes(), threading.Event()
    watch = BacklogWatch(address, TOPIC, "nobody", causes, from_start=True, silent_after=3.0)
    thread = threading.Thread(target=watch.run, args=(stopping,))
    thread.start()
    try:
        eventually(lambda: watch.waiting.records == 1)
        assert (watch.silence, causes.sentence) == (None, None)
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: watch.waiting.records is None)
        assert watch.waiting.oldest_seconds > 3
        # Whether the request still hangs or has been given up.
        told = watch.silence or causes.sentence
        assert told
        assert told.startswith(("the broker has not answered for ", "the broker does not answer: "))
        # The age grows, whatever the watch tries meanwhile.
        eventually(lambda: watch.waiting.oldest_seconds > 8)
        assert watch.waiting.records is None
        assert watch.silence or causes.sentence
        os.kill(pid, signal.SIGCONT)
        eventually(lambda: watch.waiting.records == 1)
        assert (watch.silence, causes.sentence) == (None, None)
    finally:
        os.kill(pid, signal.SIGCONT)
        stopping.set()
        thread.join(30)
