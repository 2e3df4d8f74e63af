"""How far the reading of a topic is behind: what waits, for how long, and why.

It is measured from outside, by the offsets that the group has committed and the partitions' ends: so it is true
whatever has become of a poller.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

_EVERY_SECONDS = 2.0
_TIMEOUT_MS = 5000
# A broker that hangs takes requests and answers none, and not every request ends by itself: what was found is the past.
_SILENT_AFTER_SECONDS = 10.0
# So much is remembered of a partition that nobody reads: older ends are kept, for they say since when it waits.
_SIGHTINGS = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """The records of a topic that have not been applied; None where the broker does not tell."""

    records: int | None
    oldest_seconds: float
    """Since when the oldest of them has waited, as far as it was watched."""


@dataclass(slots=True)
class _Partition:
    committed: int = 0
    end: int = 0
    sightings: deque[tuple[float, int]] = field(default_factory=deque)
    """When the partition's end was first seen there, of ends that are not committed."""


class Backlog:
    """What waits in each partition since when, by the clock of the observations: producers' clocks do not matter."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def observe(self, committed: Mapping[int, int], ends: Mapping[int, int], at: float) -> None:
        """Take in what was found at an instant: the next offset to apply and the end of each partition."""
        for number, end in ends.items():
            partition = self._partitions.setdefault(number, _Partition())
            partition.committed, partition.end = committed[number], end
            seen = partition.sightings
            # A topic that began again has lower ends than before.
            while seen and (seen[0][1] <= partition.committed or seen[0][1] > end):
                seen.popleft()
            newest = seen[-1][1] if seen else partition.committed
            if end > newest and len(seen) < _SIGHTINGS:
                seen.append((at, end))

    def waiting(self, at: float) -> Waiting:
        """Return what waits at an instant."""
        behind = [partition for partition in self._partitions.values() if partition.end > partition.committed]
        records = sum(partition.end - partition.committed for partition in behind)
        first = min((partition.sightings[0][0] for partition in behind if partition.sightings), default=at)
        return Waiting(records, at - first)


class Causes:
    """Why reading stands still: a sentence of each part that cannot go on, and since when it cannot."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._standing: dict[str, tuple[float, str]] = {}

    def tell(self, part: str, sentence: str | None) -> bool:
        """Note why a part cannot go on, None once it can; return whether that is news."""
        with self._lock:
            since, known = self._standing.get(part, (self._clock(), None))
            if sentence is None:
                self._standing.pop(part, None)
            else:
                self._standing[part] = (since, sentence)
            return sentence != known

    @property
    def seconds(self) -> float:
        """How long the first of them has stood, 0 if none does."""
        with self._lock:
            return max((self._clock() - since for since, _ in self._standing.values()), default=0.0)

    @property
    def sentence(self) -> str | None:
        """All of them, the oldest first."""
        with self._lock:
            return "; ".join(sentence for _, sentence in sorted(self._standing.values())) or None


class BacklogWatch:
    """A thread that watches the backlog of a group on a topic."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        causes: Causes,
        *,
        from_start: bool,
        silent_after: float = _SILENT_AFTER_SECONDS,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._causes = causes
        self._from_start = from_start
        self._backlog = Backlog()
        self._silent_after = silent_after
        self._has_failed = False
        self._looked_at = time.monotonic()

    @property
    def waiting(self) -> Waiting:
        """What waits now."""
        waiting, age = self._backlog.waiting(time.monotonic()), self._age
        is_known = not self._has_failed and age <= self._silent_after
        return waiting if is_known else Waiting(None, max(waiting.oldest_seconds, age))

    @property
    def silence(self) -> str | None:
        """That the broker has not answered for long, which nothing else tells while a request to it hangs."""
        age = self._age
        is_silent = not self._has_failed and age > self._silent_after
        return f"the broker has not answered for {age:.0f} s" if is_silent else None

    @property
    def _age(self) -> float:
        """The seconds since the last look that succeeded, or since the start."""
        return time.monotonic() - self._looked_at

    def run(self, stopping: threading.Event) -> None:
        """Watch until `stopping` is set."""
        while not stopping.is_set():
            try:
                with contextlib.closing(self._consumer()) as consumer, contextlib.closing(self._admin()) as admin:
                    while not stopping.is_set():
                        self._look(consumer, admin)
                        self._looked_at, self._has_failed = time.monotonic(), False
                        self._causes.tell("broker", None)
                        stopping.wait(_EVERY_SECONDS)
            except Exception as error:  # noqa: BLE001 (whatever fails, the watch goes on and tells of it)
                self._has_failed = True
                self._causes.tell("broker", f"the broker does not answer: {sentence_of(error)}")
                stopping.wait(_EVERY_SECONDS)

    def _consumer(self) -> Any:
        return KafkaConsumer(
            bootstrap_servers=self._bootstrap.split(","),
            group_id=self._group,
            enable_auto_commit=False,
            request_timeout_ms=_TIMEOUT_MS,
        )

    def _admin(self) -> Any:
        return KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","), request_timeout_ms=_TIMEOUT_MS)

    def _look(self, consumer: Any, admin: Any) -> None:
        partitions = [
            TopicPartition(self._topic, number) for number in consumer.partitions_for_topic(self._topic) or ()
        ]
        if not partitions:
            # The pollers make the topic.
            return
        # In one request: a consumer would ask for each partition by itself.
        committed = admin.list_group_offsets({self._group: None})[self._group]
        ends = consumer.end_offsets(partitions)
        starts = consumer.beginning_offsets(partitions) if self._from_start else ends
        self._backlog.observe(
            {p.partition: committed[p].offset if p in committed else starts[p] for p in partitions},
            {p.partition: ends[p] for p in partitions},
            time.monotonic(),
        )


def sentence_of(error: Exception) -> str:
    """Return an error's name and what it says, if it says anything."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")
