"""What comes out of every route, typed once: the API is described with these, and its contract is held against them.

No function imports this: the models would add a tenth to its start, and answers are not checked while serving.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from churn.domain.alerts import AlertPriority, AlertStatus
from churn.domain.features import FEATURES
from churn.domain.model import ModelKind
from churn.domain.risk import CustomerStatus, RiskLevel
from churn.entrypoints.http.requests import (
    Granularity,
    Instant,
    Model,
    Period,
)

# --- customers


def _describe(feature: Any) -> Any:
    return Field(description=f"{feature.description} ({feature.unit}); null = not known")


_FEATURE_FIELDS: dict[str, Any] = {feature.name: (float | None, _describe(feature)) for feature in FEATURES}


Features: type[Model] = create_model("Features", __base__=Model, __doc__="The 12 features.", **_FEATURE_FIELDS)


class Driver(Model):
    """A reason of a prediction."""

    feature: str
    value: float | None
    contribution: float
    """Signed probability points: above 0 where it makes leaving likelier."""
    sentence: str


class RecommendedAction(Model):
    """Something to do for a customer."""

    code: str
    text: str
    reason: str
    expected_value: float
    """Churn probability, times expected spend over the horizon, times the share of it that the action should save."""


class ProbabilityInterval(Model):
    """What the model's own uncertainty leaves open: nine in ten of what it may be."""

    low: float
    high: float


class Customer(Features):  # type: ignore[misc, valid-type]
    """A customer of a list."""

    customer_id: str
    name: str | None
    email: str | None
    status: CustomerStatus
    churn_probability: Annotated[float, Field(ge=0, le=1)] | None
    risk_level: RiskLevel | None
    model_kind: ModelKind | None
    recommendations: list[str]
    recommended_actions: list[RecommendedAction]
    """The recommendations with their reasons and worth, what answers the strongest reasons first."""


class CustomerPage(Model):
    """Customers of a list."""

    customers: list[Customer]
    total: int
    total_is_lower_bound: bool
    limit: int
    offset: int
    next_cursor: str | None


class CustomerDetail(Customer):
    """All that is known of one customer."""

    phone: str | None
    address: str | None
    confidence: float | None
    model_version: str | None
    probability_interval: ProbabilityInterval | None
    drivers: list[Driver]
    last_prediction_at: Instant | None
    is_active: bool
    created_at: Instant
    updated_at: Instant


class Event(Model):
    """An event of a customer's history."""

    id: str
    event_type: str
    event_data: dict[str, Any]
    timestamp: Instant


class EventPage(Model):
    """A customer's events, the newest first."""

    events: list[Event]
    total: int


# --- predictions


class Change(Model):
    """A feature that is other than stored, and what that does to the probability."""

    feature: str
    stored: float | None
    given: float | None
    effect: float
    """Signed probability points; those of all changes add up to `change`."""


class WhatIf(Model):
    """How the prediction differs from that for the customer as stored."""

    churn_probability: Annotated[float, Field(ge=0, le=1)]
    """Without the changes."""
    change: float
    """With the changes, less without them."""
    changes: list[Change]


class PredictionAnswer(Model):
    """A prediction for what was sent; it is not stored."""

    customer_id: str | None = None
    churn_probability: Annotated[float, Field(ge=0, le=1)]
    risk_level: RiskLevel
    recommendations: list[str]
    recommended_actions: list[RecommendedAction]
    """The recommendations with their reasons and worth, what answers the strongest reasons first."""
    base_probability: Annotated[float, Field(ge=0, le=1)]
    """Of the average customer: with the contributions of all features it adds up to `churn_probability`."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    model_version: str
    model_kind: ModelKind
    probability_interval: ProbabilityInterval | None
    """Where the model knows how certain it is."""
    drivers: list[Driver]
    what_if: WhatIf | None = None
    """Where features of a stored customer were given."""


class FieldProblem(Model):
    """What is wrong with one field."""

    field: str
    message: str


class BatchError(Model):
    """In the place of a prediction that could not be made."""

    error: str
    code: int
    errors: list[FieldProblem]
    customer_id: str | None = None


class BatchAnswer(Model):
    """A prediction, or an error, for each item, in their order."""

    predictions: list[PredictionAnswer | BatchError]


class StoredPrediction(Model):
    """A prediction that was made when an event or the sweep scored the customer."""

    id: int
    customer_id: str
    churn_probability: float
    risk_level: RiskLevel
    confidence: float
    model_version: str
    model_kind: ModelKind | None
    created_at: Instant


class PredictionPage(Model):
    """Stored predictions, the newest first."""

    predictions: list[StoredPrediction]
    total: int


# --- alerts


class Alert(Model):
    """Something about a customer that somebody should look at."""

    id: int
    customer_id: str
    customer_name: str
    alert_type: str
    priority: AlertPriority
    title: str
    message: str
    reason: str
    risk_score: float | None
    status: AlertStatus
    timestamp: Instant
    created_at: Instant
    acknowledged_at: Instant | None
    resolved_at: Instant | None


class AlertPage(Model):
    """Alerts, the newest first."""

    alerts: list[Alert]
    total: int
    next_cursor: str | None


class Acknowledged(Model):
    """The alert is acknowledged."""

    message: str
    acknowledged_at: Instant


class Resolved(Model):
    """The alert is resolved."""

    message: str
    resolved_at: Instant


class Ticket(Model):
    """Opens one WebSocket: `?ticket=`."""

    ticket: str
    expires_in: int
    """Seconds."""


# --- dashboard


class RiskDistribution(Model):
    """Active customers by risk level."""

    low: int
    medium: int
    high: int
    critical: int


class Stats(Model):
    """The dashboard's figures."""

    total_customers: int
    churn_rate: float
    """Per cent of the customers active 30 days ago who have lapsed since."""
    high_risk_customers: int
    """Active customers whose risk is high or critical."""
    revenue_at_risk: float
    alerts_today: int
    resolved_alerts: int
    model_accuracy: float | None
    """Per cent of the customers who were on the right side of 0.5."""
    model_accuracy_basis: Literal["matured_outcomes", "held_out_window"] | None
    """The predictions of the newest four weeks whose outcomes are known, or the test of the model while none is."""
    last_model_update: Instant | None
    risk_distribution: RiskDistribution
    average_churn_probability: float
    generated_at: Instant


class Trend(Model):
    """The figures of one hour, day, week or month."""

    date: str
    churn_rate: float
    high_risk_customers: int
    new_customers: int
    churned_customers: int


class Trends(Model):
    """The figures over time, the oldest first."""

    trends: list[Trend]
    period: Period
    granularity: Granularity


# --- models


class Gate(Model):
    """Whether a version was no worse than the one that was in use when it was trained."""

    passed: bool
    compared_with: str | None
    """The version in use then; null = there was none that could be compared with."""
    reasons: list[str]
    """Why it did not pass."""


Figures = dict[str, float | None]


Intervals = dict[str, list[float | None]]


class WeekQuality(Model):
    """How good a version's stored predictions of a week were, or are expected to be until their outcomes are known."""

    model_version: str
    role: Literal["served", "shadow"]
    week: str
    """Its Monday."""
    stage: Literal["estimated", "matured", "settled"]
    """Matured: late events may still change it."""
    horizon_days: int
    customers: int
    churned: int | None
    expected: Figures
    """From the probabilities alone."""
    realised: Figures | None
    intervals: Intervals | None
    """95 % intervals of the realised figures."""


class ModelComparison(Model):
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
    verdict: Literal["challenger_better", "champion_better", "undecided"]


class ColumnDrift(Model):
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


class ModelVersion(Model):
    """A version of the model, and how good it was on the window that it had not seen."""

    version: str
    role: Literal["current", "challenger"] | None
    """The current version serves; the challenger is scored beside it."""
    kind: ModelKind
    trained_at: Instant | None
    source: str | None
    """history, or sample for a simulated shop."""
    horizon_days: int | None
    sha256: str | None
    size: int | None
    """Bytes."""
    gate: Gate | None
    data: dict[str, Any] | None
    """The fingerprint and extent of what it was trained on."""
    code: dict[str, Any] | None
    """The versions of the service and its libraries that trained it."""
    metrics: dict[str, Any]
    quality: list[WeekQuality]
    """The newest weeks of its predictions."""


class ModelChange(Model):
    """A version began to serve."""

    version: str
    at: Instant | None
    by: str | None
    reason: str | None
    forced: bool
    """Although its gate had not passed."""
    rolled_back: str | None
    """The version that it took the place of again."""


class TrainingRun(Model):
    """A training run: refused when there is no model in the data, failed when something went wrong."""

    run_id: str
    state: Literal["queued", "running", "succeeded", "refused", "failed"]
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


class ModelVersions(Model):
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


class Report(Model):
    """A version's report: figures, intervals, slices and baselines on the held-out window."""

    model_config = ConfigDict(extra="allow")


class Promoted(Model):
    """The version that serves from now on, within a minute everywhere."""

    current: str
    challenger: str | None
    change: ModelChange


# --- health


class Check(Model):
    """How one dependency is."""

    status: Literal["up", "down", "fallback"]
    milliseconds: float
    detail: str | None = None


class Checks(Model):
    """The dependencies."""

    database: Check
    cache: Check
    model: Check


class Health(Model):
    """How the service is; unhealthy comes with status 503."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: Instant
    model_loaded: bool
    service: str
    version: str
    model_version: str | None
    model_kind: ModelKind | None
    checks: Checks


class ProblemDocument(Model):
    """An error (RFC 9457); `error` and `code` repeat it for older clients."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    error: str
    code: int
