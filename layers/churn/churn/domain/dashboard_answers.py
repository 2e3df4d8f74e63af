"""The types of the dashboard's answers, as `churn.domain.answers` has the others: nothing imports them at run time."""

from typing import Literal, TypedDict

from churn.domain.alert_answers import Alert, AlertFigures
from churn.domain.answers import Instant, StoredPrediction
from churn.domain.dashboard import Granularity, Period
from churn.domain.model import ModelSource

AccuracyBasis = Literal["matured_outcomes", "held_out_window"]


class RiskDistribution(TypedDict):
    """Active customers by risk level."""

    low: int
    medium: int
    high: int
    critical: int


class RiskDistributionLinks(TypedDict):
    """The lists of the active customers of each risk level."""

    low: str
    medium: str
    high: str
    critical: str


class FigureLinks(TypedDict):
    """What each figure counts or sums, as a path below the service's address.

    The `total` of the list is the figure that counts; a sum or an average is that of what the listed customers show.
    """

    total_customers: str
    churn_rate: str
    """Who has lapsed: `churned_customers`."""
    high_risk_customers: str
    revenue_at_risk: str
    alerts_today: str
    resolved_alerts: str
    model_accuracy: str | None
    """The report of the version, or the version with what came of its predictions."""
    last_model_update: str | None
    risk_distribution: RiskDistributionLinks
    average_churn_probability: str


class Stats(TypedDict):
    """The dashboard's figures."""

    total_customers: int
    churn_rate: float | None
    """Per cent of the customers active 30 days ago who have left since; null while that is not known."""
    churned_customers: int
    """Those who have lapsed since and have not come back."""
    active_customers_before: int | None
    """Those who were active 30 days ago."""
    high_risk_customers: int
    """Active customers whose risk is high or critical."""
    revenue_at_risk: float | None
    """`value_at_risk` summed over the current customers of whom it is known; null if it is of none."""
    currency: str
    """Of all sums of money (ISO 4217): the setting `CURRENCY`."""
    alerts_today: int
    """Alerts raised on this day (UTC)."""
    resolved_alerts: int
    alert_outcomes: AlertFigures | None
    """What became of the alerts of the newest four weeks with outcomes; null while no outcome is known."""
    model_accuracy: float | None
    """Per cent of the customers who were on the right side of 0.5."""
    model_accuracy_basis: AccuracyBasis | None
    """The predictions of the newest four weeks whose outcomes are known, or the test of the model while none is."""
    last_model_update: Instant | None
    """Since when the version that answers now does so: its promotion, or the roll-back to it, as `/health` tells it.

    `model_accuracy` and `model_source` are of the same version; the other figures are of the scores that are stored.
    """
    model_source: ModelSource | None
    risk_distribution: RiskDistribution
    average_churn_probability: float | None
    """Of the current customers; null while nobody is scored."""
    links: FigureLinks
    generated_at: Instant


class RecentActivity(TypedDict):
    """The newest alerts and predictions, for the dashboard on a WebSocket."""

    alerts: list[Alert]
    predictions: list[StoredPrediction]


class DashboardData(TypedDict):
    """What the dashboard asks for on a WebSocket."""

    stats: Stats
    recent_activity: RecentActivity


class Trend(TypedDict):
    """The figures of one hour, day, week or month."""

    date: str
    churn_rate: float | None
    """Per cent of the customers active 30 days before who had left by then.

    Who lapsed and came back had not left. Null where it is not known how many were active, or nobody was.
    """
    high_risk_customers: int | None
    """Null where the service did not run."""
    new_customers: int
    churned_customers: int
    """Who lapsed in this time, whether they came back or not."""


class Trends(TypedDict):
    """The figures over time, the oldest first."""

    trends: list[Trend]
    period: Period
    granularity: Granularity
