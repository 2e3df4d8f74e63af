"""The versions of the model: published once and never altered, one of them promoted to serve."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from churn.domain.errors import ConflictError, FieldError, NotFoundError, UnavailableError
from churn.domain.model import source_of
from churn.domain.timestamps import iso


class VersionNotFoundError(NotFoundError):
    """The registry does not hold this version, or not the requested part of it."""

    sentence = "There is no such version, or what is asked of it is not there."


class VersionExistsError(ConflictError):
    """The version is published already; what serves must stay what was tested."""


class NotPromotableError(ConflictError):
    """The version did not pass its gate against the version that serves; `reasons` are sentences."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons
        self.errors = tuple(FieldError("version", reason) for reason in reasons)


class NoPreviousVersionError(ConflictError):
    """No version has served before the one that does."""


class RegistryUnavailableError(UnavailableError):
    """The registry does not answer."""

    dependency = "registry of models"


@dataclass(frozen=True, slots=True)
class Promotion:
    """The moment from which a version serves: when (ISO 8601), by whom, and why.

    `forced`: its gate had not passed. `rolled_back`: the version that it replaced in a roll-back.
    """

    version: str
    at: str | None = None
    by: str | None = None
    reason: str | None = None
    forced: bool = False
    rolled_back: str | None = None


@dataclass(frozen=True, slots=True)
class PromotionState:
    """The version that serves, the challenger that is scored beside it, and all promotions, oldest first.

    `refused`: why nothing of what is stored is believed; the state is empty then.
    """

    version: str | None = None
    challenger: str | None = None
    history: tuple[Promotion, ...] = ()
    refused: str | None = None

    @property
    def before(self) -> str | None:
        """The version that a roll-back returns to: the one that served before, without those rolled back."""
        served: list[str] = []
        for promotion in self.history:
            if promotion.rolled_back is None:
                served.append(promotion.version)
            else:
                served.pop()
        return served[-2] if len(served) > 1 else None

    def stored(self) -> dict[str, Any]:
        """Return the content of ``current.json``."""
        return {name: value for name, value in asdict(self).items() if name != "refused"}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """Read the content of ``current.json``, also one that names a version and nothing else.

        Raises LookupError, TypeError or AttributeError if the content has another form.
        """
        version = str(state["version"])
        names = {field.name for field in fields(Promotion)}
        history = tuple(
            # A later version of the code may have written more fields.
            Promotion(**{name: value for name, value in promotion.items() if name in names})
            for promotion in state.get("history", [{"version": version}])
        )
        return cls(version, state.get("challenger"), history)


@dataclass(frozen=True, slots=True)
class LearningSpan:
    """When a version learned from the shop's own customers: training began, and its newest cut-off."""

    began: datetime
    until: datetime

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Self | None:
        """Return the span by a version's metadata; None for one that learned from nobody, or does not say when."""
        if source_of(metadata) != "shop" or not metadata.get("trained_at"):
            return None
        freshness = metadata.get("freshness") or {}
        told = [*(metadata.get("fitted_at") or [metadata["trained_at"]]), freshness.get("as_of")]
        began = datetime.fromisoformat(metadata["trained_at"])
        return cls(began, max(datetime.fromisoformat(instant) for instant in told if instant))

    def holds(self, first_event_at: datetime | None, erased_at: datetime) -> bool:
        """Return whether somebody, erased at an instant, had been there: to the day, and rather too often."""
        return first_event_at is not None and erased_at >= self.began and first_event_at.date() <= self.until.date()


class Artifact(Protocol):
    """A model that can be published."""

    @property
    def version(self) -> str:
        """The version's name."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of the version."""

    def to_bytes(self) -> bytes:
        """Return the content of the model's file."""


class ModelRegistry[M](Protocol):
    """The store of the model's versions; M is the type of a loaded model.

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
        """Return the version that serves, its challenger, and all promotions."""

    def promote(
        self, version: str, *, by: str, reason: str | None, now: datetime, force: bool = False
    ) -> PromotionState:
        """Make a published version serve, if its gate passed against the one that serves now, or if forced.

        Raises VersionNotFoundError, BrokenModelError, or, unless forced, NotPromotableError.
        """

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> PromotionState:
        """Make the previous version serve again. Raises NoPreviousVersionError, BrokenModelError."""

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


def served_by(state: PromotionState, promotion: Promotion) -> PromotionState:
    """Return the state after a promotion; a promoted challenger is no challenger any more.

    Times rise from one promotion to the next, whatever the clocks say: the later one is told by its time.
    """
    challenger = None if state.challenger == promotion.version else state.challenger
    before = state.history[-1].at if state.history else None
    if before is not None and promotion.at is not None:
        earliest = datetime.fromisoformat(before) + timedelta(milliseconds=1)
        if datetime.fromisoformat(promotion.at) < earliest:
            promotion = replace(promotion, at=iso(earliest))
    return PromotionState(promotion.version, challenger, (*state.history, promotion))
