"""Health checks: all dependencies are checked at once, and none is waited for beyond a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, customers
from churn.adapters.redis_cache import Cache
from churn.domain.model import PURCHASE_PROCESS, ModelKind, kind_of
from churn.domain.timestamps import iso
from churn.services.current_model import CurrentModel
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.answers import Check, CheckStatus, Health, HealthStatus

DEADLINE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `fallback`: something else does its work. `version` and `kind` are for the model."""

    status: CheckStatus
    detail: str | None = None
    version: str | None = None
    kind: ModelKind | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A finding, and how long the check took."""

    finding: Finding
    milliseconds: float

    def to_dict(self) -> Check:
        """Return the JSON value of the finding."""
        return {
            "status": self.finding.status,
            "milliseconds": round(self.milliseconds, 1),
            "detail": self.finding.detail,
        }


def run_checks(checks: Mapping[str, Callable[[], Finding]], seconds: float = DEADLINE_SECONDS) -> dict[str, Measured]:
    """Run all checks at the same time; one that raises, or does not end in time, finds its dependency down."""
    results: dict[str, Measured] = {}
    started = time.perf_counter()

    def run(name: str, check: Callable[[], Finding]) -> None:
        try:
            finding = check()
        except Exception as error:  # noqa: BLE001 (whatever is wrong with it, the dependency is down)
            finding = Finding("down", type(error).__name__)
        results[name] = Measured(finding, (time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in checks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, seconds - (time.perf_counter() - started)))
    late = Measured(Finding("down", f"no answer within {seconds} s"), seconds * 1000)
    ended = dict(results)
    return {name: ended.get(name, late) for name in checks}


def overall_status(results: Mapping[str, Measured]) -> HealthStatus:
    """Return unhealthy without the database or any model, degraded if another check is not up, else healthy."""
    if "down" in {results["database"].finding.status, results["model"].finding.status}:
        return "unhealthy"
    return "healthy" if all(measured.finding.status == "up" for measured in results.values()) else "degraded"


class HealthChecks:
    """The checks of what serving needs: database, cache and model."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._current_model: CurrentModel | None = None

    def health(self, now: datetime) -> Health:
        """Check everything, and return how the service is."""
        results = run_checks({"database": self._database, "cache": self._cache, "model": self._model})
        model = results["model"].finding
        return {
            "status": overall_status(results),
            "timestamp": iso(now),
            "model_loaded": model.status != "down",
            "service": self._settings.service_name,
            "version": self._settings.service_version,
            "model_version": model.version,
            "model_kind": model.kind,
            "checks": {
                "database": results["database"].to_dict(),
                "cache": results["cache"].to_dict(),
                "model": results["model"].to_dict(),
            },
        }

    def _database(self) -> Finding:
        database = Database(self._settings.database_url, connect_timeout=1, statement_timeout=1, attempts=1)
        try:
            database.run(customers.exist)
        finally:
            database.close()
        return Finding("up")

    def _cache(self) -> Finding:
        # A connection of the check's own: one that hangs is then nobody else's.
        cache = Cache(self._settings.redis_url)
        try:
            return Finding("up") if cache.ping() else Finding("down", "no answer")
        finally:
            cache.close()

    def _model(self) -> Finding:
        # Loaded by the check and not at the start: without any model, health still answers.
        if self._current_model is None:
            self._current_model = CurrentModel(self._settings, every=0)
        model = self._current_model
        model.refresh()
        kind = kind_of(model.metadata)
        if model.refused:
            return Finding("fallback", f"the promoted version is not served: {model.refused}", model.version, kind)
        if self._settings.model_bucket and model.promoted is None:
            return Finding("fallback", "no version is promoted", model.version, kind)
        young = "too little history for a forest yet: the purchase process alone" if kind == PURCHASE_PROCESS else None
        return Finding("up", young, model.version, kind)
