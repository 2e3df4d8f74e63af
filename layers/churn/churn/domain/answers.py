"""The types of the answers, built by those who answer; the API's description is made from the same types.

The type checker holds what the services return against these types, so nothing imports them at run time: they would
add to a function's start. A string below a field is its description. Those about alerts, the
dashboard and models are in `alert_answers`, `dashboard_answers` and `model_answers`.
"""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from churn.domain.features import FeatureValues
from churn.domain.hypotheses import HypotheticalType
from churn.domain.model import ModelKind, ModelSource
from churn.domain.risk import CustomerStatus, RiskLevel, SpendBasis

# The mapping is the JSON schema of such a value.
Instant = Annotated[str, {"type": "string", "format": "date-time"}]
Probability = Annotated[float, {"type": "number", "minimum": 0, "maximum": 1}]

# --- customers


class Driver(TypedDict):
    """A reason of a prediction."""

    feature: str
    value: float | None
    contribution: float
    """Signed probability points: above 0 where it makes leaving likelier."""
    sentence: str


class RecommendedAction(TypedDict):
    """Something to do for a customer."""

    code: str
    text: str
    reason: str
    expected_value: float | None
    """The customer's value at risk, times the share of it that the action should save."""


class ProbabilityInterval(TypedDict):
    """Where the churn probability lies with 90 % certainty, as far as `of` says."""

    low: float
    high: float
    of: Literal["parameters"]
    """What is uncertain: the parameters of the shop's purchase process, of which few orders tell little. What one
    customer does by chance is in the probability itself; a shop that such a process does not describe is in neither."""


class SpendInterval(TypedDict):
    """What nine in ten customers of such an expected spend spent, in the windows that the model learned from."""

    low: float
    high: float


class ExpectedSpend(TypedDict):
    """What is expected of a customer over the horizon."""

    expected_orders: float | None
    """Days with an order; null without an order so far."""
    expected_spend_basis: SpendBasis | None
    """Null where the spend is. `purchase_process`: expected orders (BG/NBD) times the expected value of one
    (Gamma-Gamma)."""
    expected_spend_interval: SpendInterval | None
    """Null where too few customers have been watched for a horizon."""
    expected_spend: float | None
    """Over the horizon of the prediction; leaving customers spend nothing. Null without an order so far, and where
    values of orders are unknown, the customer's or the shop's; so is `value_at_risk`."""


class ExpectedMoney(ExpectedSpend):
    """What is expected of a customer over the horizon, as of the newest score."""

    next_order_expected_at: Instant | None
    """When an order is as likely as not; null if it never is, or not within ten years."""
    overdue_factor: float | None
    """Days since the last order, in the gaps that are usual for the customer: above 1 is late."""


class Customer(FeatureValues, ExpectedMoney):
    """A customer of a list."""

    customer_id: str
    name: str | None
    email: str | None
    status: CustomerStatus
    """`insufficient_data`: no order that counts so far; the score then rests on what else is known."""
    churn_probability: Probability | None
    risk_level: RiskLevel | None
    model_kind: ModelKind | None
    model_source: ModelSource | None
    value_at_risk: float | None
    """Churn probability times the spend of one like them who orders at all; null without a prediction."""
    risk_percentile: float | None
    """Per cent of the current customers whose churn probability is not higher (to a thousandth); null of others."""
    risk_change_7d: float | None
    """The newest churn probability less the newest that was stored at least 7 days before it; null without one.

    Null as well of who has lapsed: they are scored too seldom for it.
    """
    revenue_at_risk: float | None
    """`value_at_risk` as the dashboard sums it; null of those who are not active, and without a prediction."""
    days_at_risk: float | None
    """Since the status became at_risk; null for others, and where the first score or another model made it so."""
    days_since_return: float | None
    """Since the newest order that came after a lapse; null for who never lapsed and came back."""
    recommendations: list[str]
    recommended_actions: list[RecommendedAction]
    """The recommendations with their reasons and worth, what answers the strongest reasons first."""
    error: NotRequired[str]
    """There if what is stored of the customer cannot be read: the figures are null then."""


class PlaceInList(TypedDict):
    """Which part of a list of customers a page is."""

    total: int
    total_is_lower_bound: bool
    limit: int
    offset: int
    next_cursor: str | None


class CustomerPage(PlaceInList):
    """Customers of a list."""

    customers: list[Customer]


class CustomerFieldsPage(PlaceInList):
    """Customers of a list with the fields that were asked for."""

    customers: list[dict[str, Any]]
    """Each field as in a list of whole customers."""


class CustomerDetail(Customer):
    """All that is known of one customer."""

    phone: str | None
    address: dict[str, Any] | None
    """As the shop sent it; an address that is text stands in `text`."""
    confidence: float | None
    model_version: str | None
    probability_interval: ProbabilityInterval | None
    base_probability: Probability | None
    """Of the average customer: with the drivers and `other_contributions` it adds up to `churn_probability`."""
    drivers: list[Driver]
    other_contributions: float | None
    """Of all features that are no drivers."""
    explained_at: Instant | None
    """The instant that the drivers were worked out for: anew whenever the probability has moved by half a point."""
    last_prediction_at: Instant | None
    is_active: bool
    created_at: Instant
    updated_at: Instant


class Event(TypedDict):
    """An event of a customer's history."""

    id: str
    event_type: str
    event_data: dict[str, Any]
    timestamp: Instant


class EventPage(TypedDict):
    """A customer's events, the newest first."""

    events: list[Event]
    total: int


# --- predictions


class FeatureChange(TypedDict):
    """A feature that is other than stored, and what that does to the probability.

    What differs by no more than what is shown of a value (0.1 days, 0.01 of a currency) is as stored.
    """

    feature: str
    stored: float | None
    given: float | None
    effect: float
    """Signed probability points; those of all changes add up to `change`."""


class EventChange(TypedDict):
    """An event that did not happen, and what it does to the probability."""

    event_type: HypotheticalType
    days_ago: float
    """Days before the question."""
    effect: float
    """Signed probability points; those of all changes add up to `change`."""


class ImpliedChange(TypedDict):
    """A feature that nobody asked to change, and that moves with what was asked."""

    feature: str
    stored: float | None
    becomes: float | None
    """Its value after the changes."""


class WhatIf(TypedDict):
    """How the prediction differs from that for the customer without the changes.

    What can happen is folded into the stored state as an event is: fewer days since the last order are an order of the
    customer's median value, more are a later instant without orders, higher counts are events. Anything else replaces
    the feature; the model is then told the 12 features alone, with the change and without it. What is asked holds: a
    value as stored is a change as well, where another one would move it.
    """

    churn_probability: Probability
    """Without the changes, asked in the same way: with `change` it adds up to that of the prediction."""
    stored_probability: Probability | None
    """Of the customer as stored, where it differs from `churn_probability`."""
    change: float
    """With the changes, less without them."""
    changes: list[FeatureChange | EventChange]
    """What was asked."""
    implied: list[ImpliedChange]
    """What moved with it, of the 12 features."""
    days_later: float
    """The answer is of the customer so many days from now: above 0 where a longer silence is given.

    A silence that follows orders which are given with it begins with them, now.
    """
    surprise: str | None
    """Why the model moves against what one would expect of such a change; null where it does not.

    Answers keep the direction of a longer silence, also after a hypothetical order, failed payments and tickets (up),
    and of later orders (down).
    """


class PredictionAnswer(ExpectedSpend):
    """A prediction for what was sent; it is not stored."""

    customer_id: NotRequired[str | None]
    churn_probability: Probability
    risk_level: RiskLevel
    recommendations: list[str]
    recommended_actions: list[RecommendedAction]
    """The recommendations with their reasons and worth, what answers the strongest reasons first."""
    base_probability: Probability
    """Of the average customer: with the drivers and `other_contributions` it adds up to `churn_probability`."""
    confidence: Probability
    model_version: str
    model_kind: ModelKind
    model_source: ModelSource | None
    probability_interval: ProbabilityInterval | None
    """Where the model knows how certain it is."""
    drivers: list[Driver]
    other_contributions: float
    """Of all features that are no drivers."""
    what_if: NotRequired[WhatIf | None]
    """Where features or events of a stored customer were given."""


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str


class BatchError(TypedDict):
    """In the place of a prediction that could not be made."""

    error: str
    code: int
    errors: list[FieldProblem]
    customer_id: NotRequired[str | None]


class BatchAnswer(TypedDict):
    """A prediction, or an error, for each item, in their order."""

    predictions: list[PredictionAnswer | BatchError]


class EventTaken(TypedDict):
    """What became of one event: accepted events are scored within seconds."""

    status: Literal["accepted", "refused"]
    event_id: str | None
    """The event's id, made from its content where it has none; null for one that was refused."""
    errors: list[FieldProblem]
    """The fields that are wrong."""


class EventsTaken(TypedDict):
    """An answer for each event, in their order."""

    accepted: int
    refused: int
    results: list[EventTaken]


class StoredPrediction(TypedDict):
    """A prediction that was made when an event or the rescoring sweep scored the customer."""

    id: int
    customer_id: str
    churn_probability: float
    risk_level: RiskLevel
    confidence: float
    model_version: str
    model_kind: ModelKind | None
    model_source: ModelSource | None
    created_at: Instant


class PredictionPart(TypedDict):
    """A part of the stored predictions, the newest first."""

    predictions: list[StoredPrediction]
    next_cursor: str | None


class PredictionPage(PredictionPart):
    """Stored predictions, the newest first."""

    total: int
    total_is_lower_bound: bool


# --- sockets


class Ticket(TypedDict):
    """Opens one WebSocket: `?ticket=`."""

    ticket: str
    expires_in: int
    """Seconds."""


class Session(TypedDict):
    """A token for whoever has signed in."""

    token: str
    """For the header `Authorization: Bearer`."""
    expires_in: int
    """Seconds."""
    subject: str
    """The name that actions are kept under."""
    role: str
    """What the token may do: read < predict < act < admin; `write` hands in events and does nothing else."""


class SignedIn(TypedDict):
    """Who asks, as the service reads the token: what it may do, and until when."""

    subject: str
    """The name that actions are kept under."""
    role: str
    """What the token may do: read < predict < act < admin."""
    expires_at: str
    """When the token does, or the API key."""


class ApiDescription(TypedDict):
    """The description of this API: an OpenAPI document."""

    openapi: str
    """The version of the format."""
    info: dict[str, Any]
    """The title and version of the service."""
    servers: list[dict[str, Any]]
    """Where the paths are: below the `url`, which is relative to the address of this document."""
    paths: dict[str, Any]
    """The operations."""
    components: dict[str, Any]
    """The schemas that they share."""


class ProblemDocument(TypedDict):
    """An error (RFC 9457); `error` and `code` repeat it for older clients."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    error: str
    code: int
