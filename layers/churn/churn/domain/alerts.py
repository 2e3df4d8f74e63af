"""When an alert is raised: a customer's risk enters a band, or an event calls for one at once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from churn.domain.events import Event
from churn.domain.features import Features
from churn.domain.model import Prediction
from churn.domain.risk import RISK_LEVELS, RiskBands, RiskLevel

AlertPriority = Literal["low", "medium", "high", "urgent"]
ALERT_PRIORITIES: tuple[AlertPriority, ...] = get_args(AlertPriority)
"""From the weakest to the strongest."""

AlertStatus = Literal["new", "acknowledged", "in_progress", "resolved", "dismissed"]
CHURN_RISK = "churn_risk"

# An event that comes later than this is history: nobody can act on it any more.
IMMEDIATE_ALERT_MAX_AGE = timedelta(days=7)

_PRIORITY_OF_LEVEL: dict[RiskLevel, AlertPriority] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "critical": "urgent",
}
_PRESSING_TICKETS = frozenset({"high", "urgent", "critical"})


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert to be raised for a customer; the store gives it its id."""

    alert_type: str
    priority: AlertPriority
    title: str
    message: str
    reason: str
    risk_score: float | None


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The settings of alerts on risk.

    From `from_level` on alerts are raised; a band is left only `hysteresis` below its entry; after an alert the same
    band raises none for `cooldown`.
    """

    bands: RiskBands = field(default_factory=RiskBands)
    from_level: RiskLevel = "high"
    hysteresis: float = 0.05
    cooldown: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RiskState:
    """What is kept of a customer's risk between two scores: the level it is in, and the newest alert on it."""

    level: RiskLevel | None = None
    alerted_level: RiskLevel | None = None
    alerted_at: datetime | None = None


def update_risk_state(state: RiskState, probability: float, rules: AlertRules, now: datetime) -> tuple[RiskState, bool]:
    """Return the state after one more score, and whether it raises an alert: it enters a band from below."""
    level = rules.bands.level(probability)
    before = state.level
    if before is not None and RISK_LEVELS.index(level) < RISK_LEVELS.index(before):
        # The level falls to the highest one whose entry, less the hysteresis, is still reached.
        level = next(
            candidate
            for candidate in reversed(RISK_LEVELS[: RISK_LEVELS.index(before) + 1])
            if probability >= rules.bands.entry(candidate) - rules.hysteresis
        )
    entered = before is None or RISK_LEVELS.index(level) > RISK_LEVELS.index(before)
    raised = (
        entered
        and RISK_LEVELS.index(level) >= RISK_LEVELS.index(rules.from_level)
        and not _cooling(state, level, rules, now)
    )
    if raised:
        return RiskState(level, level, now), True
    return RiskState(level, state.alerted_level, state.alerted_at), False


def _cooling(state: RiskState, level: RiskLevel, rules: AlertRules, now: datetime) -> bool:
    if state.alerted_at is None or state.alerted_level is None:
        return False
    worse = RISK_LEVELS.index(level) > RISK_LEVELS.index(state.alerted_level)
    return not worse and now < state.alerted_at + rules.cooldown


def risk_alert(name: str, level: RiskLevel, prediction: Prediction, features: Features) -> NewAlert:
    """Return the alert for a customer, shown as `name`, whose risk has entered `level`."""
    recency = features["days_since_last_order"]
    since = "" if recency is None else f", last order {recency:.0f} days ago"
    cause = max(prediction.contributions, key=lambda feature: prediction.contributions[feature], default="")
    return NewAlert(
        CHURN_RISK,
        _PRIORITY_OF_LEVEL[level],
        f"{level.capitalize()} churn risk: {name}",
        f"{name} will leave with a probability of {prediction.churn_probability:.0%}{since}.",
        f"risk entered {level}" + (f"; strongest driver {cause}" if cause else ""),
        prediction.churn_probability,
    )


def immediate_alert(event: Event, name: str, probability: float | None, now: datetime) -> NewAlert | None:
    """Return the alert that an event calls for by itself; None if it calls for none or came too late to act on."""
    if event.timestamp < now - IMMEDIATE_ALERT_MAX_AGE:
        return None
    data = event.data
    order = f" of order {data['order_id']}" if data.get("order_id") else ""
    match event.event_type:
        case "payment_failed":
            cause = str(data.get("failure_reason") or "no reason given")
            return NewAlert(
                "payment_failure",
                "high",
                f"Payment failed: {name}",
                f"A payment{order} by {name} failed.",
                cause[:255],
                probability,
            )
        case "subscription_cancelled":
            return NewAlert(
                "subscription_cancelled",
                "high",
                f"Subscription cancelled: {name}",
                f"{name} has cancelled the subscription.",
                "subscription_cancelled",
                probability,
            )
        case "support_ticket_created" if str(data.get("priority")).lower() in _PRESSING_TICKETS:
            category = str(data.get("category") or "support")
            return NewAlert(
                "support_escalation",
                "medium",
                f"Pressing support ticket: {name}",
                f"{name} has opened a support ticket of high priority ({category[:64]}).",
                f"ticket {data.get('ticket_id') or ''}".strip()[:255],
                probability,
            )
        case "refund_requested":
            return NewAlert(
                "refund_requested",
                "medium",
                f"Refund requested: {name}",
                f"{name} asks for a refund{order}.",
                "refund_requested",
                probability,
            )
    return None
