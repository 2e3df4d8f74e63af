"""The command that publishes simulated events, against a broker over its protocol and a REST door of the test's own."""

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from kafka import KafkaConsumer, TopicPartition

from churn.domain.events import parse_event
from infra.tools import publish_events
from infra.tools.simulator import live_events
from infra.tools.stack_environment import NotRunningError
from tests.support import eventually

CUSTOMERS = [f"C-{number:04d}" for number in range(1200)]


@pytest.fixture
def shop() -> Iterator[str]:
    """Serve the customers over REST in pages, to the bearer of the right token."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            allowed = self.headers["Authorization"] == "Bearer good"
            start, limit = int(query.get("cursor", 0)), int(query["limit"])
            page = {"customers": [{"customer_id": name} for name in CUSTOMERS[start : start + limit]]}
            if start + limit < len(CUSTOMERS):
                page["next_cursor"] = str(start + limit)  # type: ignore[assignment]
            body = json.dumps(page).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            assert format

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def consumed(kafka: str, topic: str, number: int) -> list[tuple[str, bytes]]:
    """Return the first `number` records of a topic: key and value."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None)
    consumed: list[tuple[str, bytes]] = []
    try:
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()])

        def enough() -> bool:
            for records in consumer.poll(200).values():
                consumed.extend((record.key.decode(), record.value) for record in records)
            return len(consumed) >= number

        eventually(enough)
    finally:
        consumer.close()
    return consumed


def test_every_customer_is_read_page_by_page(shop: str) -> None:
    assert publish_events.customers_of(shop, "good") == CUSTOMERS
    with pytest.raises(NotRunningError, match="401"):
        publish_events.customers_of(shop, "bad")


def test_events_go_out_at_the_rate_with_the_customer_as_key(
    kafka: str, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ | {"CHURN_STATE_DIR": str(tmp_path), "EVENTS_TOPIC": "tool-events"})
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    (tmp_path / "endpoints.json").write_text(json.dumps({"kafka": kafka, "base_url": shop, "token": "good"}))

    began = time.monotonic()
    assert publish_events.main(["--rate", "50", "--count", "60"]) == 0
    seconds = time.monotonic() - began

    assert seconds >= 59 / 50
    assert "60 events published" in capsys.readouterr().out
    now = datetime.now(UTC)
    records = consumed(kafka, "tool-events", 60)
    assert len(records) == 60
    for key, value in records:
        event = parse_event(value, now=now)
        assert key == event.customer_id
        assert key in CUSTOMERS
        assert now - event.timestamp < timedelta(minutes=1)
    assert len({json.loads(value)["event_id"] for _, value in records}) == 60


def test_an_event_survives_the_wire() -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    stream = live_events(Random(1), ["ann"], lambda: instant)
    for event in (next(stream) for _ in range(100)):
        assert parse_event(publish_events.encode(event), now=instant) == event


def test_without_a_stack_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ | {"CHURN_STATE_DIR": str(tmp_path)})
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    assert publish_events.main(["--count", "1"]) == 1
    assert "make up" in capsys.readouterr().err
