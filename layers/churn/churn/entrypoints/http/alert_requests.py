"""What goes into the routes about alerts, as in `requests`."""

from datetime import datetime
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from churn.domain.alerts import AlertPriority, AlertStatus
from churn.domain.outcomes import OUTCOMES, Handling, Outcome, PerformanceGroup
from churn.domain.risk import RiskLevel
from churn.domain.timestamps import parse_timestamp
from churn.domain.values import line_of_text
from churn.entrypoints.http.requests import (
    Change,
    Cursor,
    CustomerId,
    From,
    Limit,
    LimitOfLong,
    Money,
    Note,
    Notes,
    Reason,
    Request,
    Share,
    Since,
    Until,
    choice,
    described,
    number_of_query,
    whole_number,
)

MAX_ALERTS = 500
MAX_SUBJECT = 255
# Null is a value for these: nobody, and no snooze.
_CLEARED_BY_NULL = frozenset({"assigned_to", "snoozed_until"})

Outcomes = Annotated[tuple[Outcome, ...], choice(OUTCOMES, {}), described(OUTCOMES)]
PerformanceGroups = Annotated[
    tuple[PerformanceGroup, ...], choice(get_args(PerformanceGroup), {}), described(get_args(PerformanceGroup))
]
AlertKind = Annotated[str, Field(pattern="^[a-z_]{1,64}$")]
AlertStatuses = Annotated[tuple[AlertStatus, ...], choice(get_args(AlertStatus), {}), described(get_args(AlertStatus))]
Person = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_SUBJECT), AfterValidator(line_of_text)]
Moment = Annotated[
    datetime, BeforeValidator(parse_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})
]
AlertNumber = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


class AlertsQuery(Request):
    """Which alerts."""

    repeatable = frozenset({"status", "outcome"})

    limit: Limit = 20
    status: AlertStatuses | None = None
    """One or more, repeated or with commas between them."""
    customer_id: CustomerId | None = None
    assigned_to: Person | None = None
    """The name of a person; `me` stands for whoever asks."""
    snoozed: Literal["false", "true", "only"] | None = None
    """Whether snoozed alerts come too; `only`: these alone. By default they do with `changes_since` alone."""
    priority: AlertPriority | None = None
    alert_type: AlertKind | None = None
    """A kind of alert, such as `churn_risk`."""
    outcome: Outcomes | None = None
    """One or more: what became of the customer within the horizon."""
    handling: Handling | None = None
    """What people had made of the alert when its outcome became known, or until now."""
    since: Since | None = None
    """The id of an alert, or a time: only what came after it."""
    changes_since: Change | None = None
    """The number of a change: each alert that has changed since, once, as it is now, in the order of the changes."""
    created_from: From | None = None
    created_to: Until | None = None
    """A day without a time of day is included whole."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""


class AlertsExport(AlertsQuery):
    """Which alerts of a file."""

    limit: LimitOfLong = 200


class AlertWork(Request):
    """What is done with an alert: at least one of these fields, but for `reason`. What is not named stays as it is."""

    status: AlertStatus | None = None
    """`in_progress`, `acknowledged`, `resolved`, `dismissed`, or back to `new`."""
    reason: Reason | None = Field(default=None, validate_default=True)
    """Why it is dismissed: needed with that status, and for that alone."""
    assigned_to: Person | None = None
    """Who is to work on it, by the name in their token; `me` for whoever asks, null for nobody any more."""
    snoozed_until: Moment | None = None
    """Until when lists leave the alert out; null shows it again."""
    note: Note | None = None
    """What is worth knowing. With the status `resolved` it tells how the alert was dealt with."""

    @field_validator("reason")
    @classmethod
    def _dismissing_has_a_reason(cls, reason: str | None, info: ValidationInfo) -> str | None:
        if (reason is not None) != (info.data.get("status") == "dismissed"):
            raise ValueError("is needed with the status dismissed, and with that alone")
        return reason

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.status is None and self.note is None and self.model_fields_set.isdisjoint(_CLEARED_BY_NULL):
            raise ValueError("give one or more of status, assigned_to, snoozed_until and note")
        return self


class AlertsWork(AlertWork):
    """The same work on up to 500 alerts."""

    ids: Annotated[list[AlertNumber], Field(min_length=1, max_length=MAX_ALERTS)]
    """The ids of the alerts."""
    versions: list[Annotated[int, Field(strict=True, ge=0, lt=2**63)] | None] | None = None
    """The `change` of each alert as it was read, in the order of `ids`; null for one that may be of any version."""

    @field_validator("versions")
    @classmethod
    def _of_each_alert(cls, versions: list[int | None] | None, info: ValidationInfo) -> list[int | None] | None:
        if versions is not None and len(versions) != len(info.data.get("ids", versions)):
            raise ValueError("needs a version for each of ids")
        return versions

    def version_of(self) -> dict[int, frozenset[int]]:
        """Return of which version an alert must be, by the ids of those that may not be of any."""
        pairs = zip(self.ids, self.versions or (), strict=False)
        return {number: frozenset({version}) for number, version in pairs if version is not None}


class Resolution(Request):
    """How an alert was dealt with."""

    resolution_notes: Notes | None = None


class PerformanceQuery(Request):
    """Which weeks, and by what."""

    repeatable = frozenset({"by"})

    by: PerformanceGroups = ("kind", "week")
    """`kind`, `week`, or both, repeated or with a comma between them."""
    date_from: From | None = None
    """A day of the first week; without it, half a year before the last."""
    date_to: Until | None = None
    """A day of the last week; without it, the present one. At most 106 weeks."""


class PreviewQuery(Request):
    """Settings to be tried. What is left out is as it is set."""

    alerts_a_day: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole_number)] | None = None
    """The most alerts of a day, the most valuable first; 0 for any number."""
    min_value: Money | None = None
    """The least value at risk of a customer whose risk raises an alert."""
    from_risk: RiskLevel | None = None
    """The lowest risk level that raises an alert."""
    medium_risk: Share | None = None
    """The churn probability from which the risk is medium."""
    high_risk: Share | None = None
    """The churn probability from which the risk is high."""
    critical_risk: Share | None = None
    """The churn probability from which the risk is critical."""
    hysteresis: Share | None = None
    """How far below the start of a risk level the probability must fall for a customer to leave the level."""
    cooldown_hours: Annotated[float, Field(ge=0, le=8760), BeforeValidator(number_of_query)] | None = None
    """The hours after an alert in which the same risk level raises none."""
    date_to: Until | None = None
    """The end of the thirty days: an earlier one has outcomes. A day without a time of day is included whole."""
