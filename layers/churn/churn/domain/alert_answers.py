"""The types of the answers about alerts, as in `answers`."""

from typing import Literal, NotRequired, TypedDict

from churn.domain.alerts import AlertPriority, AlertStatus
from churn.domain.answers import Instant


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
    last_action: AlertAction | None
    """What somebody did last with it."""


class AlertDetail(Alert):
    """An alert with what was done about it."""

    resolution_notes: str | None
    actions: list[AlertAction]
    """Who did what and when, with the notes, the newest first; the newest 200."""


class AlertPage(TypedDict):
    """Alerts, the newest first; with `changes_since` in the order of their changes."""

    alerts: list[Alert]
    total: int
    next_cursor: str | None
    newest_change: int
    """The number of the newest change of any alert: `changes_since` of the next request, once all pages are read."""


class AlertOutcome(TypedDict):
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


class AlertOutcomes(TypedDict):
    """An outcome for each alert, in their order."""

    changed: int
    refused: int
    results: list[AlertOutcome]


class Acknowledged(TypedDict):
    """The alert is acknowledged."""

    message: str
    acknowledged_at: Instant


class Resolved(TypedDict):
    """The alert is resolved."""

    message: str
    resolved_at: Instant
