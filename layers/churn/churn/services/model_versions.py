"""The model's life as people see and steer it: versions with their evidence, promotions, training runs.

It reads what is written of the versions and needs neither a model nor numpy.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from churn.adapters.mysql import Database, training_runs
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql.model_quality import Quality
from churn.domain.model import BrokenModelError, kind_of
from churn.domain.model_versions import (
    ModelRegistry,
    Promotion,
    PromotionState,
    VersionNotFoundError,
)
from churn.observability import logger
from churn.services.training_runs import RunNotFoundError, TrainingUnavailableError, run_in_progress, run_json

_NEWEST_CHANGES = 20
_NEWEST_WEEKS = 8


class ModelVersions:
    """The versions of the registry, and the training runs of the database."""

    def __init__(
        self, registry: ModelRegistry[Any], database: Database, invoke_training: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """`invoke_training` calls the training function with a payload and does not wait for its end."""
        self._registry = registry
        self._database = database
        self._invoke_training = invoke_training

    def overview(self, limit: int, now: datetime) -> dict[str, Any]:
        """Return the newest `limit` versions, which of them serve, the newest promotions and the newest run."""
        state = self._registry.promotion_state()
        versions = self._registry.versions()
        shown = versions[:limit]
        run, weeks = self._database.run(
            lambda transaction: (
                training_runs.newest(transaction, now),
                {version: quality.weeks(transaction, version, _NEWEST_WEEKS) for version in shown},
            )
        )
        return {
            "current": state.version,
            "challenger": state.challenger,
            "versions": [self._summary(version, state, weeks[version]) for version in shown],
            "total": len(versions),
            "history": [asdict(change) for change in reversed(state.history[-_NEWEST_CHANGES:])],
            "latest_run": None if run is None else run_json(run),
        }

    def version(self, version: str) -> dict[str, Any]:
        """All that is known of one version. Raises VersionNotFoundError, also when it cannot be read."""
        with _readable(version):
            described = self._registry.describe(version)
        state = self._registry.promotion_state()
        weeks, comparisons, drift = self._database.run(
            lambda transaction: (
                quality.weeks(transaction, version),
                quality.comparisons(transaction, version),
                quality.newest_drift(transaction, version),
            )
        )
        return {
            **_summary(version, described, state, weeks),
            "comparisons": [_dated(asdict(comparison)) for comparison in comparisons],
            "drift": [_dated(row) for row in drift],
            "metadata": described,
            "history": [asdict(change) for change in reversed(state.history) if _concerns(change, version)],
        }

    def report(self, version: str) -> Any:
        """A version's report. Raises VersionNotFoundError, also when it cannot be read."""
        with _readable(version):
            return json.loads(self._registry.report(version, "json"))

    def report_page(self, version: str) -> str:
        """A version's report as an HTML page. Raises VersionNotFoundError, also when it cannot be read."""
        with _readable(version):
            return self._registry.report(version, "html").decode()

    def promote(self, version: str, *, by: str, reason: str | None, force: bool, now: datetime) -> dict[str, Any]:
        """Makes a version serve. Raises VersionNotFoundError, BrokenModelError, NotPromotableError."""
        return _changed(self._registry.promote(version, by=by, reason=reason, now=now, force=force))

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> dict[str, Any]:
        """Makes the version before serve again. Raises NoPreviousVersionError, BrokenModelError."""
        return _changed(self._registry.roll_back(by=by, reason=reason, now=now))

    def train(self, *, by: str, now: datetime) -> dict[str, Any]:
        """Start a training run, and return it at once. Raises RunInProgressError, TrainingUnavailableError."""
        run_id = uuid.uuid4().hex
        if not self._database.run(lambda transaction: training_runs.enqueue(transaction, run_id, by, now)):
            raise run_in_progress(self._database, now)
        try:
            self._invoke_training({"run_id": run_id})
        except Exception as error:
            logger.exception("the training function could not be called")
            reason = "The training function could not be called."
            self._database.run(lambda transaction: training_runs.end(transaction, run_id, "failed", reason, now))
            raise TrainingUnavailableError(reason) from error
        return self.run(run_id, now)

    def run(self, run_id: str, now: datetime) -> dict[str, Any]:
        """A training run as it is now. Raises RunNotFoundError."""
        found = self._database.run(lambda transaction: training_runs.find(transaction, run_id[:64], now))
        if found is None:
            raise RunNotFoundError(run_id)
        return run_json(found)

    def _summary(self, version: str, state: PromotionState, weeks: Sequence[Quality]) -> dict[str, Any]:
        try:
            described = self._registry.describe(version)
        except BrokenModelError as error:
            logger.error("a version cannot be described", extra={"version": version, "reason": str(error)})
            described = {}
        return _summary(version, described, state, weeks)


@contextmanager
def _readable(version: str) -> Iterator[None]:
    try:
        yield
    except (BrokenModelError, ValueError) as error:
        logger.error("what is stored of a version cannot be read", extra={"version": version, "reason": str(error)})
        raise VersionNotFoundError(version) from error


def _changed(state: PromotionState) -> dict[str, Any]:
    return {"current": state.version, "challenger": state.challenger, "change": asdict(state.history[-1])}


def _summary(
    version: str, described: Mapping[str, Any], state: PromotionState, weeks: Sequence[Quality]
) -> dict[str, Any]:
    roles = {state.challenger: "challenger", state.version: "current"}
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


def _concerns(change: Promotion, version: str) -> bool:
    return version in {change.version, change.rolled_back}
