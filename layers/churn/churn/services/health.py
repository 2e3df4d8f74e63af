"""Health: what serving needs is tried by the means of requests, and none of it is waited for beyond a deadline.

What other functions met with is read from their reports (`component_reports`); see ADR 0019.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from churn.adapters import event_source
from churn.adapters.breaker import PROBE_EVERY_SECONDS
from churn.adapters.mysql import Database, StatementRefusedError, component_reports, dead_letters
from churn.adapters.mysql.activity import Activity
from churn.adapters.mysql.component_reports import Report
from churn.adapters.redis_cache import Cache
from churn.domain.model import PURCHASE_PROCESS, ModelKind, ModelSource, kind_of, source_of
from churn.domain.timestamps import iso
from churn.services.current_model import CurrentModel
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.health_answers import Check, CheckStatus, Health, HealthStatus

DEADLINE_SECONDS = 2.0
WRITE_EVERY = timedelta(seconds=10)
# What is found of these is told for so many seconds, as long as it is good: a fault that has gone is told gone at once.
_TOLD_FOR_SECONDS = {"model": 2.0, "source": 1.0}
# What took so long to fail is tried once in a while; who asks meanwhile is told how it ended.
_LATE_MILLISECONDS = 500.0
# A record that has waited for longer than this is late: a batch takes less than a second.
BEHIND_SECONDS = 30.0
# The schedule is a quarter of an hour, and a sweep may take as long.
SWEEP_WITHIN = timedelta(hours=1)
# For how long a report tells what a function holds, and for how long a failure of its last statement counts.
_HELD = timedelta(hours=1)
_FAILED_LATELY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `fallback`: it works, and not as it should."""

    status: CheckStatus
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Measured[T]:
    """What a check has found, None if it failed or was late; why; and how long it took."""

    found: T | None
    reason: str | None
    milliseconds: float

    def check(self, finding: Finding) -> Check:
        """Return the JSON value of the finding."""
        return {"status": finding.status, "milliseconds": round(self.milliseconds, 1), "detail": finding.detail}


def run_checks(checks: Mapping[str, Callable[[], Any]], seconds: float = DEADLINE_SECONDS) -> dict[str, Measured[Any]]:
    """Run all checks at the same time, and return what each has found in time."""
    results: dict[str, Measured[Any]] = {}
    started = time.perf_counter()

    def run(name: str, check: Callable[[], Any]) -> None:
        found, reason = None, None
        try:
            found = check()
        except Exception as error:  # noqa: BLE001 (whatever is wrong with it, the check has found nothing)
            reason = _named(error)
        results[name] = Measured(found, reason, (time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in checks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, seconds - (time.perf_counter() - started)))
    late: Measured[Any] = Measured(None, f"no answer within {seconds} s", seconds * 1000)
    ended = dict(results)
    return {name: ended.get(name, late) for name in checks}


@dataclass(frozen=True, slots=True)
class _Stored:
    """What was read from the database."""

    reports: dict[str, Report] = field(default_factory=dict)
    dead_letters: int | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    """The model that a new execution environment would hold."""

    version: str
    kind: ModelKind
    source: ModelSource | None
    refused: str | None


class _Connection:
    """A connection as requests have it, kept from check to check; one on which a check hangs is left to that check."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Database] = []

    def run[T](self, work: Callable[[Database], T]) -> T:
        """Run `work` with the kept connection, or with a new one."""
        try:
            database = self._idle.pop()
        except IndexError:
            database = Database.for_requests(self._url, breaker=None, activity=Activity())
        try:
            done = work(database)
        except BaseException:
            database.close()
            raise
        if self._idle:
            database.close()
        else:
            self._idle.append(database)
        return done


class HealthChecks:
    """The checks of what serving needs."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._reading = _Connection(settings.database_url)
        self._writing = _Connection(settings.database_url)
        self._write_due_at = clock()
        self._refusal: str | None = None
        self._model: CurrentModel | None = None
        self._looking = threading.Lock()
        self._told: dict[str, tuple[float, Measured[Any]]] = {}
        """What each check found, and until when that is told without another try."""

    def health(self, now: datetime) -> Health:
        """Check everything, and return how the service is."""
        results = self._results(now)
        stored: _Stored = results["reads"].found or _Stored()
        source: Measured[event_source.SourceStatus] = results["source"]
        held = _held(stored.reports, now)
        model, model_finding = self._judge_model(results["model"], held)
        reads = _judge_reads(results["reads"], now)
        findings = {
            "database": reads,
            "reads": reads,
            "writes": _judge_writes(results["writes"]),
            "cache": _judge_cache(results["cache"]),
            "model": model_finding,
            "ingestion": _judge_ingestion(source, asked=bool(self._settings.event_source_url)),
            "sweep": _judge_sweep(results["reads"], source.found, now),
        }
        scoring, rescoring = stored.reports.get("scoring"), stored.reports.get("rescoring")
        return {
            "status": overall_status(findings),
            "timestamp": iso(now),
            "model_loaded": model_finding.status != "down",
            "service": self._settings.service_name,
            "version": self._settings.service_version,
            "model_version": model.version if model else held.get("prediction") or next(iter(held.values()), None),
            "model_kind": model.kind if model else None,
            "model_source": model.source if model else None,
            "checks": {
                "database": results["reads"].check(findings["database"]),
                "reads": results["reads"].check(findings["reads"]),
                "writes": results["writes"].check(findings["writes"]),
                "cache": results["cache"].check(findings["cache"]),
                "model": {**results["model"].check(findings["model"]), "held": held},
                "ingestion": {
                    **source.check(findings["ingestion"]),
                    "waiting": source.found.waiting if source.found else None,
                    "behind_seconds": source.found.behind_seconds if source.found else None,
                    "last_applied": iso(scoring.done_at) if scoring and scoring.done_at else None,
                    "dead_letters_last_hour": stored.dead_letters,
                },
                "sweep": {
                    **results["reads"].check(findings["sweep"]),
                    "last_run": iso(rescoring.done_at) if rescoring and rescoring.done_at else None,
                },
            },
        }

    # -- what is tried, each in a thread of its own

    def _results(self, now: datetime) -> dict[str, Measured[Any]]:
        checks: dict[str, Callable[[], Any]] = {
            "reads": lambda: self._read(now),
            "writes": lambda: self._try_write(now),
            "cache": self._ask_cache,
            "model": self._look_for_model,
            "source": self._ask_source,
        }
        at = self._clock()
        known = {name: found for name, (until, found) in self._told.items() if at < until}
        asked = run_checks({name: check for name, check in checks.items() if name not in known})
        ended = self._clock()
        self._told = {
            **{name: self._told[name] for name in known},
            **{name: (ended + seconds, one) for name, one in asked.items() if (seconds := _told_for(name, one))},
        }
        return known | asked

    def _read(self, now: datetime) -> _Stored:
        return self._reading.run(
            lambda database: database.read(
                lambda transaction: _Stored(
                    component_reports.stored(transaction),
                    dead_letters.count_since(transaction, now - timedelta(hours=1)),
                )
            )
        )

    def _try_write(self, now: datetime) -> Finding:
        """Write something small, at most every ten seconds for all callers together.

        A write that was made is known to all by its row; that none could be made is remembered by each process.
        """
        if self._clock() >= self._write_due_at:
            due_at, self._write_due_at = self._write_due_at, self._clock() + WRITE_EVERY.total_seconds()
            self._refusal = "the last try to write has not ended"
            try:
                has_written = self._writing.run(
                    lambda database: database.run(
                        lambda transaction: component_reports.try_write(transaction, now, WRITE_EVERY)
                    )
                )
            except Exception as error:  # noqa: BLE001 (whatever is wrong, nothing was written)
                self._refusal = _named(error)
            else:
                self._refusal = None
                if not has_written:
                    # Another process did, and this one's turn is to come.
                    self._write_due_at = due_at
        return Finding("up") if self._refusal is None else Finding("down", self._refusal)

    def _ask_cache(self) -> bool:
        # A connection of the check's own: one that hangs is then nobody else's.
        cache = Cache(self._settings.redis_url)
        try:
            return cache.ping()
        finally:
            cache.close()

    def _look_for_model(self) -> _Model:
        # One look at a time: while an earlier one still waits for the registry, what is held is told.
        if self._looking.acquire(blocking=False):
            try:
                if self._model is None:
                    self._model = CurrentModel(self._settings, every=0)
                self._model.refresh()
                return self._describe(self._model)
            finally:
                self._looking.release()
        if self._model is None:
            raise TimeoutError
        return self._describe(self._model, "the registry does not answer")

    def _describe(self, model: CurrentModel, reason: str | None = None) -> _Model:
        refused = reason or model.refused
        if refused is None and self._settings.model_bucket and model.promoted is None:
            refused = "no version is promoted"
        elif reason is None and refused is not None:
            refused = f"the promoted version is not served: {refused}"
        return _Model(model.version, kind_of(model.metadata), source_of(model.metadata), refused)

    def _ask_source(self) -> event_source.SourceStatus | None:
        url = self._settings.event_source_url
        return event_source.ask(url) if url else None

    # -- what is made of it

    def _judge_model(self, looked: Measured[_Model], held: Mapping[str, str]) -> tuple[_Model | None, Finding]:
        model = looked.found
        if model is None and self._model is not None:
            model = self._describe(self._model, "the registry does not answer")
        if model is None:
            if not held:
                return None, Finding("down", looked.reason)
            who, version = next(iter(held.items()))
            reason = f"a new environment finds no model ({looked.reason}); {who} holds {version}"
            return None, Finding("fallback", reason)
        if model.refused:
            return model, Finding("fallback", model.refused)
        young = "no forest serves yet: the purchase process alone"
        return model, Finding("up", young if model.kind == PURCHASE_PROCESS else None)


def _told_for(name: str, measured: Measured[Any]) -> float:
    """Return for how many seconds the result of a check is told without another try."""
    if measured.found is None:
        return PROBE_EVERY_SECONDS if measured.milliseconds >= _LATE_MILLISECONDS else 0.0
    is_told = name in _TOLD_FOR_SECONDS and _is_good(measured.found)
    return _TOLD_FOR_SECONDS[name] if is_told else 0.0


def _is_good(found: _Model | event_source.SourceStatus | None) -> bool:
    """Return whether what was found of the model or the event source has no fault that may have gone a moment later."""
    if isinstance(found, _Model):
        return found.refused is None
    return found is not None and not _late_ones(found)


def overall_status(findings: Mapping[str, Finding]) -> HealthStatus:
    """Return unhealthy if nothing can be read or predicted, degraded if another check is not up, else healthy."""
    if "down" in {findings["reads"].status, findings["model"].status}:
        return "unhealthy"
    return "healthy" if all(finding.status == "up" for finding in findings.values()) else "degraded"


def _judge_reads(read: Measured[_Stored], now: datetime) -> Finding:
    if read.found is None:
        return Finding("down", read.reason)
    failing = [
        f"{report.component} failed at {iso(report.failed_at)}: {report.failure}"
        for report in read.found.reports.values()
        if report.is_failing and report.failed_at is not None and now - report.failed_at < _FAILED_LATELY
    ]
    return Finding("fallback", "; ".join(failing)) if failing else Finding("up")


def _judge_writes(written: Measured[Finding]) -> Finding:
    return written.found or Finding("down", written.reason)


def _judge_cache(asked: Measured[bool]) -> Finding:
    return Finding("up") if asked.found else Finding("down", asked.reason or "no answer")


def _judge_ingestion(source: Measured[event_source.SourceStatus], *, asked: bool) -> Finding:
    if not asked:
        return Finding("up", "how many records wait is not known here")
    if source.found is None:
        return Finding("down", source.reason)
    late = _late_ones(source.found)
    if not late:
        return Finding("up")
    return Finding("down", "; ".join(_late(one) for one in late))


def _late_ones(source: event_source.SourceStatus) -> list[event_source.Progress]:
    return [one for one in source.sources if one.behind_seconds > BEHIND_SECONDS]


def _late(one: event_source.Progress) -> str:
    waiting = "records wait" if one.waiting is None else f"{one.waiting} records wait"
    return f"{waiting}, for {one.behind_seconds:.0f} s" + (f": {one.cause}" if one.cause else "")


def _judge_sweep(read: Measured[_Stored], source: event_source.SourceStatus | None, now: datetime) -> Finding:
    if read.found is None:
        return Finding("down", "not known without the database")
    report = read.found.reports.get("rescoring")
    if report is None:
        return Finding("up", "no sweep has reported yet")
    last = report.done_at or report.since
    # Where the schedules are not always running, they have had no more time than since their start.
    due_since = last if source is None else max(last, now - timedelta(seconds=source.running_seconds))
    if now - due_since <= SWEEP_WITHIN:
        return Finding("up")
    return Finding("down", f"no sweep has ended since {iso(last)}" if report.done_at else "no sweep has ever ended")


def _held(reports: Mapping[str, Report], now: datetime) -> dict[str, str]:
    """Return the version that each function holds; the function that predicts for clients comes first."""
    return {
        name: report.model_version
        for name, report in sorted(reports.items(), key=lambda item: (item[0] != "prediction", item[0]))
        if report.model_version is not None and now - report.reported_at < _HELD
    }


def _named(error: Exception) -> str:
    """Return the name of an error; its text may hold addresses, and anybody may ask for the health."""
    return f"{type(error).__name__} {error.code}" if isinstance(error, StatementRefusedError) else type(error).__name__
