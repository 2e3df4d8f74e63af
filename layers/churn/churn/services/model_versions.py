"""The model's life as people see and steer it: versions with their evidence, promotions, training runs.

It reads what is written of the versions and needs neither a model nor numpy.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from churn.adapters.mysql import Database, DatabaseUnavailable, training_runs
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.model_quality import Quality
from churn.adapters.s3_registry import Change, ModelRegistry, Standing, UnknownVersion
from churn.domain.model import BrokenModelError, kind_of
from churn.domain.timestamps import iso
from churn.observability import logger

_NEWEST_CHANGES = 20
_NEWEST_WEEKS = 8


class RunUnderWay(Exception):
    """Another training run has not ended yet, or this one was made already; `run_id` names the newest."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"The training run {run_id} is under way, or was made already.")
        self.run_id = run_id


class UnknownRun(Exception):
    """There is no such training run."""


class TrainingUnavailable(Exception):
    """The training function could not be called."""


class ModelLife:
    """The versions of the registry, and the training runs of the database."""

    def __init__(
        self, registry: ModelRegistry, database: Database, invoke_training: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """`invoke_training` calls the training function with a payload and does not wait for its end."""
        self._registry = registry
        self._database = database
        self._invoke_training = invoke_training

    def overview(self, limit: int, now: datetime) -> dict[str, Any]:
        """The newest `limit` versions, which of them serves and challenges, the newest changes and training run."""
        standing = self._registry.standing()
        versions = self._registry.versions()
        shown = versions[:limit]
        run, weeks = self._database.run(
            lambda transaction: (
                training_runs.newest(transaction, now),
                {version: quality.weeks(transaction, version, _NEWEST_WEEKS) for version in shown},
            )
        )
        return {
            "current": standing.version,
            "challenger": standing.challenger,
            "versions": [self._summary(version, standing, weeks[version]) for version in shown],
            "total": len(versions),
            "history": [asdict(change) for change in reversed(standing.history[-_NEWEST_CHANGES:])],
            "latest_run": None if run is None else run_json(run),
        }

    def version(self, version: str) -> dict[str, Any]:
        """All that is known of one version. Raises UnknownVersion, also when it cannot be read."""
        with _readable(version):
            described = self._registry.describe(version)
        standing = self._registry.standing()
        weeks, comparisons, drift = self._database.run(
            lambda transaction: (
                quality.weeks(transaction, version),
                quality.comparisons(transaction, version),
                quality.newest_drift(transaction, version),
            )
        )
        return {
            **_summary(version, described, standing, weeks),
            "comparisons": [_dated(asdict(comparison)) for comparison in comparisons],
            "drift": [_dated(row) for row in drift],
            "metadata": described,
            "history": [asdict(change) for change in reversed(standing.history) if _concerns(change, version)],
        }

    def report(self, version: str) -> Any:
        """A version's report. Raises UnknownVersion, also when it cannot be read."""
        with _readable(version):
            return json.loads(self._registry.report(version, "json"))

    def report_page(self, version: str) -> str:
        """A version's report as an HTML page. Raises UnknownVersion, also when it cannot be read."""
        with _readable(version):
            return self._registry.report(version, "html").decode()

    def promote(self, version: str, *, by: str, reason: str | None, force: bool, now: datetime) -> dict[str, Any]:
        """Makes a version serve. Raises UnknownVersion, BrokenModelError, NotPromotable."""
        return _changed(self._registry.promote(version, by=by, reason=reason, now=now, force=force))

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> dict[str, Any]:
        """Makes the version before serve again. Raises NothingBefore, BrokenModelError."""
        return _changed(self._registry.roll_back(by=by, reason=reason, now=now))

    def train(self, *, by: str, now: datetime) -> dict[str, Any]:
        """Has a new version trained, and returns the run at once. Raises RunUnderWay, TrainingUnavailable."""
        run_id = uuid.uuid4().hex
        if not self._database.run(lambda transaction: training_runs.enqueue(transaction, run_id, by, now)):
            raise _under_way(self._database, now)
        try:
            self._invoke_training({"run_id": run_id})
        except Exception as error:
            logger.exception("the training function could not be called")
            reason = "The training function could not be called."
            self._database.run(lambda transaction: training_runs.end(transaction, run_id, "failed", reason, now))
            raise TrainingUnavailable(reason) from error
        return self.run(run_id, now)

    def run(self, run_id: str, now: datetime) -> dict[str, Any]:
        """A training run as it is now. Raises UnknownRun."""
        found = self._database.run(lambda transaction: training_runs.find(transaction, run_id[:64], now))
        if found is None:
            raise UnknownRun(run_id)
        return run_json(found)

    def _summary(self, version: str, standing: Standing, weeks: Sequence[Quality]) -> dict[str, Any]:
        try:
            described = self._registry.describe(version)
        except BrokenModelError as error:
            logger.error("a version cannot be described", extra={"version": version, "reason": str(error)})
            described = {}
        return _summary(version, described, standing, weeks)


@contextmanager
def _readable(version: str) -> Iterator[None]:
    try:
        yield
    except (BrokenModelError, ValueError) as error:
        logger.error("what is stored of a version cannot be read", extra={"version": version, "reason": str(error)})
        raise UnknownVersion(version) from error


class Run:
    """A training run that is under way, for the function that trains."""

    def __init__(self, database: Database, run_id: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._run_id = run_id
        self._clock = clock

    def progress(self, step: str) -> None:
        """Notes the step that training has come to; a database that is away does not end the training."""
        logger.info(step)
        try:
            self._database.run(
                lambda transaction: training_runs.advance(transaction, self._run_id, step, self._clock())
            )
        except DatabaseUnavailable as error:
            logger.warning("the progress could not be noted", extra={"reason": str(error)})

    def succeeded(self, version: str, objections: list[str]) -> None:
        """The run ends with a version; `objections` say why it was not promoted."""
        reason = " ".join(objections) or None
        self._database.run(
            lambda transaction: training_runs.succeed(transaction, self._run_id, version, reason, self._clock())
        )

    def refused(self, reason: str) -> None:
        """The run ends without a version, for there is none in the data."""
        self._end("refused", reason)

    def failed(self, error: BaseException) -> None:
        """The run ends by a failure of ours."""
        reason = f"It failed ({type(error).__name__}); the training function's log says more."
        try:
            self._end("failed", reason)
        except DatabaseUnavailable:
            logger.exception("the failure could not be noted")

    def _end(self, state: str, reason: str) -> None:
        self._database.run(
            lambda transaction: training_runs.end(transaction, self._run_id, state, reason, self._clock())
        )


@contextmanager
def training_run(database: Database, event: Mapping[str, Any], clock: Callable[[], datetime]) -> Iterator[Run]:
    """The run that an event asks for: one that was queued, `run_id`, or a new one of the schedule's, by the event's id.

    What is raised inside ends it as failed. Raises RunUnderWay while another has not ended, and when this one has
    begun already, for an invocation may be delivered twice; one that has failed may be made again.
    """
    run_id = str(event.get("run_id") or event.get("id") or uuid.uuid4()).replace("-", "")[:32]
    if "run_id" not in event:
        database.run(lambda transaction: training_runs.enqueue(transaction, run_id, "schedule", clock()))
    if not database.run(lambda transaction: training_runs.begin(transaction, run_id, clock())):
        raise _under_way(database, clock())
    run = Run(database, run_id, clock)
    try:
        yield run
    except BaseException as error:
        run.failed(error)
        raise


def run_json(row: Row) -> dict[str, Any]:
    """A training run for the wire."""
    instants = ("requested_at", "started_at", "updated_at", "ended_at")
    return {
        **{name: row[name] for name in ("run_id", "state", "requested_by", "progress", "version", "reason")},
        "promoted": None if row["promoted"] is None else bool(row["promoted"]),
        **{name: None if row[name] is None else iso(row[name]) for name in instants},
    }


def _under_way(database: Database, now: datetime) -> RunUnderWay:
    newest = database.run(lambda transaction: training_runs.newest(transaction, now))
    return RunUnderWay(str(newest["run_id"]) if newest else "")


def _changed(standing: Standing) -> dict[str, Any]:
    return {"current": standing.version, "challenger": standing.challenger, "change": asdict(standing.history[-1])}


def _summary(
    version: str, described: Mapping[str, Any], standing: Standing, weeks: Sequence[Quality]
) -> dict[str, Any]:
    roles = {standing.challenger: "challenger", standing.version: "current"}
    told = ("trained_at", "source", "horizon_days", "sha256", "size", "gate", "data", "code")
    return {
        "version": version,
        "role": roles.get(version),
        "kind": kind_of(described),
        **{name: described.get(name) for name in told},
        "metrics": described.get("metrics", {}),
        "quality": [_dated(asdict(week)) for week in weeks],
    }


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _concerns(change: Change, version: str) -> bool:
    return version in {change.version, change.rolled_back}
