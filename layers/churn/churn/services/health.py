"""How the service is: every dependency is asked at once, and none is waited for longer than a deadline."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

DEADLINE_SECONDS = 2.5
Status = Literal["up", "fallback", "down"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one dependency is; `fallback`: something else does its work. `version` and `kind` are for the model."""

    status: Status
    detail: str | None = None
    version: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A finding, and how long it took."""

    finding: Finding
    milliseconds: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON of it."""
        return {
            "status": self.finding.status,
            "milliseconds": round(self.milliseconds, 1),
            "detail": self.finding.detail,
        }


def examine(checks: Mapping[str, Callable[[], Finding]], seconds: float = DEADLINE_SECONDS) -> dict[str, Measured]:
    """Runs all checks at the same time. One that raises, or has not ended in time, finds its dependency down."""
    found: dict[str, Measured] = {}
    started = time.perf_counter()

    def run(name: str, check: Callable[[], Finding]) -> None:
        try:
            finding = check()
        except Exception as error:  # noqa: BLE001 (whatever is wrong with it, the dependency is down)
            finding = Finding("down", type(error).__name__)
        found[name] = Measured(finding, (time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in checks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, seconds - (time.perf_counter() - started)))
    late = Measured(Finding("down", f"no answer within {seconds} s"), seconds * 1000)
    ended = dict(found)
    return {name: ended.get(name, late) for name in checks}


def verdict(found: Mapping[str, Measured]) -> Literal["healthy", "degraded", "unhealthy"]:
    """Without the database or any model the service is unhealthy; without the rest it does its work, degraded."""
    if "down" in {found["database"].finding.status, found["model"].finding.status}:
        return "unhealthy"
    return "healthy" if all(measured.finding.status == "up" for measured in found.values()) else "degraded"
