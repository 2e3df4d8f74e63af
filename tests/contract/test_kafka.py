"""What producers may send, and what becomes of it: through Kafka in, over REST out."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import kafka.record.default_records
import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from churn.adapters.mysql import Database
from churn.adapters.mysql.database import Row
from tests.contract.conftest import Stack
from tests.support import eventually

_NOW = datetime.now(UTC)


def _send(stack: Stack, key: str, values: Sequence[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=stack.kafka, acks="all")
    try:
        for value in values:
            producer.send("user-events", key=key.encode(), value=value).get(10)
    finally:
        producer.close()


def _order(customer_id: str, number: int, **change: Any) -> bytes:
    event = {
        "event_id": f"{customer_id}-{number}",
        "event_type": "order_placed",
        "customer_id": customer_id,
        "timestamp": _NOW.isoformat(),
        "data": {"order_id": f"o-{number}", "order_value": 10},
    } | change
    return json.dumps(event).encode()


def _orders(stack: Stack, customer_id: str) -> int | None:
    answer = stack.get(f"/api/customers/{customer_id}")
    return int(answer.json["total_orders"]) if answer.status == 200 else None


def _letters(stack: Stack, key: str) -> list[Row]:
    database = Database(stack.database_url)
    try:
        return database.run(
            lambda transaction: transaction.rows(
                "SELECT * FROM dead_letters WHERE record_key = %s ORDER BY record_offset", (key,)
            )
        )
    finally:
        database.close()


def test_repeated_events_count_once(stack: Stack) -> None:
    customer_id = f"KAFKA-{uuid.uuid4().hex[:8]}"
    orders = [_order(customer_id, number) for number in range(5)]
    _send(stack, customer_id, [*orders, *reversed(orders), _order(customer_id, 99)])
    eventually(lambda: _orders(stack, customer_id) == 6)
    history = stack.get(f"/api/customers/{customer_id}/events").json
    assert history["total"] == 6


def test_the_older_shape_and_every_kind_of_time(stack: Stack) -> None:
    customer_id = f"KAFKA-{uuid.uuid4().hex[:8]}"
    older = {"event_type": "order_placed", "user_id": customer_id, "metadata": {"order_value": 5, "order_id": "m"}}
    _send(
        stack,
        customer_id,
        [
            json.dumps(older | {"event_id": uuid.uuid4().hex, "timestamp": int(_NOW.timestamp())}).encode(),
            _order(customer_id, 1, timestamp=int(_NOW.timestamp() * 1000)),
            _order(customer_id, 2, timestamp=_NOW.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ],
    )
    eventually(lambda: _orders(stack, customer_id) == 3)


def test_a_bad_record_is_put_aside_with_its_place_and_holds_nothing_up(stack: Stack) -> None:
    customer_id = f"KAFKA-{uuid.uuid4().hex[:8]}"
    bad = [b"no json", _order(customer_id, 1, timestamp="never"), _order(customer_id, 2, data={"order_value": -1})]
    _send(stack, customer_id, [*bad, _order(customer_id, 3)])
    eventually(lambda: _orders(stack, customer_id) == 1)
    letters = eventually(lambda: _letters(stack, customer_id))
    assert [letter["record_value"] for letter in letters] == bad
    assert ["timestamp" in letter["reason"] for letter in letters] == [False, True, False]
    assert all(letter["topic"] == "user-events" and letter["partition_id"] >= 0 for letter in letters)


def test_an_unknown_type_is_kept_in_the_history(stack: Stack) -> None:
    customer_id = f"KAFKA-{uuid.uuid4().hex[:8]}"
    _send(stack, customer_id, [_order(customer_id, 1, event_type="a_type_of_tomorrow", data={"colour": "green"})])

    def kept() -> list[dict[str, Any]]:
        answer = stack.get(f"/api/customers/{customer_id}/events?event_type=a_type_of_tomorrow")
        return list(answer.json["events"]) if answer.status == 200 else []

    (event,) = eventually(kept)
    assert event["event_data"] == {"colour": "green"}


def test_a_deleted_customer_is_gone(stack: Stack) -> None:
    customer_id = f"KAFKA-{uuid.uuid4().hex[:8]}"
    _send(stack, customer_id, [_order(customer_id, 1)])
    eventually(lambda: _orders(stack, customer_id) == 1)
    _send(stack, customer_id, [_order(customer_id, 2, event_type="customer_deleted", data={}), _order(customer_id, 3)])
    eventually(lambda: stack.get(f"/api/customers/{customer_id}").status == 404)


@pytest.mark.slow
def test_reading_that_stands_still_is_told_by_health_and_goes_on_when_the_cause_is_gone(
    own_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def health() -> dict[str, Any]:
        answer: dict[str, Any] = own_stack.get("/health", role=None).json
        return answer

    def publish(partition: int, value: bytes, **settings: Any) -> None:
        producer = KafkaProducer(bootstrap_servers=own_stack.kafka, **settings)
        try:
            producer.send("user-events", value=value, partition=partition).get(10)
        finally:
            producer.close()

    answer = eventually(lambda: (now := health())["status"] == "healthy" and now)
    assert answer["checks"]["ingestion"]["waiting"] == 0
    with monkeypatch.context() as patched:
        patched.setattr(kafka.record.default_records, "lz4_encode", lambda _: b"no lz4")
        publish(2, _order("BROKEN-1", 1) * 2, compression_type="lz4")
    publish(2, _order("BEHIND-1", 1))
    publish(0, _order("BESIDE-1", 1), compression_type="zstd")
    eventually(lambda: _orders(own_stack, "BESIDE-1") == 1)

    ingestion = eventually(lambda: health()["status"] == "degraded" and health()["checks"]["ingestion"])
    assert (ingestion["status"], ingestion["waiting"]) == ("down", 2)
    assert "the batch at offset 0 of partition 2 cannot be read: " in ingestion["detail"]
    assert ingestion["last_applied"] is not None

    place = TopicPartition("user-events", 2)
    consumer = KafkaConsumer(bootstrap_servers=own_stack.kafka, group_id="churn-scoring", enable_auto_commit=False)
    try:
        consumer.commit({place: OffsetAndMetadata(1, "", -1)})
    finally:
        consumer.close()
    eventually(lambda: _orders(own_stack, "BEHIND-1") == 1)
    eventually(lambda: health()["status"] == "healthy")
