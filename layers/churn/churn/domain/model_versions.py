"""The versions of the model: published once and never altered, one of them promoted to serve."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Protocol, Self

from churn.domain.errors import ConflictError, FieldError, NotFoundError, UnavailableError


class VersionNotFoundError(NotFoundError):
    """The registry has no such version, or not that part of it."""

    sentence = "There is no such version, or what is asked of it is not there."


class VersionExistsError(ConflictError):
    """A published version cannot be published again: what serves must stay what was tested."""


class NotPromotableError(ConflictError):
    """The version did not pass its gate against the version that serves; `reasons` are sentences."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons
        self.errors = tuple(FieldError("version", reason) for reason in reasons)


class NoPreviousVersionError(ConflictError):
    """No version has served before the one that does."""


class RegistryUnavailableError(UnavailableError):
    """The registry could not be asked."""

    dependency = "registry of models"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version began to serve: at which instant (ISO 8601), by whom, and why.

    `forced`: although its gate had not passed. `rolled_back`: the version that it took the place of again.
    """

    version: str
    at: str | None = None
    by: str | None = None
    reason: str | None = None
    forced: bool = False
    rolled_back: str | None = None


@dataclass(frozen=True, slots=True)
class PromotionState:
    """The version that serves, the challenger that is scored beside it, and all changes, the oldest first."""

    version: str | None = None
    challenger: str | None = None
    history: tuple[Promotion, ...] = ()

    @property
    def before(self) -> str | None:
        """The version that a roll-back returns to: what served before, passing over what was rolled back."""
        served: list[str] = []
        for change in self.history:
            if change.rolled_back is None:
                served.append(change.version)
            else:
                served.pop()
        return served[-2] if len(served) > 1 else None

    def to_json(self) -> bytes:
        """The content of ``current.json``."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read ``current.json``, also one that names a version and nothing else. Raises ValueError and the like."""
        found = json.loads(content)
        version = str(found["version"])
        known = {field.name for field in fields(Promotion)}
        history = tuple(
            # What a later version of the code has written besides is passed over.
            Promotion(**{name: value for name, value in change.items() if name in known})
            for change in found.get("history", [{"version": version}])
        )
        return cls(version, found.get("challenger"), history)


class Artifact(Protocol):
    """A model that can be published."""

    @property
    def version(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    def to_bytes(self) -> bytes: ...


class ModelRegistry[M](Protocol):
    """Where the versions of the model are kept; M is the type of a loaded model.

    Every method raises RegistryUnavailableError if the registry cannot be reached.
    """

    def publish(self, model: Artifact, *, report: Mapping[str, Any] | None = None, html: str | None = None) -> None:
        """Store a version, with its report as JSON and as a page. Raises VersionExistsError."""

    def versions(self) -> list[str]:
        """Return all published versions, the newest first."""

    def describe(self, version: str) -> dict[str, Any]:
        """Return a version's metadata, with `sha256` and `size` of the model.

        Raises VersionNotFoundError, BrokenModelError.
        """

    def report(self, version: str, kind: str) -> bytes:
        """Return the report of a version; `kind` is json or html. Raises VersionNotFoundError."""

    def promotion_state(self) -> PromotionState:
        """Return which version serves, which one challenges it, and all promotions."""

    def promote(
        self, version: str, *, by: str, reason: str | None, now: datetime, force: bool = False
    ) -> PromotionState:
        """Make a published version the one that serves, if its gate passed against the one that does, or by force.

        Raises VersionNotFoundError, NotPromotableError, and BrokenModelError, which no force overcomes.
        """

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> PromotionState:
        """Make the version before serve again. Raises NoPreviousVersionError, BrokenModelError."""

    def challenge(self, version: str) -> PromotionState:
        """Make a published version the challenger, unless it serves. Raises VersionNotFoundError."""

    def load(self, version: str) -> M:
        """Return the version's model, its checksums verified. Raises VersionNotFoundError, BrokenModelError."""


def objections_to(version: str, gate: Mapping[str, Any] | None, current: str | None) -> list[str]:
    """Return why a version may not take the place of `current`, in sentences."""
    if current is None:
        return []
    if gate is None:
        return [f"Version {version} was published without a comparison with the version in use."]
    compared = gate.get("compared_with")
    reasons = [str(reason) for reason in gate.get("reasons", ())] or ["Its gate did not pass."]
    objections = [] if gate.get("passed") else reasons
    if compared != current:
        with_what = f"with version {compared}" if compared else "with no other version"
        objections.append(f"Version {version} was compared {with_what}, and version {current} is in use now.")
    return objections


def served_by(state: PromotionState, change: Promotion) -> PromotionState:
    """Return the state after a promotion; a challenger that was promoted challenges no more."""
    challenger = None if state.challenger == change.version else state.challenger
    return PromotionState(change.version, challenger, (*state.history, change))
