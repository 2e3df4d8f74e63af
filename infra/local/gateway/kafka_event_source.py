"""The MSK event source: polls a topic, invokes the function with batches, commits what it has answered for.

Partitions are shared out among pollers, each a thread with a consumer and at most one batch in progress, so the order
within a partition is kept. Offsets are committed after the answer: delivery is at least once.
"""

import asyncio
import base64
import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from churn.adapters.kafka import KafkaUnavailableError, make_topics
from infra.local.gateway.environment import Log, Result
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import KafkaSourceSpec

_PARTITIONS = 4
_POLL_MS = 500
# The bundled broker looks for new records once half of a fetch's wait has passed, not when they come.
_FETCH_WAIT_MS = 50
_MAX_BACKOFF_SECONDS = 5.0
# How long a batch in progress may still be answered once the stack is being stopped.
_STOP_SECONDS = 5.0
# Lambda's limit of an event is 6 MB, base64 and JSON included.
_MAX_BATCH_BYTES = 4 * 1024 * 1024

OnFailure = Callable[[str, str, str], None]
Batch = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a source has done since its start."""

    delivered: int
    failed: int
    batches: int


class KafkaSource:
    """The event source of one function: one topic.

    `on_failure(bucket, key, body)` takes what could not be handled in spite of all retries.
    """

    def __init__(
        self,
        spec: KafkaSourceSpec,
        pool: FunctionPool,
        bootstrap: str,
        log: Log,
        on_failure: OnFailure,
        backoff: float = 0.2,
    ) -> None:
        self._spec = spec
        self._pool = pool
        self._bootstrap = bootstrap
        self._log = log
        self._on_failure = on_failure
        self._backoff = backoff
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._counts = {"delivered": 0, "failed": 0, "batches": 0}
        self._ready = [threading.Event() for _ in range(max(1, spec.pollers))]

    @property
    def progress(self) -> Progress:
        """Records delivered, records that failed in spite of all retries, batches sent."""
        return Progress(**self._counts)

    @property
    def ready(self) -> bool:
        """Whether every poller has its partitions and their committed offsets."""
        return all(event.is_set() for event in self._ready)

    def start(self) -> None:
        """Start the pollers; call within the running event loop."""
        self._loop = asyncio.get_running_loop()
        for index in range(len(self._ready)):
            thread = threading.Thread(target=self._run, args=(index,), name=f"kafka-{index}", daemon=True)
            thread.start()
            self._threads.append(thread)

    async def stop(self) -> None:
        """Ask the pollers to end, and wait until the batches in progress are answered or returned."""
        self._stopping.set()
        await asyncio.gather(*(asyncio.to_thread(thread.join, 10.0) for thread in self._threads))

    # -- one poller, in its thread -------------------------------------------------------------------------------------

    def _run(self, index: int) -> None:
        delay = self._backoff
        while not self._stopping.is_set():
            try:
                self._poll_forever(index)
            except (KafkaError, KafkaUnavailableError, OSError, ValueError, AssertionError) as error:
                # The broker is away or new: everything is asked for again, from the committed offsets.
                self._log("kafka", f"{self._spec.topic}: {type(error).__name__}: {error}; trying again")
                self._stopping.wait(delay)
                delay = min(2 * delay, _MAX_BACKOFF_SECONDS)
            else:
                delay = self._backoff

    def _poll_forever(self, index: int) -> None:
        topic = self._spec.topic
        make_topics(self._bootstrap, [topic], _PARTITIONS)
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap.split(","),
            group_id=self._spec.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if self._spec.from_start else "latest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_poll_records=self._spec.batch_size,
            reconnect_backoff_max_ms=1000,
        )
        with contextlib.closing(consumer):
            numbers = sorted(consumer.partitions_for_topic(topic))
            if not numbers:
                raise UnknownTopicOrPartitionError(topic)
            partitions = [TopicPartition(topic, number) for number in numbers[index :: len(self._ready)]]
            consumer.assign(partitions)
            for partition in partitions:
                consumer.position(partition)
            self._ready[index].set()
            if not partitions:
                self._stopping.wait()
            while not self._stopping.is_set():
                batch = self._collect(consumer)
                if batch and self._process(batch, 0):
                    consumer.commit(_next_offsets(batch))
                elif batch:
                    return

    def _collect(self, consumer: Any) -> list[Any]:
        """Return up to a batch of records: those at hand, and those that come within the window after the first."""
        batch: list[Any] = []
        size, deadline = 0, 0.0
        while len(batch) < self._spec.batch_size and size < _MAX_BATCH_BYTES and not self._stopping.is_set():
            left = deadline - time.monotonic() if batch else _POLL_MS / 1000
            if batch and left <= 0:
                break
            room = self._spec.batch_size - len(batch)
            polled = consumer.poll(timeout_ms=int(left * 1000), max_records=room)
            for records in polled.values():
                batch.extend(records)
                size += sum(len(record.value or b"") * 2 for record in records)
            if batch and not deadline:
                deadline = time.monotonic() + self._spec.window
        return batch

    def _process(self, batch: Batch, attempt: int) -> bool:
        """Bring a batch to an answer or to the on-failure destination; return False if stopped before that."""
        while True:
            batch = self._fresh(batch)
            if not batch:
                return True
            result = self._invoke(batch)
            if result is None:
                return False
            failed, reason = self._failed(batch, result)
            self._counts["delivered"] += len(batch) - len(failed)
            if not failed:
                return True
            if self._spec.bisect and len(failed) == len(batch) > 1 and result.error:
                middle = len(batch) // 2
                return self._process(batch[:middle], attempt) and self._process(batch[middle:], attempt)
            if 0 <= self._spec.retries <= attempt:
                self._give_up(failed, reason, attempt)
                return True
            batch = failed
            self._log("kafka", f"{self._pool.spec.label}: {len(failed)} records to be tried again: {reason[:500]}")
            if self._stopping.wait(min(self._backoff * 2**attempt, _MAX_BACKOFF_SECONDS)):
                return False
            attempt += 1

    def _invoke(self, batch: Batch) -> Result | None:
        assert self._loop  # noqa: S101
        payload = json.dumps(msk_event(batch, self._spec.arn, self._bootstrap)).encode()
        future = asyncio.run_coroutine_threadsafe(self._pool.invoke(payload), self._loop)
        self._counts["batches"] += 1
        stopping_since: float | None = None
        while True:
            try:
                return future.result(0.2)
            except TimeoutError:
                if not self._stopping.is_set():
                    continue
                stopping_since = stopping_since or time.monotonic()
                if time.monotonic() > stopping_since + _STOP_SECONDS:
                    future.cancel()
                    return None

    def _failed(self, batch: Batch, result: Result) -> tuple[Batch, str]:
        if result.error:
            return batch, result.payload.decode("utf-8", "replace")
        if not self._spec.partial_answers:
            return [], ""
        try:
            identifiers = failed_identifiers(result.payload)
        except ValueError as error:
            return batch, str(error)
        delivered = {(f"{record.topic}-{record.partition}", record.offset) for record in batch}
        if not identifiers <= delivered:
            return batch, "the answer names a record that was not in the batch"
        failed = [r for r in batch if (f"{r.topic}-{r.partition}", r.offset) in identifiers]
        return failed, "reported by the function"

    def _fresh(self, batch: Batch) -> Batch:
        if self._spec.record_age < 0:
            return batch
        oldest = (time.time() - self._spec.record_age) * 1000
        late = [record for record in batch if record.timestamp < oldest]
        if late:
            self._give_up(late, "older than MaximumRecordAgeInSeconds", 0)
        return [record for record in batch if record.timestamp >= oldest]

    def _give_up(self, batch: Batch, reason: str, attempts: int) -> None:
        self._counts["failed"] += len(batch)
        offsets = ", ".join(f"{record.partition}:{record.offset}" for record in batch[:10])
        self._log("kafka", f"{self._pool.spec.label}: given up after {attempts} retries: {offsets}: {reason[:500]}")
        if self._spec.on_failure is None:
            return
        payload = json.dumps(msk_event(batch, self._spec.arn, self._bootstrap))
        now = time.gmtime()
        body = {
            "requestContext": {
                "functionArn": self._pool.arn,
                "condition": "RetryAttemptsExhausted" if attempts else "RecordAgeExceeded",
                "approximateInvokeCount": attempts + 1,
            },
            "responseContext": {"statusCode": 200, "functionError": "Unhandled", "reason": reason[:2000]},
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
            "KafkaBatchInfo": {
                "batchSize": len(batch),
                "eventSourceArn": self._spec.arn,
                "bootstrapServers": self._bootstrap,
                "payloadSize": len(payload),
            },
            "payload": payload,
        }
        place = f"{batch[0].topic}-{batch[0].partition}/{time.strftime('%Y/%m/%d/%Y-%m-%dT%H.%M.%S', now)}"
        key = f"aws/lambda/{self._pool.spec.name}/{place}-{uuid.uuid4()}"
        self._on_failure(self._spec.on_failure, key, json.dumps(body))


def msk_event(batch: Batch, arn: str, bootstrap: str) -> dict[str, Any]:
    """Return the event that Lambda makes of records of an MSK topic."""
    records: dict[str, list[dict[str, Any]]] = {}
    for record in batch:
        entry: dict[str, Any] = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "timestampType": "LOG_APPEND_TIME" if record.timestamp_type == 1 else "CREATE_TIME",
            "headers": [{name: list(value)} for name, value in record.headers or ()],
        }
        if record.key is not None:
            entry["key"] = base64.b64encode(record.key).decode()
        if record.value is not None:
            entry["value"] = base64.b64encode(record.value).decode()
        records.setdefault(f"{record.topic}-{record.partition}", []).append(entry)
    return {"eventSource": "aws:kafka", "eventSourceArn": arn, "bootstrapServers": bootstrap, "records": records}


def failed_identifiers(payload: bytes) -> set[tuple[str, int]]:
    """Return the (topic-partition, offset) pairs of a partial batch answer. Raises ValueError for what is none."""
    answer = json.loads(payload)
    if answer is None:
        return set()
    failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
    if failures is None:
        return set()
    try:
        return {(str(f["itemIdentifier"]["partition"]), int(f["itemIdentifier"]["offset"])) for f in failures}
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a partial batch answer: {answer}") from error


def _next_offsets(batch: Batch) -> dict[Any, Any]:
    ends: dict[Any, int] = {}
    for record in batch:
        partition = TopicPartition(record.topic, record.partition)
        ends[partition] = max(ends.get(partition, 0), record.offset + 1)
    return {partition: OffsetAndMetadata(end, "", -1) for partition, end in ends.items()}
