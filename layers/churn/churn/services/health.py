"""Health checks: all dependencies are checked at once, and none is waited for beyond a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn.domain.answers import Check, CheckStatus, HealthStatus
    from churn.domain.model import ModelKind

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
