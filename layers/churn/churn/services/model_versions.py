"""The versions of the model as clients see and control them: their figures, promotions and training runs.

It reads the versions' metadata and reports, and needs neither a model nor numpy.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import Database, Transaction, erasures, model_quality, training_runs
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.model_quality import Comparison, Quality
from churn.domain.features import is_outdated
from churn.domain.model import BrokenModelError, kind_of, source_of
from churn.domain.model_versions import (
    LearningSpan,
    ModelRegistry,
    Promotion,
    PromotionState,
    VersionNotFoundError,
)
from churn.observability import logger
from churn.services.promotions import record_promotion
from churn.services.training_runs import RunNotFoundError, TrainingUnavailableError, run_in_progress, run_json

if TYPE_CHECKING:
    from churn.domain import model_answers as answers

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

    def overview(self, limit: int, now: datetime) -> answers.ModelVersions:
        """Return the newest `limit` versions, the one that serves, the newest promotions and the newest run."""
        state = self._registry.promotion_state()
        versions = self._registry.versions()
        shown = versions[:limit]
        described = {version: self._described(version) for version in shown}
        run, weeks, erased = self._database.run(
            lambda transaction: (
                training_runs.newest(transaction, now),
                {version: model_quality.weeks(transaction, version, _NEWEST_WEEKS) for version in shown},
                {version: _erased(transaction, described[version]) for version in shown},
            )
        )
        return {
            "current": state.version,
            "challenger": state.challenger,
            "versions": [
                _summary(version, described[version], state, weeks[version], erased[version]) for version in shown
            ],
            "total": len(versions),
            "history": [_promotion(promotion) for promotion in reversed(state.history[-_NEWEST_PROMOTIONS:])],
            "latest_run": None if run is None else run_json(run),
        }

    def version(self, version: str) -> answers.ModelVersionDetail:
        """Return all that is known of a version. Raises VersionNotFoundError, also if it cannot be read."""
        with _readable(version):
            metadata = self._registry.describe(version)
        state = self._registry.promotion_state()
        weeks, erased, comparisons, drift = self._database.read(
            lambda transaction: (
                model_quality.weeks(transaction, version),
                _erased(transaction, metadata),
                model_quality.comparisons(transaction, version),
                model_quality.newest_drift(transaction, version),
            )
        )
        return {
            **_summary(version, metadata, state, weeks, erased),
            "comparisons": [_comparison(comparison) for comparison in comparisons],
            "drift": [_drift(row) for row in drift],
            "metadata": metadata,
            "history": [
                _promotion(promotion) for promotion in reversed(state.history) if _concerns(promotion, version)
            ],
        }

    def report(self, version: str) -> answers.Report:
        """Return a version's report. Raises VersionNotFoundError, also if it cannot be read."""
        with _readable(version):
            report: answers.Report = json.loads(self._registry.report(version, "json"))
            return report

    def report_page(self, version: str) -> str:
        """Return a version's report as an HTML page. Raises VersionNotFoundError, also if it cannot be read."""
        with _readable(version):
            return self._registry.report(version, "html").decode()

    def promote(self, version: str, *, by: str, reason: str | None, force: bool, now: datetime) -> answers.Promoted:
        """Make a version serve. Raises VersionNotFoundError, BrokenModelError, NotPromotableError."""
        state = self._registry.promote(version, by=by, reason=reason, now=now, force=force)
        record_promotion(self._database, self._registry)
        return _changed(state)

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> answers.Promoted:
        """Make the previous version serve again. Raises NoPreviousVersionError, BrokenModelError."""
        state = self._registry.roll_back(by=by, reason=reason, now=now)
        record_promotion(self._database, self._registry)
        return _changed(state)

    def train(self, *, by: str, now: datetime) -> answers.TrainingRun:
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

    def run(self, run_id: str, now: datetime) -> answers.TrainingRun:
        """Return the present state of a training run. Raises RunNotFoundError."""
        row = self._database.run(lambda transaction: training_runs.find(transaction, run_id[:64], now))
        if row is None:
            raise RunNotFoundError(run_id)
        return run_json(row)

    def _described(self, version: str) -> Mapping[str, Any]:
        try:
            return self._registry.describe(version)
        except BrokenModelError as error:
            logger.error("a version cannot be described", extra={"version": version, "reason": str(error)})
            return {}


@contextmanager
def _readable(version: str) -> Iterator[None]:
    try:
        yield
    except (BrokenModelError, ValueError) as error:
        logger.error("what is stored of a version cannot be read", extra={"version": version, "reason": str(error)})
        raise VersionNotFoundError(version) from error


def _changed(state: PromotionState) -> answers.Promoted:
    promotion = state.history[-1]
    return {"current": promotion.version, "challenger": state.challenger, "change": _promotion(promotion)}


def _summary(
    version: str, metadata: Mapping[str, Any], state: PromotionState, weeks: Sequence[Quality], erased: int | None
) -> answers.ModelVersion:
    roles: dict[str | None, answers.VersionRole] = {state.challenger: "challenger", state.version: "current"}
    return {
        "version": version,
        "role": roles.get(version),
        "kind": kind_of(metadata),
        "trained_at": metadata.get("trained_at"),
        "source": metadata.get("source"),
        "horizon_days": metadata.get("horizon_days"),
        "features_version": metadata.get("features_version", 1),
        "is_outdated": is_outdated(metadata),
        "sha256": metadata.get("sha256"),
        "size": metadata.get("size"),
        "gate": metadata.get("gate"),
        "data": metadata.get("data"),
        "code": metadata.get("code"),
        "learned_from_erased": erased,
        "metrics": metadata.get("metrics", {}),
        "freshness": _freshness(metadata.get("freshness")),
        "quality": [_week(week) for week in weeks],
    }


def _freshness(found: Mapping[str, Any] | None) -> answers.Freshness | None:
    """Return what a version knows beyond the tested model; those of before named no other version."""
    if not found:
        return None
    return {
        "served": found["served"],
        "as_of": found["as_of"],
        "tested_version": found.get("tested_version"),
        "trained_version": found.get("trained_version"),
        "tried": found.get("tried", []),
    }


def _erased(transaction: Transaction, metadata: Mapping[str, Any]) -> int | None:
    """Return from how many customers who have been erased since a version may have learned, None if nobody knows."""
    if source_of(metadata) in {"simulated", "prior"}:
        return 0
    span = LearningSpan.of(metadata)
    return None if span is None else erasures.count_learned(transaction, span)


def _promotion(promotion: Promotion) -> answers.ModelChange:
    return {
        "version": promotion.version,
        "at": promotion.at,
        "by": promotion.by,
        "reason": promotion.reason,
        "forced": promotion.forced,
        "rolled_back": promotion.rolled_back,
    }


def _week(week: Quality) -> answers.WeekQuality:
    return {
        "model_version": week.model_version,
        "role": week.role,
        "week": week.week.isoformat(),
        "stage": week.stage,
        "horizon_days": week.horizon_days,
        "customers": week.customers,
        "churned": week.churned,
        "expected": week.expected,
        "realised": week.realised,
        "intervals": week.intervals,
    }


def _comparison(comparison: Comparison) -> answers.ModelComparison:
    return {
        "champion": comparison.champion,
        "challenger": comparison.challenger,
        "first_week": comparison.first_week.isoformat(),
        "last_week": comparison.last_week.isoformat(),
        "customers": comparison.customers,
        "churned": comparison.churned,
        "champion_figures": comparison.champion_figures,
        "challenger_figures": comparison.challenger_figures,
        "differences": comparison.differences,
        "verdict": comparison.verdict,
    }


def _drift(row: Row) -> answers.ColumnDrift:
    return {
        "day": row["day"].isoformat(),
        "customers": row["customers"],
        "column": row["column"],
        "psi": row["psi"],
        "noise": row["noise"],
        "missing": row["missing"],
        "missing_before": row["missing_before"],
        "importance": row["importance"],
        "verdict": row["verdict"],
    }


def _concerns(promotion: Promotion, version: str) -> bool:
    return version in {promotion.version, promotion.rolled_back}
