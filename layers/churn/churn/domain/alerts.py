"""When an alert is raised: a customer's risk enters a band, or an event calls for one at once."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from churn.domain.events import Event
from churn.domain.explanations import is_worth_telling, reason
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
    """An alert to be raised for a customer; the store gives it its id.

    `risk_before` is set where a risk rose; `model_version` is that of `risk_score`.
    """

    alert_type: str
    priority: AlertPriority
    title: str
    message: str
    reason: str
    risk_score: float | None
    risk_before: float | None = None
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The settings of alerts on risk.

    From `from_level` on alerts are raised; a band is left only `hysteresis` below its entry; after an alert the same
    band raises none for `cooldown`. `on_return`: whether a lapsed customer who orders again raises an alert. At most
    `a_day` new alerts are raised on a day, 0 for any number, and none for a customer whose value at risk is below
    `min_value`.

    Raises ValueError for a hysteresis that does not fit the bands.
    """

    bands: RiskBands = field(default_factory=RiskBands)
    from_level: RiskLevel = "high"
    hysteresis: float = 0.05
    cooldown: timedelta = timedelta(hours=24)
    on_return: bool = False
    a_day: int = 0
    min_value: float = 0

    def __post_init__(self) -> None:
        if self.hysteresis >= self.bands.medium:
            raise ValueError(f"must be below medium_risk, {self.bands.medium:g}, or nobody would ever leave the level")
        narrowest = min(self.bands.high - self.bands.medium, self.bands.critical - self.bands.high)
        # 0.8 - 0.6 and 0.6 - 0.4 are not quite the same.
        if self.hysteresis > narrowest + 1e-9:
            raise ValueError(
                f"must not be wider than the narrowest risk level, {narrowest:g}, or a level would be left where the "
                "one below it has begun to end"
            )


@dataclass(frozen=True, slots=True)
class Score:
    """A churn probability: by which version, as of when, and whether the customer was active then."""

    probability: float
    version: str
    is_active: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Measure:
    """What a rise is measured against: a probability that was stored while the customer was active, and its version."""

    probability: float
    version: str


@dataclass(frozen=True, slots=True)
class RiskState:
    """What is kept of a customer's risk between two scores.

    A rise is measured against what lies at an earlier instant: however the events of one instant are split into
    batches, each of them is compared with the same level and the same stored score.
    """

    level: RiskLevel | None = None
    """The level that the customer is in."""
    level_before: RiskLevel | None = None
    """The level before the instant of the newest score."""
    scored_at: datetime | None = None
    stored: Score | None = None
    """The newest score that was stored as a prediction."""
    earlier: Measure | None = None
    """The one stored before the instant of `stored`, if the customer was active then."""
    alerted_level: RiskLevel | None = None
    alerted_at: datetime | None = None
    """The newest alert on the risk that was told, or raised."""
    pending_level: RiskLevel | None = None
    pending_from: float | None = None
    """The level of a rise that the cooldown held back, and the stored probability that it rose from."""

    def with_stored(self, score: Score) -> "RiskState":
        """Return the state after a score was stored as a prediction."""
        return replace(self, stored=score, earlier=self._before(score.at))

    def told(self, level: RiskLevel, at: datetime) -> "RiskState":
        """Return the state after an alert on a level was told; nothing is pending any more."""
        return replace(self, alerted_level=level, alerted_at=at, pending_level=None, pending_from=None)

    def with_pending(self, rise: "Rise | None") -> "RiskState":
        """Return the state with a rise that is to be told later, if it is still true then; None for no such rise."""
        if rise is None:
            is_settled = self.pending_level is None and self.pending_from is None
            return self if is_settled else replace(self, pending_level=None, pending_from=None)
        return replace(self, pending_level=rise.level, pending_from=rise.risk_before)

    def is_cooling(self, level: RiskLevel, rules: AlertRules, at: datetime) -> bool:
        """Return whether the newest alert on this level, or on a higher one, is too recent for another."""
        if self.alerted_at is None or self.alerted_level is None:
            return False
        return not is_above(level, self.alerted_level) and at < self.alerted_at + rules.cooldown

    def weighed(self, score: Score, rules: AlertRules) -> "tuple[RiskState, Rise | None]":
        """Return the state after a score, and the rise that is to be told of: a new one, or else one held back."""
        is_later = self.scored_at is None or score.at > self.scored_at
        before = self.level if is_later else self.level_before
        if not score.is_active:
            settled = replace(self, level=None, level_before=before, scored_at=score.at)
            return settled.with_pending(None), None
        measure = self._before(score.at)
        if measure is None or measure.version != score.version:
            # The first score, after lapsing, or by this version: nothing to compare it with.
            level = rules.bands.level(score.probability)
            rebased = replace(self, level=level, level_before=before, scored_at=score.at)
            return rebased.with_pending(None), None
        level = _level(score.probability, before, rules)
        state = replace(self, level=level, level_before=before, scored_at=score.at)
        if before is not None and is_above(level, before):
            rises = score.probability > measure.probability and not is_above(rules.from_level, level)
            return state, Rise(level, measure.probability) if rises else None
        if state.pending_level is None or state.pending_from is None:
            return state, None
        if is_above(state.pending_level, level) or score.probability <= state.pending_from:
            return state.with_pending(None), None
        return state, Rise(level, state.pending_from)

    def has_moved(self, before: "RiskState") -> bool:
        """Return whether the level, or what is pending, is another than before."""
        return (self.level, self.pending_level, self.pending_from) != (
            before.level,
            before.pending_level,
            before.pending_from,
        )

    def is_noteworthy(self, score: Score, least: float) -> bool:
        """Return whether a score tells something that the newest stored one does not."""
        stored = self.stored
        return (
            stored is None
            or (stored.version, stored.is_active) != (score.version, score.is_active)
            or abs(score.probability - stored.probability) >= least
        )

    def _before(self, at: datetime) -> Measure | None:
        """Return what a score as of an instant is measured against, None if there is nothing."""
        stored = self.stored
        if stored is None or stored.at >= at:
            return self.earlier
        return Measure(stored.probability, stored.version) if stored.is_active else None


@dataclass(frozen=True, slots=True)
class Rise:
    """A risk that has entered a level from below, and the stored probability that it rose from."""

    level: RiskLevel
    risk_before: float


Decision = Literal["told", "waits", "raised", "new"]
"""What becomes of a rise: the open alert tells it already, it is held back, it raises the open alert, or it is new."""


def decide(
    state: RiskState,
    rise: Rise,
    at: datetime,
    rules: AlertRules,
    *,
    open_priority: AlertPriority | None,
    value: float,
    has_room: bool,
) -> tuple[RiskState, Decision]:
    """Return what becomes of a rise as of an instant, and the risk state after it.

    `open_priority`: of the customer's open alert on the risk; `value`: what is at risk; `has_room`: whether another
    alert may be raised on this day.
    """
    if open_priority is not None:
        if not is_more_pressing(priority_of(rise.level), open_priority):
            return state.with_pending(None), "told"
        return state.told(rise.level, at), "raised"
    if state.is_cooling(rise.level, rules, at) or value < rules.min_value or not has_room:
        return state.with_pending(rise), "waits"
    return state.told(rise.level, at), "new"


def priority_of(level: RiskLevel) -> AlertPriority:
    """Return the priority of an alert on a risk of a level."""
    return _PRIORITY_OF_LEVEL[level]


def is_above(level: RiskLevel, other: RiskLevel) -> bool:
    """Return whether a risk level is higher than another."""
    return RISK_LEVELS.index(level) > RISK_LEVELS.index(other)


def is_more_pressing(priority: AlertPriority, other: AlertPriority) -> bool:
    """Return whether a priority is higher than another."""
    return ALERT_PRIORITIES.index(priority) > ALERT_PRIORITIES.index(other)


def _level(probability: float, before: RiskLevel | None, rules: AlertRules) -> RiskLevel:
    level = rules.bands.level(probability)
    if before is None or not is_above(before, level):
        return level
    # The level falls to the highest one whose entry, less the hysteresis, is still reached.
    return next(
        candidate
        for candidate in reversed(RISK_LEVELS[: RISK_LEVELS.index(before) + 1])
        if probability >= rules.bands.entry(candidate) - rules.hysteresis
    )


def _from_to(before: float, after: float) -> str:
    """Return two shares in per cent, with as many digits as tell them apart."""
    digits = 0 if f"{before:.0%}" != f"{after:.0%}" else 1
    return f"{before:.{digits}%} to {after:.{digits}%}"


def risk_alert(name: str, rise: Rise, prediction: Prediction, features: Features) -> NewAlert:
    """Return the alert for a customer, shown as `name`, whose risk has risen."""
    strongest = max(prediction.contributions.items(), key=lambda item: item[1], default=None)
    cause = "No single cause stands out."
    if strongest is not None and strongest[0] in features and is_worth_telling(strongest[1]):
        cause = reason(strongest[0], features[strongest[0]], strongest[1])
    return NewAlert(
        CHURN_RISK,
        priority_of(rise.level),
        f"{rise.level.capitalize()} churn risk: {name}",
        f"The risk that {name} will leave has risen from {_from_to(rise.risk_before, prediction.churn_probability)}.",
        cause,
        prediction.churn_probability,
        rise.risk_before,
    )


def return_alert(name: str, probability: float, features: Features) -> NewAlert:
    """Return the alert for a lapsed customer, shown as `name`, who has ordered again."""
    return NewAlert(
        "customer_returned",
        "low",
        f"Customer returned: {name}",
        f"{name} has ordered again after having lapsed.",
        reason("days_since_last_order", features["days_since_last_order"], 0),
        probability,
    )


def immediate_alert(event: Event, name: str, probability: float | None, now: datetime) -> NewAlert | None:
    """Return the alert that an event calls for by itself; None if it calls for none or came too late to act on."""
    if event.timestamp < now - IMMEDIATE_ALERT_MAX_AGE:
        return None
    data = event.data

    def told(field: str) -> str:
        return " ".join(str(data.get(field) or "").replace("_", " ").split())[:255]

    order = "" if event.order_id == event.event_id else f" of order {event.order_id}"
    match event.event_type:
        case "payment_failed":
            given = told("failure_reason")
            return NewAlert(
                "payment_failure",
                "high",
                f"Payment failed: {name}",
                f"A payment{order} by {name} failed.",
                f"The reason given is: {given}." if given else "No reason was given.",
                probability,
            )
        case "subscription_cancelled":
            return NewAlert(
                "subscription_cancelled",
                "high",
                f"Subscription cancelled: {name}",
                f"{name} has cancelled the subscription.",
                "A cancelled subscription often comes before a customer leaves.",
                probability,
            )
        case "support_ticket_created" if str(data.get("priority")).lower() in _PRESSING_TICKETS:
            category = told("category")
            return NewAlert(
                "support_escalation",
                "medium",
                f"Pressing support ticket: {name}",
                f"{name} has opened a support ticket of high priority.",
                f"The ticket is about: {category}." if category else "The ticket asks for a quick answer.",
                probability,
            )
        case "refund_requested":
            return NewAlert(
                "refund_requested",
                "medium",
                f"Refund requested: {name}",
                f"{name} asks for a refund{order}.",
                "A refund that is settled quickly can keep a customer.",
                probability,
            )
    return None
