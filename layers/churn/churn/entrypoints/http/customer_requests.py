"""What goes into the routes about customers, as in `requests`: the filters of lists and segments, and the queries."""

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from churn.domain.customer_record import CUSTOMER_FIELDS, CustomerSort, SortOrder
from churn.domain.identifiers import MAX_ID_LENGTH
from churn.domain.risk import ACTIVE_STATUSES, CURRENT, CUSTOMER_STATUSES, CustomerStatus
from churn.domain.timeline import TIMELINE_KINDS, TimelineKind
from churn.entrypoints.http.requests import (
    Count,
    Cursor,
    Day,
    Days,
    From,
    Limit,
    Money,
    Note,
    Number,
    Offset,
    Request,
    RiskLevels,
    Share,
    Text,
    Until,
    choice,
    described,
    number_of_query,
)

TimelineKinds = Annotated[tuple[TimelineKind, ...], choice(TIMELINE_KINDS, {}), described(TIMELINE_KINDS)]
Statuses = Annotated[
    tuple[CustomerStatus, ...],
    choice(CUSTOMER_STATUSES, {CURRENT: ACTIVE_STATUSES}),
    described(CUSTOMER_STATUSES, CURRENT),
]


CustomerFields = Annotated[tuple[str, ...], choice(CUSTOMER_FIELDS, {}), described(CUSTOMER_FIELDS)]


Ratio = Annotated[float, Field(ge=0, le=1e6), BeforeValidator(number_of_query)]


BOUNDED = (
    "churn_probability", "value_at_risk", "total_spent", "total_orders", "days_since_last_order", "account_age_days",
    "days_at_risk", "days_since_return",
)  # fmt: skip
"""What lists of customers can be bounded by: fields of a customer."""


class CustomerFilters(Request):
    """Which customers: in the query of a list, and in a segment."""

    repeatable = frozenset({"risk_level", "status"})

    risk_level: RiskLevels | None = None
    """One or more, repeated or with commas between them."""
    status: Statuses | None = None
    """One or more, repeated or with commas between them; `current` stands for new, active and at_risk."""
    lapsed_since: From | None = None
    """Customers whose last order became too old for a current customer after this instant."""
    lapsed_until: Until | None = None
    """And not after this one. A day without a time of day is included whole."""
    first_order_from: Day | None = None
    """Customers whose first order, of those that stand and have a value, is of this day (UTC) or later."""
    first_order_to: Day | None = None
    """And of this day or earlier."""
    ordered_again_from: Day | None = None
    """Customers who ordered on this day (UTC) or later, on another day than that of their first order.

    With the fields of the first order it lists who a cell of `GET /api/retention` counts.
    """
    ordered_again_to: Day | None = None
    """And on this day or earlier."""
    search: Text | None = None
    """The beginning of a word of name, e-mail or id; of several words, each."""
    has_open_alert: bool | None = None
    """Whether there is an alert that nobody has dealt with yet.

    With this, `changed_since`, `segment`, or a field that begins with `min_`, `max_`, `lapsed_`, `first_order_` or
    `ordered_again_`, a page may have fewer customers than `limit`, even none, and go on all the same: `next_cursor` is
    null at the end. `offset` is refused, and `total` may be a lower bound, except with fields of `lapsed_` alone.
    """
    changed_since: From | None = None
    """Customers whose newest stored prediction is of this instant or later: new events, or another risk than before.

    `sort=risk_change_7d` tells whose risk rose most.
    """
    min_churn_probability: Share | None = None
    max_churn_probability: Share | None = None
    min_value_at_risk: Money | None = None
    max_value_at_risk: Money | None = None
    min_value_ratio: Ratio | None = None
    """The least value at risk as a multiple of the mean of the current customers who are scored."""
    min_total_spent: Money | None = None
    max_total_spent: Money | None = None
    min_total_orders: Count | None = None
    max_total_orders: Count | None = None
    min_days_since_last_order: Days | None = None
    max_days_since_last_order: Days | None = None
    min_account_age_days: Days | None = None
    max_account_age_days: Days | None = None
    min_days_at_risk: Days | None = None
    max_days_at_risk: Days | None = None
    """`max_days_at_risk=7`: whose status became at_risk this week."""
    min_days_since_return: Days | None = None
    max_days_since_return: Days | None = None
    """`max_days_since_return=30`: who had lapsed and ordered again within the last 30 days."""

    @field_validator(*(f"max_{name}" for name in BOUNDED))
    @classmethod
    def _is_not_below_the_least(cls, most: float | None, info: ValidationInfo) -> float | None:
        least = info.data.get(f"min_{str(info.field_name).removeprefix('max_')}")
        if most is not None and least is not None and most < least:
            raise ValueError(f"must not be below min_{str(info.field_name).removeprefix('max_')}")
        return most

    @field_validator("first_order_to", "ordered_again_to")
    @classmethod
    def _is_not_before_the_first_day(cls, last: date | None, info: ValidationInfo) -> date | None:
        name = f"{str(info.field_name).removesuffix('_to')}_from"
        first = info.data.get(name)
        if last is not None and first is not None and last < first:
            raise ValueError(f"must not be before {name}")
        return last


class CustomerList(CustomerFilters):
    """Which customers, and in what order."""

    segment: Text | None = None
    """The id or the name of a segment: only its customers, of whom the other fields choose further."""
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it, with the same sort and order."""
    sort: CustomerSort = "churn_probability"
    order: SortOrder = "desc"


class CustomersQuery(CustomerList):
    """Which customers, in what order, and what of them."""

    repeatable = CustomerFilters.repeatable | {"fields"}

    fields: CustomerFields | None = None
    """Only these fields of each customer, repeated or with commas between them: a smaller answer, and a quicker one
    without features and recommendations. All without it."""


class CustomersExport(CustomerList):
    """Which customers of a file, and in what order."""

    limit: Limit = 500


class EventsQuery(Request):
    """Which events."""

    limit: Limit = 50
    event_type: Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)] | None = None
    date_from: From | None = None
    date_to: Until | None = None
    """A day without a time of day is included whole."""


class AsOfQuery(Request):
    """As of when."""

    as_of: From | None = None
    """What was known and said at this instant, in place of now; what nothing stored tells of then is null."""


class TimelineQuery(Request):
    """Which part of a customer's story."""

    repeatable = frozenset({"kind"})

    limit: Limit = 50
    kind: TimelineKinds | None = None
    """One or more, repeated or with commas between them."""
    date_from: From | None = None
    date_to: Until | None = None
    """A day without a time of day is included whole."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""


class NotesQuery(Request):
    """Which notes about a customer."""

    limit: Limit = 50
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""


class NewNote(Request):
    """What is worth knowing about a customer."""

    note: Note


class RiskQuery(Request):
    """Which stored predictions of a customer."""

    limit: Limit = 50
    date_from: From | None = None
    date_to: Until | None = None
    """A day without a time of day is included whole."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""
    compare_from: Number | None = None
    """The id of a stored prediction of the customer: `comparison` tells what changed the risk from it on."""
    compare_to: Number | None = None
    """And up to which one; the newest by default."""

    @field_validator("compare_to")
    @classmethod
    def _has_a_beginning(cls, last: int | None, info: ValidationInfo) -> int | None:
        if last is not None and info.data.get("compare_from", last) is None:
            raise ValueError("needs compare_from")
        return last


class HandOverQuery(Request):
    """Which part of what is stored."""

    cursor: Cursor | None = None
    """`next_cursor` of the part before; goes on after it."""
