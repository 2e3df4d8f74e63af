"""The types of the answers about a customer's past, as in `answers`."""

from typing import Any, Literal, TypedDict

from churn.domain.alert_answers import Alert, AlertAction
from churn.domain.alerts import AlertPriority, AlertStatus
from churn.domain.answers import Driver, Event, Instant, Probability, ProbabilityInterval
from churn.domain.features import FeatureValues
from churn.domain.model import ModelKind, ModelSource
from churn.domain.risk import RiskLevel


class ChangeDriver(TypedDict):
    """A feature whose share of the risk has changed."""

    feature: str
    before: float | None
    """Its value at the earlier prediction; null where it was not known."""
    after: float | None
    effect: float
    """Signed probability points: its contribution after, less the one before."""
    sentence: str


class RiskChange(TypedDict):
    """What changed the risk from one stored prediction to another: its parts add up to `change`.

    The parts are null where one of the two was stored without its reasons, by an earlier release.
    """

    from_id: int
    to_id: int
    change: float
    """The churn probability after, less before."""
    model_changed: bool
    """Whether the two are of different versions of the model, which is a reason in itself."""
    base_change: float | None
    """What the average customer's probability changed by: other than 0 with another version alone."""
    drivers: list[ChangeDriver] | None
    other_changes: float | None
    """Of all features that are no drivers."""


class RiskPoint(TypedDict):
    """A stored prediction of a customer."""

    id: int
    created_at: Instant
    """When it was stored."""
    as_of: Instant
    """The instant that it is for."""
    churn_probability: Probability
    risk_level: RiskLevel
    value_at_risk: float | None
    """In the currency of the stats; null where an earlier release stored the prediction without it."""
    confidence: Probability
    model_version: str
    model_kind: ModelKind | None
    model_source: ModelSource | None
    probability_interval: ProbabilityInterval | None
    change: RiskChange | None
    """From the prediction before it; null where none before it is kept."""


class RiskHistory(TypedDict):
    """A customer's stored predictions, the newest first."""

    predictions: list[RiskPoint]
    comparison: RiskChange | None
    """From the prediction `compare_from` to `compare_to`, where these are asked for."""
    next_cursor: str | None


class TimelineEvent(TypedDict):
    """An event of the shop."""

    kind: Literal["event"]
    at: Instant
    event: Event


class TimelinePrediction(TypedDict):
    """A prediction that was stored, with what changed it."""

    kind: Literal["prediction"]
    at: Instant
    prediction: RiskPoint


class TimelineAlert(TypedDict):
    """An alert that was raised, as it is now."""

    kind: Literal["alert"]
    at: Instant
    alert: Alert


class TimelineAction(TypedDict):
    """What somebody did with an alert."""

    kind: Literal["action"]
    at: Instant
    alert_id: int
    alert_type: str
    action: AlertAction


class CustomerNote(TypedDict):
    """What somebody noted about a customer."""

    id: int
    at: Instant
    by: str
    """Who wrote it, by the name in their token."""
    note: str


class NotePage(TypedDict):
    """The notes about a customer, the newest first."""

    notes: list[CustomerNote]
    """At most as many as asked for."""
    next_cursor: str | None


class TimelineNote(TypedDict):
    """A note about the customer."""

    kind: Literal["note"]
    at: Instant
    note: CustomerNote


TimelineItem = TimelineNote | TimelineEvent | TimelinePrediction | TimelineAlert | TimelineAction


class KeptSince(TypedDict):
    """From when on all of a kind is there; before, older data were deleted. Null: nothing was."""

    note: Instant | None
    event: Instant | None
    prediction: Instant | None
    alert: Instant | None
    action: Instant | None


class Timeline(TypedDict):
    """All that happened about a customer, the newest first.

    Of one instant come notes, actions, alerts, predictions, events, in this order; within a kind the larger id first.
    """

    items: list[TimelineNote | TimelineEvent | TimelinePrediction | TimelineAlert | TimelineAction]
    next_cursor: str | None
    kept_since: KeptSince


class AlertThen(TypedDict):
    """An alert that was open at an instant; what it said then is null if it has been raised to a higher band since."""

    id: int
    alert_type: str
    created_at: Instant
    status: AlertStatus | None
    """Null where the actions that tell it are not kept."""
    assigned_to: str | None
    priority: AlertPriority | None
    title: str | None
    message: str | None
    reason: str | None
    risk_score: float | None
    previous_risk_score: float | None
    model_source: ModelSource | None


class CustomerThen(FeatureValues):
    """What was known and said of a customer at an instant, by the prediction that was the newest stored one then.

    All other fields of a customer are there too, and null: a prediction does not keep them. So are the features
    and reasons with a prediction that an earlier release stored without them, and all of it without a prediction.
    """

    customer_id: str
    as_of: Instant
    churn_probability: Probability | None
    risk_level: RiskLevel | None
    value_at_risk: float | None
    """In the currency of the stats; null where an earlier release stored the prediction without it."""
    confidence: Probability | None
    model_version: str | None
    model_kind: ModelKind | None
    model_source: ModelSource | None
    last_prediction_at: Instant | None
    """The instant that the prediction is for."""
    risk_change_7d: float | None
    probability_interval: ProbabilityInterval | None
    base_probability: Probability | None
    drivers: list[Driver] | None
    other_contributions: float | None
    explained_at: Instant | None
    open_alerts: list[AlertThen] | None
    """Null for an instant from which alerts are not kept any more."""


class CustomerErasure(TypedDict):
    """A customer will be erased within seconds."""

    event_id: str
    """Of the event `customer_deleted` that does it."""
    learned_by: list[str]
    """The versions of the model that have served and may have learned from the customer.

    They were trained before now, at a cut-off after the customer's first event.
    """


class CustomerExport(TypedDict):
    """A part of all that is stored of a customer; the parts one after the other are all of it."""

    customer_id: str
    exported_at: Instant
    """When the part was read."""
    stored: dict[str, list[dict[str, Any]]]
    """Rows, by the table that they are stored in, with their columns. Up to 500 rows a part."""
    next_cursor: str | None
    """Leads to the next part; null with the last one."""
