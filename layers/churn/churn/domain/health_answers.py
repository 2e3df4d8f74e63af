"""The types of the answer about the service's health; as in `answers`."""

from typing import Literal, NotRequired, TypedDict

from churn.domain.answers import Instant
from churn.domain.model import ModelKind, ModelSource

CheckStatus = Literal["up", "down", "fallback"]
HealthStatus = Literal["healthy", "degraded", "unhealthy"]


class Check(TypedDict):
    """How one dependency is."""

    status: CheckStatus
    milliseconds: float
    detail: NotRequired[str | None]


class ModelCheck(Check):
    """The model in memory, of the version that a new execution environment would serve with."""

    held: dict[str, str]
    """The version that each function held when it last reported, within the last hour."""


class IngestionCheck(Check):
    """How far the reading of events is."""

    waiting: int | None
    """The records that were not applied, where the event source tells it (on AWS the metric OffsetLag does)."""
    behind_seconds: float | None
    """How long the oldest of them has waited, or what stands in the way has stood there."""
    last_applied: Instant | None
    """When a batch was last applied, to some ten seconds; it is not judged, for a shop may be idle."""
    dead_letters_last_hour: int | None
    """The records of the last hour that could not be applied and are kept."""


class SweepCheck(Check):
    """The rescoring sweep."""

    last_run: Instant | None
    """When a sweep last ended."""


class Checks(TypedDict):
    """What serving needs; `database` is the same as `reads`, under the name that older clients know."""

    database: Check
    reads: Check
    writes: Check
    cache: Check
    model: ModelCheck
    ingestion: IngestionCheck
    sweep: SweepCheck


class Health(TypedDict):
    """How the service is.

    `unhealthy`, with status 503: requests are not served, for nothing can be read or predicted. `degraded`: they are,
    and a check is not `up`.
    """

    status: HealthStatus
    timestamp: Instant
    model_loaded: bool
    service: str
    version: str
    model_version: str | None
    model_kind: ModelKind | None
    model_source: ModelSource | None
    checks: Checks
