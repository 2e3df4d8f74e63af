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
from kafka.errors import UnknownTopicOrPartitionError

from churn.adapters.kafka import make_topics
from infra.local.gateway.environment import Log, Result
from infra.local.gateway.kafka_backlog import BacklogWatch, Causes, sentence_of
from infra.local.gateway.kafka_topic import TopicIdentity
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import KafkaSourceSpec

# As the template's TopicPartitions.
_PARTITIONS = 48
_POLL_MS = 500
# The bundled broker looks for new records once half of a fetch's wait has passed, not when they come.
_FETCH_WAIT_MS = 50
# A topic without news for a while is asked less often: the first event after that waits so much longer.
_QUIET_AFTER_SECONDS = 5.0
_QUIET_PAUSE_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 2.0
# How long a partition is tried alone, and after what time one that could not be read, or is silent, is looked at again.
_TRIAL_MS = 5000
_TRY_AGAIN_SECONDS = 5.0
# How long a batch in progress may still be answered once the stack is being stopped.
_STOP_SECONDS = 5.0
# Lambda's limit of an event is 6 MB, base64 and JSON included.
_MAX_BATCH_BYTES = 4 * 1024 * 1024

OnFailure = Callable[[str, str, str], None]
Batch = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a source has done since its start, and what it has not done yet."""

    delivered: int
    failed: int
    batches: int
    waiting: int | None
    """The records in the topic that were not applied; None while the broker does not tell."""
    behind_seconds: float
    """How long the oldest of them has waited, or whatever stands in the way has stood there."""
    cause: str | None
    """Why it does not go on, where it does not."""


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
        self._causes = Causes()
        self._watch = BacklogWatch(bootstrap, spec.topic, spec.group, self._causes, from_start=spec.from_start)

    @property
    def progress(self) -> Progress:
        """What was delivered, what failed in spite of all retries, and what waits, with the cause."""
        waiting, causes = self._watch.waiting, self._causes
        return Progress(
            **self._counts,
            waiting=waiting.records,
            behind_seconds=round(max(waiting.oldest_seconds, causes.seconds), 1),
            cause="; ".join(filter(None, (causes.sentence, self._watch.silence))) or None,
        )

    @property
    def ready(self) -> bool:
        """Whether every poller has its partitions and their committed offsets."""
        return all(event.is_set() for event in self._ready)

    def start(self) -> None:
        """Start the pollers; call within the running event loop."""
        self._loop = asyncio.get_running_loop()
        for index in range(len(self._ready)):
            thread = threading.Thread(target=self._run, args=(index,), name=f"kafka-{index}", daemon=True)
            self._threads.append(thread)
        self._threads.append(
            threading.Thread(target=self._watch.run, args=(self._stopping,), name="kafka-backlog", daemon=True)
        )
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Ask the pollers to end, and wait until the batches in progress are answered or returned."""
        self._stopping.set()
        await asyncio.gather(*(asyncio.to_thread(thread.join, 10.0) for thread in self._threads))

    # -- one poller, in its thread -------------------------------------------------------------------------------------

    def _run(self, index: int) -> None:
        delay, is_suspect = self._backoff, False
        while not self._stopping.is_set():
            try:
                is_suspect = self._poll_forever(index, is_suspect=is_suspect)
            except Exception as error:  # noqa: BLE001 (whatever fails, a poller goes on and tells of it)
                # The broker is away or new, or a batch cannot be decoded: everything is asked for again, from the
                # committed offsets.
                is_suspect = True
                self._tell(f"poller {index}", f"the topic cannot be read: {sentence_of(error)}")
                self._stopping.wait(delay)
                delay = min(2 * delay, _MAX_BACKOFF_SECONDS)
            else:
                delay = self._backoff

    def _poll_forever(self, index: int, *, is_suspect: bool) -> bool:
        """Read the poller's partitions until it is to stop; return whether one of them has to be tried again.

        Where one is suspect, each is tried alone first, so that one that cannot be read holds up no other.
        """
        topic = self._spec.topic
        make_topics(self._bootstrap, [topic], _PARTITIONS)
        with contextlib.closing(self._consumer()) as consumer, TopicIdentity(self._bootstrap, topic) as identity:
            numbers = sorted(consumer.partitions_for_topic(topic) or ())
            if not numbers:
                raise UnknownTopicOrPartitionError(topic)
            own = [TopicPartition(topic, number) for number in numbers[index :: len(self._ready)]]
            partitions = [partition for partition in own if not is_suspect or self._can_be_read(partition)]
            try_again = time.monotonic() + _TRY_AGAIN_SECONDS if len(partitions) < len(own) else float("inf")
            consumer.assign(partitions)
            for partition in partitions:
                consumer.position(partition)
            self._ready[index].set()
            self._tell(f"poller {index}", None)
            if not partitions:
                self._stopping.wait(_TRY_AGAIN_SECONDS if own else None)
            news_at = time.monotonic()
            while partitions and not self._stopping.is_set() and (now := time.monotonic()) < try_again:
                until, is_quiet = min(try_again, now + _TRY_AGAIN_SECONDS), now - news_at >= _QUIET_AFTER_SECONDS
                batch = self._collect(consumer, until, is_quiet=is_quiet)
                if not batch:
                    if identity.begin_again(consumer, partitions):
                        self._log("kafka", f"{topic}: the topic was made again, and is read from its start")
                elif self._process(batch, 0):
                    consumer.commit(_next_offsets(batch))
                    news_at = time.monotonic()
                    self._causes.tell(_delivery(), None)
                else:
                    break
            return len(partitions) < len(own)

    def _consumer(self) -> Any:
        return KafkaConsumer(
            bootstrap_servers=self._bootstrap.split(","),
            group_id=self._spec.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if self._spec.from_start else "latest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_poll_records=self._spec.batch_size,
            reconnect_backoff_max_ms=1000,
        )

    def _can_be_read(self, partition: Any) -> bool:
        """Return whether the next records of a partition can be decoded, and tell if they cannot.

        With a consumer of its own: after an error of decoding it is of no more use.
        """
        with contextlib.closing(self._consumer()) as consumer:
            consumer.assign([partition])
            position = consumer.position(partition)
            sentence = None
            if position < consumer.end_offsets([partition])[partition]:
                try:
                    consumer.poll(timeout_ms=_TRIAL_MS, max_records=1)
                except Exception as error:  # noqa: BLE001 (each codec has errors of its own)
                    place = f"the batch at offset {position} of partition {partition.partition}"
                    sentence = f"{place} cannot be read: {sentence_of(error)}"
        self._tell(f"partition {partition.partition}", sentence)
        return sentence is None

    def _tell(self, part: str, sentence: str | None) -> None:
        is_news = self._causes.tell(part, sentence)
        if is_news:
            self._log("kafka", f"{self._spec.topic}: {sentence or f'{part} can be read again'}")

    def _collect(self, consumer: Any, until: float, *, is_quiet: bool) -> list[Any]:
        """Return up to a batch of records: those at hand, and those that come within the window after the first.

        If there are none, wait for them until that time, or until the source is to stop; `is_quiet`: ask less often.
        """
        batch: list[Any] = []
        size, deadline = 0, 0.0
        while len(batch) < self._spec.batch_size and size < _MAX_BATCH_BYTES and not self._stopping.is_set():
            if is_quiet and not batch:
                self._stopping.wait(_QUIET_PAUSE_SECONDS)
            left = deadline - time.monotonic() if batch else (_FETCH_WAIT_MS if is_quiet else _POLL_MS) / 1000
            if left <= 0 or (not batch and time.monotonic() >= until):
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
            place = f"partition {failed[0].partition} from offset {failed[0].offset} on"
            self._causes.tell(_delivery(), f"{self._pool.spec.label} fails in {place}: {kind_of_failure(result)}")
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
            identifiers = failed_identifiers(result.payload, place_of)
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


def kind_of_failure(result: Result) -> str:
    """Return why a batch was not applied, without the text of an error, which may quote a record."""
    if not result.error:
        return "it reports the records as failed"
    try:
        return str(json.loads(result.payload)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "it fails"


def _delivery() -> str:
    """Return the name of what this thread's poller delivers."""
    return f"batches of {threading.current_thread().name}"


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


def failed_identifiers[T](payload: bytes, read: Callable[[Any], T]) -> set[T]:
    """Return the item identifiers of a partial batch answer, as `read` returns each.

    Raises ValueError for what is no such answer.
    """
    answer = json.loads(payload)
    if answer is None:
        return set()
    failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
    if failures is None:
        return set()
    try:
        return {read(failure["itemIdentifier"]) for failure in failures}
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a partial batch answer: {answer}") from error


def place_of(identifier: Mapping[str, Any]) -> tuple[str, int]:
    """Return the topic and partition, and the offset, of an item identifier."""
    return str(identifier["partition"]), int(identifier["offset"])


def _next_offsets(batch: Batch) -> dict[Any, Any]:
    ends: dict[Any, int] = {}
    for record in batch:
        partition = TopicPartition(record.topic, record.partition)
        ends[partition] = max(ends.get(partition, 0), record.offset + 1)
    return {partition: OffsetAndMetadata(end, "", -1) for partition, end in ends.items()}
