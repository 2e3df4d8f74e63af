"""The events of an import go into the store: whole customers a transaction, those of a long history in processes."""

import gc
import logging
import multiprocessing
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from multiprocessing import resource_tracker
from typing import Protocol, Self

from churn.adapters.mysql import Database, DataRefusedError, StatementRefusedError
from churn.domain.errors import DATA_ERRORS, UnavailableError
from churn.domain.events import Event
from churn.observability import logger
from churn.services.batch_result import BatchResult
from churn.services.current_model import CurrentModel, NoModelError
from churn.services.hourly_stats import Activity
from churn.services.imported_hours import HourSpan
from churn.services.scoring import CAME_AGAIN, Scoring
from churn.settings import Settings
from churn.variables import InvalidSettingsError
from infra.tools.importer.interrupted import later
from infra.tools.importer.refunds import VOID
from infra.tools.importer.replaced import Replaced
from infra.tools.importer.revisions import as_revisions

# Events a transaction: large enough for multi-row statements, small enough for a retry to be cheap.
EVENTS_A_TRANSACTION = 5000
# Fewer events are stored before further processes have started.
_EVENTS_FOR_PROCESSES = 50_000
_MOST_PROCESSES = 4
# So many batches wait for each process, so that none waits for a batch.
_AHEAD = 2
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


EXPECTED_ERRORS = (InvalidSettingsError, NoModelError, UnavailableError, StatementRefusedError)
"""What keeps events from being stored, whatever they hold."""


class StoringFailedError(Exception):
    """A process could not store its events."""


class EventSink(Protocol):
    """The part of `churn.services.scoring.Scoring` that an import needs."""

    def apply(
        self, events: Sequence[Event], *, now: datetime, raise_alerts: bool, hours: HourSpan | None
    ) -> BatchResult:
        """Apply events in one transaction, each once by its identifier."""


@dataclass(slots=True)
class Imported:
    """The result of an import."""

    events: int = 0
    repeated: int = 0
    too_late: int = 0
    """Events from a time whose history was pruned."""
    customers: int = 0
    refused: int = 0
    """Events of customers whose stored data cannot be read."""
    conflicting: int = 0
    """Events under the id of an earlier event with another content, which counts."""
    replaced: Replaced = field(default_factory=Replaced)
    hours: Activity = field(default_factory=Counter)
    """What the import changes of the dashboard's hours."""

    @property
    def seen(self) -> int:
        """How many events the file had."""
        return self.events + self.repeated + self.too_late + self.refused

    def add(self, batch: "Imported") -> None:
        """Add what a batch has come to."""
        self.events += batch.events
        self.repeated += batch.repeated
        self.too_late += batch.too_late
        self.customers += batch.customers
        self.refused += batch.refused
        self.conflicting += batch.conflicting
        self.replaced.add(batch.replaced)
        self.hours.update(batch.hours)


class EventStore:
    """Where an import's events go: a database, and the model that scores."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        hours: HourSpan,
        file: str | None = None,
        *,
        may_have_moved: bool = False,
    ) -> None:
        """`hours`: those whose change is counted. `file`, `may_have_moved`: see `as_revisions`."""
        # A later version of an order is stored under the order's id; of other events the summary tells.
        logger.addFilter(_says_more)
        model = CurrentModel(settings)
        self.scoring = Scoring(database, model, settings, promoted_at=lambda: model.promoted_at)
        self.hours = hours
        self._database = database
        self._file = file
        self._may_have_moved = may_have_moved
        self._settings = settings

    def add(self, batch: Sequence[Event]) -> Imported:
        """Store a batch; orders that are stored with another value are replaced."""
        replaced = Replaced()
        revised = as_revisions(
            self._database, batch, self.hours.began, replaced, self._file, may_have_moved=self._may_have_moved
        )
        imported = apply_batch(self.scoring, revised, self.hours) if revised else Imported()
        imported.replaced = replaced
        imported.repeated += replaced.known_refunds + replaced.known_voids
        return imported

    def add_all(
        self, events: Iterable[Event], progress: Callable[[int], None], processes: "Processes", number: int
    ) -> Imported:
        """Store a history that is sorted by customer, in so many processes, which come to the same as one."""
        if number == 1:
            return _store(events, lambda batch: _Done(self.add(batch)), 0, progress)
        processes.start(number)
        shared = _Shared(self._settings, self.hours, self._file, self._may_have_moved)
        try:
            return _store(events, lambda batch: processes.submit(_add, shared, batch), _AHEAD * number, progress)
        except BrokenProcessPool:
            raise StoringFailedError(
                "a process that stored events was ended; the import goes on if run again"
            ) from None
        finally:
            processes.end()


class Processes:
    """Processes that store events. They may be started before there are any, while one processor has nothing to do.

    A context manager, whose exit ends them.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._pool: ProcessPoolExecutor | None = None

    def start(self, number: int) -> None:
        """Start so many processes, if none were started before and it is more than one."""
        if self._pool is not None or number == 1:
            return
        # A new interpreter each: connections and open files are not to be shared.
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()
        self._pool = ProcessPoolExecutor(number, context, initializer=_begin_process)
        # Whoever gives them events is told of a process that was ended.
        with suppress(BrokenProcessPool):
            for _ in range(number):
                # The pool starts a process when there is work that no other waits for.
                self.submit(_load)

    def submit[**P, T](self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Let one of the processes that were started do some work."""
        if self._pool is None:
            raise RuntimeError("no process was started")
        with later():
            return self._pool.submit(work, *arguments, **named)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Wait for what is being stored: nothing is written after a failure is told."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _says_more(record: logging.LogRecord) -> bool:
    return record.msg != CAME_AGAIN


def processes_for(events: int) -> int:
    """Return how many processes store so many events best on this machine."""
    return max(1, min(os.process_cpu_count() or 1, _MOST_PROCESSES)) if events >= _EVENTS_FOR_PROCESSES else 1


def import_events(
    scoring: EventSink, events: Iterable[Event], progress: Callable[[int], None], hours: HourSpan
) -> Imported:
    """Store a history that is sorted by customer, without alerts; events that are stored already change nothing.

    `hours`: those whose change is counted.
    """
    return _store(events, lambda batch: _Done(apply_batch(scoring, batch, hours)), 0, progress)


def batches(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    """Yield events that are sorted by customer, in batches of about `size` that split no customer who fits into one."""
    batch: list[Event] = []
    for _, group in groupby(events, key=lambda event: event.customer_id):
        customer_events = list(group)
        if batch and len(batch) + len(customer_events) > size:
            yield batch
            batch = []
        batch += customer_events
        while len(batch) > size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch


def apply_batch(scoring: EventSink, batch: Sequence[Event], hours: HourSpan) -> Imported:
    """Store a batch in a transaction; one that fails for its data is halved down to the events that it fails for."""
    try:
        applied = scoring.apply(batch, now=datetime.now(UTC), raise_alerts=False, hours=hours)
    except (DataRefusedError, *DATA_ERRORS):
        if len(batch) == 1:
            return Imported(refused=1)
        middle = len(batch) // 2
        imported = apply_batch(scoring, batch[:middle], hours)
        imported.add(apply_batch(scoring, batch[middle:], hours))
        return imported
    changed, conflicting = applied.hours, applied.conflicting
    return Imported(applied.events, applied.repeated, applied.too_late, conflicting=conflicting, hours=changed)


class _Pending(Protocol):
    def result(self) -> Imported: ...


@dataclass(frozen=True, slots=True)
class _Done:
    imported: Imported

    def result(self) -> Imported:
        return self.imported


def _store(
    events: Iterable[Event], begin: Callable[[list[Event]], _Pending], ahead: int, progress: Callable[[int], None]
) -> Imported:
    """Begin to store each batch, at most `ahead` of them before the oldest has ended; return what all come to."""
    imported = Imported()
    pending: deque[_Pending] = deque()
    last_customer = None

    def take_oldest() -> None:
        imported.add(pending.popleft().result())
        # What was cancelled elsewhere is nothing that the file has.
        progress(imported.seen - imported.replaced.moved)

    for batch in batches(events, EVENTS_A_TRANSACTION):
        imported.customers += len({event.customer_id for event in batch if event.event_type != VOID} - {last_customer})
        last_customer = batch[-1].customer_id
        pending.append(begin(batch))
        if len(pending) > ahead:
            take_oldest()
    while pending:
        take_oldest()
    return imported


def collect_seldom() -> None:
    """Let the garbage collector look at what is new, and seldom: what an import makes has no cycles."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the stores of all processes have in common."""

    settings: Settings
    hours: HourSpan
    file: str | None
    may_have_moved: bool


_stores: list[EventStore] = []


def _begin_process() -> None:
    collect_seldom()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _load() -> None:
    """Do nothing: to be asked for it, the process has loaded what it needs."""


def _end_with_parent() -> None:
    """End this process at once when the one that started it is gone: its transaction is rolled back."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _add(shared: _Shared, batch: list[Event]) -> Imported:
    try:
        if not _stores:
            database = Database(shared.settings.database_url)
            moved = shared.may_have_moved
            _stores.append(EventStore(database, shared.settings, shared.hours, shared.file, may_have_moved=moved))
        return _stores[0].add(batch)
    except EXPECTED_ERRORS as error:
        # Not every error can be sent to another process.
        raise StoringFailedError(str(error)) from None
