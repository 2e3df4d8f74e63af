"""The event source: records reach the function in order, and none is lost."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import kafka.record.default_records
import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from churn.adapters.kafka import make_topics
from infra.local.servers import kafka_broker
from tests.integration.infra.conftest import TOPIC, Served
from tests.support import eventually


def publish(
    served: Served, *values: str, key: bytes = b"k", partition: int | None = None, codec: str | None = None
) -> None:
    producer = KafkaProducer(bootstrap_servers=served.kafka, compression_type=codec, linger_ms=20 if codec else 0)
    try:
        for value in values:
            producer.send(TOPIC, key=key, value=value.encode(), partition=partition)
        producer.flush(10)
    finally:
        producer.close()


def kept(served: Served, *values: str) -> list[str]:
    """Return those of the values that the function kept, in its order."""
    texts = [base64.b64decode(record["value"]).decode() for record in served.lines("records")]
    return [value for value in texts if value in values]


def test_records_arrive_in_order_with_msks_event_shape(served: Served) -> None:
    values = [f"order-{number}" for number in range(50)]
    publish(served, *values)
    eventually(lambda: len(kept(served, *values)) == 50)
    assert kept(served, *values) == values
    record = next(record for record in served.lines("records") if record.get("topic") == TOPIC)
    assert record["name"] == f"{TOPIC}-{record['partition']}"
    assert record["timestampType"] in ("CREATE_TIME", "LOG_APPEND_TIME")


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_are_read(served: Served, codec: str) -> None:
    # Alike enough to be worth compressing, and more than a block of 32 KB.
    values = [f"{codec}-{number}-" + "x" * 4000 for number in range(30)]
    publish(served, *values, codec=codec)
    eventually(lambda: len(kept(served, *values)) == 30)
    assert kept(served, *values) == values


def test_a_batch_that_cannot_be_read_is_told_and_holds_up_its_partition_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(kafka.record.default_records, "snappy_encode", lambda _: b"no snappy")
        publish(served, "in a broken batch" * 10, partition=1, codec="snappy")
    publish(served, "behind the broken batch", partition=1)
    publish(served, "beside-0", partition=0)
    publish(served, "beside-2", partition=2)
    eventually(lambda: len(kept(served, "beside-0", "beside-2")) == 2)
    eventually(lambda: "of partition 1 cannot be read: Uncompress" in str(reading(served)[0]["cause"]))
    eventually(lambda: reading(served)[0]["waiting"] == 2 and reading(served)[0]["behind_seconds"] > 5)
    # What was published since arrives, while that partition stands still.
    publish(served, "beside-later", partition=0)
    eventually(lambda: kept(served, "beside-later"))

    skip_a_record(served, 1)
    eventually(lambda: kept(served, "behind the broken batch"))
    eventually(lambda: (reading(served)[0]["cause"], reading(served)[0]["waiting"]) == (None, 0))
    assert reading(served)[0]["behind_seconds"] == 0


def reading(served: Served) -> list[dict[str, Any]]:
    """Return what the gateway says of its event sources."""
    sources: list[dict[str, Any]] = served.status().get("kafka", [])
    return sources


def skip_a_record(served: Served, partition: int) -> None:
    """Set the offset of the function's group behind the next record of a partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=served.kafka,
        group_id="lambda-RecordsFunction",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        place = TopicPartition(TOPIC, partition)
        consumer.assign([place])
        consumer.commit({place: OffsetAndMetadata(consumer.position(place) + 1, "", -1)})
    finally:
        consumer.close()


def test_only_what_failed_is_asked_for_again(served: Served) -> None:
    publish(served, "one", "late", "two")
    eventually(lambda: len(kept(served, "one", "late", "two")) == 3)
    assert kept(served, "one", "two") == ["one", "two"]


def test_a_crash_gives_the_batch_again(served: Served) -> None:
    publish(served, "before", "exit-once", "after")
    eventually(lambda: {"before", "exit-once", "after"} <= set(kept(served, "before", "exit-once", "after")))


def test_what_cannot_be_handled_is_kept_whole_and_holds_nobody_up(served: Served) -> None:
    s3 = served.client("s3", served.aws_url)
    publish(served, "bad", "exit", "fine-after-bad", partition=3)
    eventually(lambda: kept(served, "fine-after-bad"))
    bodies: list[dict[str, Any]] = []

    def both() -> bool:
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="dead").get("Contents", [])]
        bodies[:] = [json.loads(s3.get_object(Bucket="dead", Key=key)["Body"].read()) for key in keys]
        batches = [json.loads(body["payload"])["records"] for body in bodies]
        return {"YmFk", "ZXhpdA=="} <= {r["value"] for batch in batches for rs in batch.values() for r in rs}

    eventually(both)
    assert {body["requestContext"]["condition"] for body in bodies} == {"RetryAttemptsExhausted"}


def test_a_killed_gateway_goes_on_where_it_was(served: Served) -> None:
    values = [f"kill-{number}" for number in range(300)]
    pid = served.gateway.pid
    assert pid
    children = [p for function in served.status()["functions"].values() for p in function["pids"]]
    publish(served, *values)
    eventually(lambda: kept(served, *values))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not served.gateway.alive)
    # Its functions die with it, and the same ports serve again.
    eventually(lambda: not any(_runs(child) for child in children))
    served.gateway.start()
    eventually(lambda: served.status().get("ready"))
    eventually(lambda: set(kept(served, *values)) == set(values))
    eventually(lambda: served.get("/open")[0] == 200)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_broker_that_has_lost_its_records_is_read_from_the_start(served: Served) -> None:
    before = [f"before-{number}" for number in range(20)]
    publish(served, *before, partition=3)
    eventually(lambda: kept(served, *before) == before)
    served.broker.stop()
    served.broker.start()
    eventually(lambda: kafka_broker.answers(int(served.kafka.rpartition(":")[2])))
    # Fewer than there were: the place where the source was is behind them.
    after = [f"after-{number}" for number in range(3)]
    make_topics(served.kafka, [TOPIC], 48)
    publish(served, *after, partition=3)
    eventually(lambda: set(kept(served, *after)) == set(after))
