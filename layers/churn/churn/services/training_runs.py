"""Training of a new version: the stored histories, the run that the database records, and the release of its result.

Functions import `churn.training` late: those that only ask for runs load neither scikit-learn nor numpy.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from churn.adapters.mysql import Database, DatabaseUnavailableError, customers, training_runs
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.events import has_own_orders
from churn.adapters.mysql.events import histories as stored_histories
from churn.domain.errors import ConflictError, NotFoundError, UnavailableError
from churn.domain.events import Event
from churn.domain.model import BrokenModelError, source_of
from churn.domain.model_versions import (
    Artifact,
    ModelRegistry,
    NotPromotableError,
    VersionNotFoundError,
)
from churn.domain.timestamps import iso, parse_timestamp
from churn.observability import logger
from churn.services.promotions import record_promotion

if TYPE_CHECKING:
    from churn.domain import model_answers as answers
    from churn.ml.loading import StoredModel
    from churn.settings import Settings
    from churn.training import Histories, InUse, Plan, Trained

Source = Literal["history", "sample"]
"""Whose histories a model learned from, as its metadata say: the shop's own, or a simulated shop's."""


class StoredHistories:
    """All customers' events; each iteration reads them again from the database.

    Once the shop has an order of its own, they are without what the sample shop wrote. `source` says whose they are,
    and `sampled_from` how many customers a part of them stands for, None where all are read.
    """

    def __init__(self, database: Database, most: int | None = None) -> None:
        """Take `most`: about so many customers, chosen by a hash, stand for all if there are more."""
        self._database = database
        self._share = 1.0
        self.sampled_from: int | None = None
        if most is not None and (number := database.run(customers.count)) > most:
            self._share, self.sampled_from = most / number, number
        self.source: Source = "history" if database.run(has_own_orders) else "sample"

    def __iter__(self) -> Iterator[tuple[str, list[Event]]]:
        for customer_id, events in stored_histories(self._database, share=self._share):
            own = [event for event in events if self.source == "sample" or not event.is_simulated]
            if own:
                yield customer_id, own


def model_in_use(registry: ModelRegistry[StoredModel]) -> InUse | None:
    """Return the promoted model and the one tested in its place, or None if there is none to compare with."""
    from churn.training import InUse  # noqa: PLC0415

    version = registry.promotion_state().version
    model = None if version is None else loaded(registry, version)
    if model is None:
        return None
    tested = (model.metadata.get("freshness") or {}).get("tested_version")
    return InUse(model, model if tested is None else loaded(registry, str(tested)))


def loaded(registry: ModelRegistry[StoredModel], version: str) -> StoredModel | None:
    """Return a version's model, None if it is not there or broken. Raises RegistryUnavailableError."""
    try:
        return registry.load(version)
    except (BrokenModelError, VersionNotFoundError):
        return None


class RunInProgressError(ConflictError):
    """Another training run has not ended yet, or this one has begun already; `run_id` names the newest."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"The training run {run_id} is under way, or was made already.")
        self.run_id = run_id
        self.location = f"runs/{run_id}"


class RunNotFoundError(NotFoundError):
    """There is no such training run."""

    sentence = "There is no such training run."


class TrainingUnavailableError(UnavailableError):
    """The training function cannot be called."""

    dependency = "training function"


@dataclass(frozen=True, slots=True)
class Release:
    """A trained and published version; `objections` say why it was not promoted."""

    trained: Trained
    objections: list[str]

    @property
    def summary(self) -> dict[str, Any]:
        """The version, whether it serves, and why not."""
        return {
            "version": self.trained.model.version,
            "promoted": not self.objections,
            "objections": self.objections,
        }


def begin_without_labels(
    histories: Histories,
    registry: ModelRegistry[StoredModel],
    *,
    plan: Plan,
    now: datetime,
    service_version: str,
    by: str,
) -> Release | None:
    """Release the purchase process of histories without labels, or what is usual for shops where they are too short.

    It takes the place of a simulated shop's model, of what is usual, or of none; a model of the shop's own stays, and
    nothing is released. Raises RegistryUnavailableError.
    """
    from churn.training import TooLittleHistoryError, begin  # noqa: PLC0415

    in_use = model_in_use(registry)
    current = None if in_use is None else in_use.model
    if current is not None and source_of(current.metadata) not in {"simulated", "prior"}:
        return None
    why = "no forest has been trained on these orders so far"
    try:
        trained = begin(histories, now=now, plan=plan, current=current, why=why, service_version=service_version)
    except TooLittleHistoryError:
        return None
    return release_version(trained, registry, by=by, now=now)


def release_version(trained: Trained, registry: ModelRegistry[StoredModel], *, by: str, now: datetime) -> Release:
    """Publish a trained version with its report, and promote it if its gate passed; else it is the challenger.

    The model that was tested is published before it, if that is another one, with the same report.
    Raises VersionExistsError, RegistryUnavailableError.
    """
    from churn.training import report_html  # noqa: PLC0415

    page = report_html(trained.report)
    if trained.tested is not None:
        registry.publish(trained.tested, report=trained.report, html=page)
    return Release(trained, release(registry, trained.model, by=by, now=now, report=trained.report, html=page))


def run_training(
    event: Mapping[str, Any],
    database: Database,
    registry: ModelRegistry[StoredModel],
    settings: Settings,
    clock: Callable[[], datetime],
) -> dict[str, Any]:
    """Train, publish and promote a version for the training function, and record the run in the database.

    `event` may name the run (`run_id`) and its instant (`time`). Returns the version, whether it was promoted and its
    report, or why no version was trained. Raises DatabaseUnavailableError, RegistryUnavailableError.
    """
    from churn.training import MOST_CUSTOMERS, CannotTrainError, train_or_begin  # noqa: PLC0415

    now = parse_timestamp(event["time"]) if event.get("time") else clock()
    try:
        with training_run(database, event, clock) as run:
            current = model_in_use(registry)
            # Of more customers a sample would be taken all the same, after all of them were read.
            histories = StoredHistories(database, MOST_CUSTOMERS)
            if histories.sampled_from is not None:
                run.progress(f"a sample of {MOST_CUSTOMERS:,} stands for {histories.sampled_from:,} customers")
            try:
                trained = train_or_begin(
                    histories,
                    now=now,
                    plan=plan_of(settings),
                    current=current,
                    service_version=settings.service_version,
                    progress=run.progress,
                    source=histories.source,
                )
            except CannotTrainError as error:
                logger.warning("the stored history does not make a model", extra={"reason": str(error)})
                run.refused(str(error))
                return {"trained": False, "reason": str(error), "serving": current.model.version if current else None}
            released = release_version(trained, registry, by="training", now=now)
            record_promotion(database, registry)
            run.succeeded(trained.model.version, released.objections)
    except RunInProgressError as error:
        logger.warning("not trained", extra={"reason": str(error)})
        return {"trained": False, "reason": str(error)}
    logger.info("trained", extra={**released.summary, "report": trained.report})
    return {"trained": True, **released.summary, "report": trained.report}


def plan_of(settings: Settings) -> Plan:
    """Return the plan of a training that nobody asks for anything else."""
    from churn.training import Plan  # noqa: PLC0415

    return Plan(
        horizon_days=settings.horizon_days,
        lookback_days=settings.inactivity_days,
        embargo_days=settings.embargo_days,
        campaign=settings.campaign,
    )


class Run:
    """A training run in progress, as the training function records it."""

    def __init__(self, database: Database, run_id: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._run_id = run_id
        self._clock = clock

    def progress(self, step: str) -> None:
        """Record the present step; the training goes on if the database does not answer."""
        logger.info(step)
        try:
            self._database.run(
                lambda transaction: training_runs.advance(transaction, self._run_id, step, self._clock())
            )
        except DatabaseUnavailableError as error:
            logger.warning("the progress could not be noted", extra={"reason": str(error)})

    def succeeded(self, version: str, objections: list[str]) -> None:
        """End the run with a version; `objections` say why it was not promoted."""
        reason = " ".join(objections) or None
        self._database.run(
            lambda transaction: training_runs.succeed(transaction, self._run_id, version, reason, self._clock())
        )

    def refused(self, reason: str) -> None:
        """End the run without a version, because the data do not make one."""
        self._end("refused", reason)

    def failed(self, error: BaseException) -> None:
        """End the run because of an error of the service."""
        reason = f"It failed ({type(error).__name__}); the training function's log says more."
        try:
            self._end("failed", reason)
        except DatabaseUnavailableError:
            logger.exception("the failure could not be noted")

    def _end(self, state: str, reason: str) -> None:
        self._database.run(
            lambda transaction: training_runs.end(transaction, self._run_id, state, reason, self._clock())
        )


@contextmanager
def training_run(database: Database, event: Mapping[str, Any], clock: Callable[[], datetime]) -> Iterator[Run]:
    """Begin the run of an event: the queued one that `run_id` names, or a new one of the schedule by the event's id.

    An exception inside ends the run as failed; a failed run may be repeated. Raises RunInProgressError if another has
    not ended, or if this one has begun already: an invocation may be delivered twice.
    """
    run_id = str(event.get("run_id") or event.get("id") or uuid.uuid4()).replace("-", "")[:32]
    if "run_id" not in event:
        database.run(lambda transaction: training_runs.enqueue(transaction, run_id, "schedule", clock()))
    if not database.run(lambda transaction: training_runs.begin(transaction, run_id, clock())):
        raise run_in_progress(database, clock())
    run = Run(database, run_id, clock)
    try:
        yield run
    except BaseException as error:
        run.failed(error)
        raise


def run_json(row: Row) -> answers.TrainingRun:
    """Return a training run as the API answers it."""
    return {
        "run_id": row["run_id"],
        "state": row["state"],
        "requested_by": row["requested_by"],
        "progress": row["progress"],
        "version": row["version"],
        "reason": row["reason"],
        "promoted": None if row["promoted"] is None else bool(row["promoted"]),
        "requested_at": iso(row["requested_at"]),
        "started_at": None if row["started_at"] is None else iso(row["started_at"]),
        "updated_at": iso(row["updated_at"]),
        "ended_at": None if row["ended_at"] is None else iso(row["ended_at"]),
    }


def run_in_progress(database: Database, now: datetime) -> RunInProgressError:
    """Return the error that names the run in progress."""
    newest = database.run(lambda transaction: training_runs.newest(transaction, now))
    return RunInProgressError(str(newest["run_id"]) if newest else "")


def release(
    registry: ModelRegistry[Any],
    model: Artifact,
    *,
    by: str,
    now: datetime,
    report: Mapping[str, Any] | None = None,
    html: str | None = None,
) -> list[str]:
    """Publish a version that was just trained, and promote it if its gate passed; else it is the challenger.

    Returns why it was not promoted, in sentences; empty if it was. Raises VersionExistsError, RegistryUnavailableError.
    """
    registry.publish(model, report=report, html=html)
    gate = model.metadata.get("gate") or {}
    was_tested = bool(model.metadata.get("metrics"))
    try:
        reason = "no worse on the newest window" if was_tested else "nothing is known yet that it could be tested on"
        registry.promote(model.version, by=by, reason=reason, now=now)
    except NotPromotableError as refusal:
        if gate.get("passed") and _cannot_serve(registry):
            reason = "the version in use cannot be served"
            registry.promote(model.version, by=by, reason=reason, now=now, force=True)
            return []
        registry.challenge(model.version)
        return refusal.reasons
    return []


def _cannot_serve(registry: ModelRegistry[Any]) -> bool:
    current = registry.promotion_state().version
    if current is None:
        return False
    try:
        registry.load(current)
    except (BrokenModelError, VersionNotFoundError) as error:
        logger.error("the version in use cannot be served", extra={"version": current, "reason": str(error)})
        return True
    return False
