"""Any value on Kafka is applied as an event or kept as a dead letter, and those behind it are applied."""

import json
import random
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer

from churn.adapters.mysql import Database
from churn.domain.events import InvalidEventError, parse_event
from tests.contract.conftest import Stack
from tests.support import eventually
from tests.support.fuzzing import cases, drawing
from tests.support.hostile import any_json
from tests.support.stored import compare_with_histories, rows

_TOPIC = "user-events"
_TYPES = ["order_placed", "order_refunded", "payment_failed", "login", "profile_updated", "unheard_of"]
_GOOD = {"customer_id": "FUZZED-1", "event_type": "order_placed", "timestamp": "2026-01-02T03:04:05Z"}
_FIELDS = ["customer_id", "event_id", "event_type", "timestamp", "data", "user_id", "metadata"]
_DATA = ["order_id", "order_value", "currency", "email", "is_cumulative", "discount_used", "items"]

_EVENTS = st.builds(
    lambda changed, data: _GOOD | {"data": data} | changed,
    st.dictionaries(st.sampled_from(_FIELDS), any_json(4), max_size=2),
    st.dictionaries(st.sampled_from(_DATA) | st.text(max_size=5), any_json(4), max_size=4),
)
_VALID = st.builds(
    lambda customer, kind, value: {
        "customer_id": f"FUZZED-{customer}",
        "event_type": kind,
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"order_id": f"o-{value}", "order_value": value},
    },
    st.integers(0, 30),
    st.sampled_from(_TYPES),
    st.integers(-5, 10_000),
)
_VALUES = (
    _EVENTS.map(lambda event: json.dumps(event).encode())
    | _VALID.map(lambda event: json.dumps(event).encode())
    | st.builds(lambda event, seed: _mutated(json.dumps(event).encode(), random.Random(seed)), _VALID, st.integers())
    | any_json(5).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=100)
)


def _mutated(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(changed))
        changed[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(changed)


def _drawn(count: int) -> list[bytes]:
    values: list[bytes] = []

    @drawing(count)
    @given(value=_VALUES)
    def draw(value: bytes) -> None:
        values.append(value)

    draw()
    return values


def _is_event(value: bytes) -> bool:
    try:
        event = parse_event(value, now=datetime.now(UTC))
    except InvalidEventError:
        return False
    # It would erase what the others are compared with.
    assert event.event_type != "customer_deleted"
    return True


def _sentinels(producer: Any) -> list[str]:
    """Send a good event to the end of each partition; return the ids."""
    ids = []
    for partition in sorted(producer.partitions_for(_TOPIC)):
        event = _GOOD | {"customer_id": f"BEHIND-{partition}", "event_id": f"behind-{partition}"}
        producer.send(_TOPIC, json.dumps(event).encode(), partition=partition).get(60)
        ids.append(str(event["event_id"]))
    return ids


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_value_is_applied_or_kept(fuzzed: Stack) -> None:
    values = _drawn(cases("records"))
    producer = KafkaProducer(bootstrap_servers=fuzzed.kafka, acks="all", linger_ms=5)
    try:
        sent = [(producer.send(_TOPIC, value, key=b"fuzz-%d" % (at % 16)), value) for at, value in enumerate(values)]
        places = {(kept.partition, kept.offset): value for kept, value in ((one.get(60), value) for one, value in sent)}
        sentinels = _sentinels(producer)
    finally:
        producer.close()
    with closing(Database(fuzzed.database_url)) as database:
        behind = "SELECT event_id FROM events WHERE event_id LIKE 'behind-%%'"
        eventually(
            lambda: {row["event_id"] for row in rows(database, behind)} == set(sentinels), within=1200, every=0.5
        )
        letters = rows(database, "SELECT partition_id, record_offset, reason FROM dead_letters WHERE reason != ''")
        kept = {(row["partition_id"], row["record_offset"]) for row in letters} & set(places)
        assert kept == {place for place, value in places.items() if not _is_event(value)}
        assert 0 < len(kept) < len(places)
        compare_with_histories(database)
