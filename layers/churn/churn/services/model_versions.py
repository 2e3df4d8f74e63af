"""The versions of the model as clients see and control them: their figures, promotions and training runs.

It reads the versions' metadata and reports, and needs neither a model nor numpy.
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

_NEWEST_PROMOTIONS = 20
_NEWEST_WEEKS = 8


class ModelVersions:
    """The versions of the registry, and the training runs of the database."""

    def __init__(
        self, registry: ModelRegistry[Any], database: Database, invoke_training: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """Take `invoke_training`, which calls the training function with a payload and does not wait for its end."""
        self._registry = registry
        self._database = database
        self._invoke_training = invoke_training

    def overview(self, limit: int, now: datetime) -> dict[str, Any]:
        """Return the newest `limit` versions, the one that serves, the newest promotions and the newest run."""
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
            "history": [asdict(promotion) for promotion in reversed(state.history[-_NEWEST_PROMOTIONS:])],
            "latest_run": None if run is None else run_json(run),
        }

    def version(self, version: str) -> dict[str, Any]:
        """Return all that is known of a version. Raises VersionNotFoundError, also if it cannot be read."""
        with _readable(version):
            metadata = self._registry.describe(version)
        state = self._registry.promotion_state()
        weeks, comparisons, drift = self._database.run(
            lambda transaction: (
                quality.weeks(transaction, version),
                quality.comparisons(transaction, version),
                quality.newest_drift(transaction, version),
            )
        )
        return {
            **_summary(version, metadata, state, weeks),
            "comparisons": [_dated(asdict(comparison)) for comparison in comparisons],
            "drift": [_dated(row) for row in drift],
            "metadata": metadata,
            "history": [asdict(promotion) for promotion in reversed(state.history) if _concerns(promotion, version)],
        }

    def report(self, version: str) -> Any:
        """Return a version's report. Raises VersionNotFoundError, also if it cannot be read."""
        with _readable(version):
            return json.loads(self._registry.report(version, "json"))

    def report_page(self, version: str) -> str:
        """Return a version's report as an HTML page. Raises VersionNotFoundError, also if it cannot be read."""
        with _readable(version):
            return self._registry.report(version, "html").decode()

    def promote(self, version: str, *, by: str, reason: str | None, force: bool, now: datetime) -> dict[str, Any]:
        """Make a version serve. Raises VersionNotFoundError, BrokenModelError, NotPromotableError."""
        return _changed(self._registry.promote(version, by=by, reason=reason, now=now, force=force))

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> dict[str, Any]:
        """Make the previous version serve again. Raises NoPreviousVersionError, BrokenModelError."""
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
        """Return the present state of a training run. Raises RunNotFoundError."""
        row = self._database.run(lambda transaction: training_runs.find(transaction, run_id[:64], now))
        if row is None:
            raise RunNotFoundError(run_id)
        return run_json(row)

    def _summary(self, version: str, state: PromotionState, weeks: Sequence[Quality]) -> dict[str, Any]:
        try:
            metadata = self._registry.describe(version)
        except BrokenModelError as error:
            logger.error("a version cannot be described", extra={"version": version, "reason": str(error)})
            metadata = {}
        return _summary(version, metadata, state, weeks)


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
    version: str, metadata: Mapping[str, Any], state: PromotionState, weeks: Sequence[Quality]
) -> dict[str, Any]:
    roles = {state.challenger: "challenger", state.version: "current"}
    copied = ("trained_at", "source", "horizon_days", "sha256", "size", "gate", "data", "code")
    return {
        "version": version,
        "role": roles.get(version),
        "kind": kind_of(metadata),
        **{name: metadata.get(name) for name in copied},
        "metrics": metadata.get("metrics", {}),
        "quality": [_dated(asdict(week)) for week in weeks],
    }


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _concerns(promotion: Promotion, version: str) -> bool:
    return version in {promotion.version, promotion.rolled_back}
