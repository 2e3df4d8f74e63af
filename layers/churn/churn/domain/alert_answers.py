"""The types of the answers about alerts, as in `answers`."""

from typing import Literal, NotRequired, TypedDict

from churn.domain.alerts import AlertPriority, AlertStatus
from churn.domain.answers import Instant
from churn.domain.model import ModelSource
from churn.domain.outcomes import Handling, Outcome
from churn.domain.risk import RiskLevel


class WhatChanged(TypedDict):
    """What an action made of an alert: the fields that it changed, with their new values."""

    status: NotRequired[AlertStatus]
    reason: NotRequired[str]
    """Why it was dismissed."""
    assigned_to: NotRequired[str | None]
    snoozed_until: NotRequired[Instant | None]


class AlertAction(TypedDict):
    """What somebody did with an alert."""

    change: int
    """The number of the change."""
    by: str
    """The name in the token of who did it."""
    at: Instant
    changed: WhatChanged
    note: str | None
    """In lists and on sockets its first 200 characters."""


class Alert(TypedDict):
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
    previous_risk_score: float | None
    """Where a risk has risen: the stored probability that it rose from."""
    model_source: ModelSource | None
    """What the model of `risk_score` learned from; null without one, and of alerts from before an upgrade."""
    status: AlertStatus
    timestamp: Instant
    created_at: Instant
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    resolved_at: Instant | None
    resolved_by: str | None
    assigned_to: str | None
    """The name in the token of whoever is to work on it."""
    snoozed_until: Instant | None
    """Until then lists leave it out; they show it again afterwards."""
    raised_at: Instant | None
    """When it was raised to a higher band while it was open."""
    change: int
    """The number of its newest change: raised, worked on, closed. It rises in the order of the changes, and is the
    alert's version: `If-Match` takes it."""
    outcome: Outcome
    """What became of the customer within the horizon: `pending` until it is known, `none` for somebody who was no
    current customer. It is no change of the alert, and gives it no other version."""
    handling: Handling | None
    """What people had made of it when the outcome became known, or until now; null until the night after an upgrade."""
    last_action: AlertAction | None
    """What somebody did last with it."""


class AlertDetail(Alert):
    """An alert with what was done about it."""

    resolution_notes: str | None
    actions: list[AlertAction]
    """Who did what and when, with the notes, the newest first; the newest 200."""


class AlertPart(TypedDict):
    """A part of the alerts, the newest first; with `changes_since` in the order of their changes."""

    alerts: list[Alert]
    next_cursor: str | None


class AlertPage(AlertPart):
    """Alerts, the newest first; with `changes_since` in the order of their changes."""

    total: int
    total_is_lower_bound: bool
    newest_change: int
    """The number of the newest change of any alert: `changes_since` of the next request, once all pages are read."""


class WorkResult(TypedDict):
    """What became of one of several alerts."""

    id: int
    outcome: Literal["changed", "unchanged", "refused"]
    """`unchanged`: it was so already."""
    alert: Alert | None
    """As it is now; null where there is none."""
    error: str | None
    """Why it was refused."""
    code: int | None
    """The status that a request for this alert alone would have had."""


class WorkResults(TypedDict):
    """An outcome for each alert, in their order."""

    changed: int
    refused: int
    results: list[WorkResult]


class Acknowledged(TypedDict):
    """The alert is acknowledged."""

    message: str
    acknowledged_at: Instant


class Resolved(TypedDict):
    """The alert is resolved."""

    message: str
    resolved_at: Instant


class HandledAlerts(TypedDict):
    """Alerts, and what became of their customers."""

    alerts: int
    """All of them."""
    matured: int
    """Those whose outcome is known: what `left` and `left_rate` rest on."""
    left: int | None
    """Those whose customers did not order within the horizon; null where nothing has matured."""
    left_rate: float | None
    """Per cent of the matured ones; null where nothing has matured."""


class AlertFigureLinks(TypedDict):
    """The lists of the alerts that figures count, as paths below the service's address."""

    alerts: str
    matured: str
    left: str


class AlertFigures(HandledAlerts):
    """Alerts, what became of their customers, and the same by what people made of the alerts.

    A matured alert counts by what had been made of it when the outcome became known.
    """

    without_outcome: int
    """Alerts on somebody who was no current customer: there is nobody to leave. They never mature."""
    worked: HandledAlerts
    """Acknowledged, in progress or resolved."""
    dismissed: HandledAlerts
    untouched: HandledAlerts
    """New: nobody has taken care of them."""
    links: AlertFigureLinks


class AlertGroup(AlertFigures):
    """The figures of a kind, of a week, or of a kind in a week."""

    alert_type: str | None
    """Null where the figures are of all kinds."""
    week: str | None
    """The Monday (UTC) of the week that they were raised in; null where the figures are of all weeks."""


class AlertPerformance(TypedDict):
    """What became of the alerts of whole weeks."""

    first_day: str
    """A Monday (UTC)."""
    last_day: str
    """A Sunday, which may lie ahead."""
    horizon_days: int
    """A customer has left who did not order for so many days after the alert; the outcome is known a day later."""
    total: AlertFigures
    groups: list[AlertGroup]
    """The oldest week first; what has no alerts is left out."""


class PreviewedSettings(TypedDict):
    """The settings that were tried: those that were asked for, and else those in force."""

    alerts_a_day: int
    """0: any number."""
    min_value: float
    """The least value at risk of a customer whose risk raises an alert."""
    from_risk: RiskLevel
    """The lowest risk level that raises an alert."""
    medium_risk: float
    """The churn probability from which the risk is medium."""
    high_risk: float
    """The churn probability from which the risk is high."""
    critical_risk: float
    """The churn probability from which the risk is critical."""
    hysteresis: float
    """How far below the start of a risk level the probability must fall for a customer to leave the level."""
    cooldown_hours: float
    """The hours after an alert in which the same risk level raises none."""


class PreviewedDay(TypedDict):
    """The alerts of a day (UTC)."""

    day: str
    alerts: int


class AlertPreview(TypedDict):
    """What settings would have raised of alerts on the risk (`churn_risk`) in thirty days.

    An alert would have stayed open until people closed an alert on that customer's risk.
    """

    date_from: Instant
    date_to: Instant
    settings: PreviewedSettings
    """What was tried."""
    alerts: int
    customers: int
    """Customers with at least one of these alerts."""
    value_at_risk: float
    """What these customers had to lose when their alerts were raised, summed over the alerts."""
    days: list[PreviewedDay]
    """Days with alerts, the oldest first."""
    waiting: int
    """Alerts that would wait at the end: for the cooldown, for value, or for a day with room."""
    matured: int
    """Alerts whose outcome is known, of at most 2,000: what `left` and `left_rate` rest on."""
    left: int | None
    """Those whose customers did not order within the horizon; null where nothing has matured."""
    left_rate: float | None
    """Per cent of the matured ones; null where nothing has matured."""
    share: float
    """The part of the customers that was looked at."""
    is_estimate: bool
    """Whether that was not all of them: all numbers but `matured` and `left` are then reckoned up to all customers."""
    unknown_predictions: int
    """Stored predictions that were left out: a version of before stored them without the value at risk."""
