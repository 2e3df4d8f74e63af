"""The types of the answers about models and training runs; see `answers`."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from churn.domain.answers import Instant
from churn.domain.model import ModelKind

ScoringRole = Literal["served", "shadow"]
QualityStage = Literal["estimated", "matured", "settled"]
ComparisonVerdict = Literal["challenger_better", "champion_better", "undecided"]
VersionRole = Literal["current", "challenger"]
Form = Literal["refitted", "brought_up_to_now", "as_tested"]
RunState = Literal["queued", "running", "succeeded", "refused", "failed"]


class Gate(TypedDict):
    """Whether a version was no worse than the one that was in use when it was trained."""

    passed: bool
    compared_with: str | None
    """The version in use then; null = there was none that could be compared with."""
    reasons: list[str]
    """Why it did not pass."""


Figures = Mapping[str, float | None]


Intervals = Mapping[str, list[float | None]]


class WeekQuality(TypedDict):
    """How good a version's stored predictions of a week were, or are expected to be until their outcomes are known."""

    model_version: str
    role: ScoringRole
    week: str
    """Its Monday."""
    stage: QualityStage
    """Matured: late events may still change it."""
    horizon_days: int
    customers: int
    churned: int | None
    expected: Figures
    """From the probabilities alone."""
    realised: Figures | None
    intervals: Intervals | None
    """95 % intervals of the realised figures."""


class ModelComparison(TypedDict):
    """Two versions on the same customers at the same instants, once the outcomes are known."""

    champion: str
    challenger: str
    first_week: str
    last_week: str
    customers: int
    churned: int
    champion_figures: Figures
    challenger_figures: Figures
    differences: Intervals
    """95 % intervals of the challenger's figure less the champion's."""
    verdict: ComparisonVerdict


class ColumnDrift(TypedDict):
    """How a feature, or the score, of the newest day differs from what the version was tested on."""

    day: str
    customers: int
    column: str
    psi: float
    """Population stability index."""
    noise: float
    missing: float
    missing_before: float
    importance: float | None
    verdict: str


class TriedForm(TypedDict):
    """A form of a tested model that knows more, and how near to it its probabilities of the tested window are."""

    form: Form
    """What it knows more than the tested model."""
    mean_difference: float
    """Its mean probability less that of the tested model."""
    rank_correlation: float
    """Spearman's, with the probabilities of the tested model."""
    served: bool
    """Whether it was near enough to be the version: less than 0.02 apart in the mean, and correlated above 0.95."""


class Freshness(TypedDict):
    """What a version knows beyond the model that was tested in its place."""

    served: Form
    """Refitted: learned from the tested window as well. Both but the tested one have the purchase process of now."""
    as_of: Instant
    """The orders until then are in the purchase process."""
    tested_version: str | None
    """The version that `metrics`, `gate` and the report are of; null if that is this one."""
    trained_version: str | None
    """The version that a training made, if this one has a later purchase process and its own `gate`; else null."""
    tried: list[TriedForm]
    """The forms that were compared with the tested model, the one that knows most first."""


class ModelVersion(TypedDict):
    """A version of the model, and how good it was on the window that it had not seen."""

    version: str
    role: VersionRole | None
    """The current version serves; the challenger is scored beside it."""
    kind: ModelKind
    trained_at: Instant | None
    source: str | None
    """history, sample for a simulated shop, or prior for what is usual for shops."""
    horizon_days: int | None
    features_version: int
    """The version of the features that it learned from."""
    is_outdated: bool
    """Whether the features were defined otherwise when it learned: it serves on until training replaces it."""
    sha256: str | None
    size: int | None
    """Bytes."""
    gate: Gate | None
    data: dict[str, Any] | None
    """The fingerprint and extent of what it was trained on."""
    code: dict[str, Any] | None
    """The versions of the service and its libraries that trained it."""
    learned_from_erased: int | None
    """From how many customers who have been erased since it may have learned; null where its training is not told."""
    metrics: dict[str, Any]
    """The figures of the test; `freshness` says of which version they are."""
    freshness: Freshness | None
    """Null for versions that are what was tested, as those of before were."""
    quality: list[WeekQuality]
    """The newest weeks of its own predictions."""


class ModelChange(TypedDict):
    """A version began to serve."""

    version: str
    at: Instant | None
    by: str | None
    reason: str | None
    forced: bool
    """Although its gate had not passed."""
    rolled_back: str | None
    """The version that it took the place of again."""


class TrainingRun(TypedDict):
    """A training run: refused when there is no model in the data, failed when something went wrong."""

    run_id: str
    state: RunState
    requested_by: str
    progress: str | None
    version: str | None
    promoted: bool | None
    reason: str | None
    """Why it was not promoted, was refused, or failed."""
    requested_at: Instant
    started_at: Instant | None
    updated_at: Instant
    ended_at: Instant | None


class ModelVersions(TypedDict):
    """The newest versions, the newest changes of which of them serves, and the newest training run."""

    current: str | None
    challenger: str | None
    versions: list[ModelVersion]
    total: int
    history: list[ModelChange]
    latest_run: TrainingRun | None


class ModelVersionDetail(ModelVersion):
    """All that is known of a version."""

    comparisons: list[ModelComparison]
    drift: list[ColumnDrift]
    metadata: dict[str, Any]
    history: list[ModelChange]


class Report(TypedDict):
    """A version's report: figures, intervals, slices and baselines on the held-out window."""


class Promoted(TypedDict):
    """The version that serves from now on, within a minute everywhere."""

    current: str
    challenger: str | None
    change: ModelChange
