"""What goes into every route, typed once: requests are checked with these, and the API is described with them."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    create_model,
    field_validator,
)
from pydantic_core import PydanticCustomError

from churn.domain.api_keys import LONGEST_DAYS, MAX_NAME_LENGTH
from churn.domain.audit import AuditAction
from churn.domain.features import FEATURES
from churn.domain.hypotheses import MOST_EVENTS, HypotheticalType
from churn.domain.identifiers import MAX_ID_LENGTH, as_sent, identifier
from churn.domain.risk import RISK_LEVELS, RiskLevel
from churn.domain.roles import Role
from churn.domain.timestamps import parse_day, parse_end, parse_timestamp
from churn.domain.values import MAX_AMOUNT, MAX_SUM, line_of_text, some_text
from churn.services.presentation import parse_change, parse_since

MAX_OFFSET = 10_000
MAX_BATCH = 1000
MAX_EVENTS = 500
MAX_NOTES = 4000
MAX_NOTE_BYTES = 12_000
"""A longer note would make a statement of 16 KB, which pins a session of RDS Proxy."""


class Model(BaseModel):
    """A bare JSON object."""

    # The docstrings of fields are read where the API is described: a function's start is spared that.
    model_config = ConfigDict(defer_build=True, protected_namespaces=())

    # The fields of a query that may be given more than once, which is the same as commas between the values.
    repeatable: ClassVar[frozenset[str]] = frozenset()


class Request(Model):
    """What a client sends: unknown fields are rejected instead of ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def whole_number(text: object) -> object:
    """Return a value of a query that may be a whole number. Raises ValueError with a sentence for the client."""
    # int() of Python takes underscores, spaces and other scripts' digits, which are invalid in a query.
    if isinstance(text, bool) or (isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) <= 9)):
        raise ValueError("must be a whole number")
    return text


def _long(text: object) -> object:
    if isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("must be a whole number")
    return text


_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)


def number_of_query(text: object) -> object:
    """Return a number of a body, or the text of one in a query. Raises ValueError for what is none."""
    if isinstance(text, bool) or (isinstance(text, str) and not _NUMBER.fullmatch(text)):
        raise ValueError("must be a number such as 12.5")
    return text


From = Annotated[
    datetime, BeforeValidator(parse_timestamp), WithJsonSchema({"type": "string", "examples": ["2026-01-31"]})
]
Until = Annotated[
    datetime, BeforeValidator(parse_end), WithJsonSchema({"type": "string", "examples": ["2026-02-28T12:00:00Z"]})
]
Day = Annotated[date, BeforeValidator(parse_day), WithJsonSchema({"type": "string", "format": "date"})]
Limit = Annotated[int, Field(ge=1, le=500), BeforeValidator(whole_number)]
# Of longer lines: a part of a file stays below the 6 MB that a function may answer with, whatever is written in them.
LimitOfLong = Annotated[int, Field(ge=1, le=200), BeforeValidator(whole_number)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET), BeforeValidator(whole_number)]
Change = Annotated[int, BeforeValidator(parse_change), WithJsonSchema({"type": "integer", "minimum": 0})]
Since = Annotated[int | datetime, BeforeValidator(parse_since), WithJsonSchema({"type": "string", "examples": ["42"]})]
Number = Annotated[int, BeforeValidator(_long), WithJsonSchema({"type": "integer", "minimum": 0})]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(number_of_query)]
Money = Annotated[float, Field(ge=0, le=MAX_SUM), BeforeValidator(number_of_query)]
Count = Annotated[int, Field(ge=0, lt=1_000_000_000), BeforeValidator(whole_number)]
Cohorts = Annotated[int, Field(ge=1, le=60), BeforeValidator(whole_number)]
Days = Annotated[float, Field(ge=0, le=36_500), BeforeValidator(number_of_query)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Cursor = Annotated[str, Field(min_length=1, max_length=1000)]


def choice(known: Sequence[str], groups: Mapping[str, Sequence[str]]) -> BeforeValidator:
    """Return a reader of values in a list or with commas between them; the name of a group stands for several."""

    def read(value: object) -> object:
        text = ",".join(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else value
        if not isinstance(text, str):
            return text
        names = [name.strip() for name in text.split(",")]
        chosen = dict.fromkeys(value for name in names for value in groups.get(name, (name,)))
        if not chosen.keys() <= set(known):
            raise ValueError(f"takes one or more, with commas between them, of {', '.join([*known, *groups])}")
        return tuple(chosen)

    return BeforeValidator(read)


def described(known: Sequence[str], *groups: str) -> WithJsonSchema:
    """Return the description of such values."""
    return WithJsonSchema({"type": "array", "items": {"type": "string", "enum": [*known, *groups]}, "minItems": 1})


RiskLevels = Annotated[tuple[RiskLevel, ...], choice(RISK_LEVELS, {}), described(RISK_LEVELS)]


def _customer_id(value: object) -> str:
    identifier(value)
    # Who was stored in another form of Unicode is found under that.
    return as_sent(value)


CustomerId = Annotated[
    str,
    BeforeValidator(_customer_id),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH}, {"type": "integer"}]}),
]


Reason = Annotated[str, Field(strict=True, min_length=1, max_length=500), AfterValidator(some_text)]


def _not_longer(note: str) -> str:
    # Half of a surrogate pair is refused where it is stored.
    if len(note.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES:
        raise ValueError(f"should have at most {MAX_NOTE_BYTES} bytes")
    return note


Notes = Annotated[str, Field(strict=True, max_length=MAX_NOTES), AfterValidator(_not_longer)]
Note = Annotated[Notes, Field(min_length=1), AfterValidator(some_text)]


class NoQuery(Request):
    """A query without parameters."""


class PageQuery(Model):
    """Whatever stands there: an issuer sends people back with what it has to say, which the page reads."""


class Empty(Request):
    """An empty object."""


class SessionCode(Request):
    """What signs somebody in."""

    code: Annotated[str, Field(strict=True, min_length=1, max_length=2000)]
    """From the address that the start of the local stack, or `make sign-in`, prints; holds for a minute, once."""


class NewApiKey(Request):
    """Who is to hold a key, and what it may do."""

    name: Annotated[str, Field(strict=True, min_length=1, max_length=MAX_NAME_LENGTH), AfterValidator(line_of_text)]
    """What holds the key, such as `warehouse`; no other key has the name."""
    role: Role
    """What the key may do: read < predict < act < admin; `write` hands in events and does nothing else."""
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=LONGEST_DAYS)] = 365
    """For how many days the key is valid."""


# --- predictions


def _whole(value: float) -> float:
    if value != int(value):
        raise ValueError("must be a whole number")
    return value


def _input_field(feature: Any) -> Any:
    number: Any = Annotated[float, Field(strict=True, ge=0, le=feature.maximum)]
    if feature.is_count:
        number = Annotated[number, AfterValidator(_whole), Field(json_schema_extra={"multipleOf": 1})]
    return (number | None, Field(default=None, description=f"{feature.description} ({feature.unit}); null = not known"))


def _of_types(*types: HypotheticalType) -> AfterValidator:
    def only_there(value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("event_type", types[0]) not in types:
            raise ValueError(f"belongs to {', '.join(types)} alone")
        return value

    return AfterValidator(only_there)


def _not_free(value: object) -> object:
    if value == 0:
        raise ValueError("must be above 0: an order of no value does not count as an order; leave it out for the usual")
    return value


class HypotheticalEventRequest(Request):
    """An event that did not happen: it is folded into what is stored of the customer, and forgotten."""

    event_type: HypotheticalType
    days_ago: Annotated[float, Field(strict=True, ge=0, le=3650)] = 0
    """Days before the question; 0 is now."""
    order_value: Annotated[
        Annotated[float, Field(strict=True, gt=0, le=MAX_AMOUNT), BeforeValidator(_not_free)] | None,
        _of_types("order_placed"),
    ] = None
    """Of an order; without it, that of a usual order of the customer, or unknown where that is."""
    discount_used: Annotated[Annotated[bool, Field(strict=True)] | None, _of_types("order_placed")] = None
    """Whether the order had a discount."""
    points: Annotated[
        Annotated[float, Field(strict=True, ge=-MAX_AMOUNT, le=MAX_AMOUNT)] | None, _of_types("loyalty_points_changed")
    ] = None
    """By how much the balance of loyalty points changes; this, or `balance`."""
    balance: Annotated[
        Annotated[float, Field(strict=True, ge=0, le=MAX_AMOUNT)] | None, _of_types("loyalty_points_changed")
    ] = None
    """The balance of loyalty points from then on."""

    @property
    def data(self) -> dict[str, Any]:
        """The event's data, as on Kafka."""
        return self.model_dump(exclude={"event_type", "days_ago"}, exclude_none=True)

    @property
    def missing(self) -> str | None:
        """The field that an event of this type needs and does not have."""
        return "points" if self.event_type == "loyalty_points_changed" and not self.data else None


PredictionRequest: type[Request] = create_model(
    "PredictionRequest",
    __base__=Request,
    __doc__="The 12 features, a customer, or a customer with other values of features or with events.",
    customer_id=(CustomerId | None, None),
    **{feature.name: _input_field(feature) for feature in FEATURES},
    events=(
        Annotated[list[HypotheticalEventRequest], Field(min_length=1, max_length=MOST_EVENTS)] | None,
        Field(default=None, description="Events that did not happen, of a stored customer; no features beside them"),
    ),
)


class BatchRequest(Request):
    """Up to 1,000 requests for a prediction, each as for a single one."""

    customers: Annotated[
        list[Any],
        Field(max_length=MAX_BATCH),
        WithJsonSchema(
            {
                "type": "array",
                "maxItems": MAX_BATCH,
                "items": {"$ref": "#/components/schemas/PredictionRequest"},
            }
        ),
    ]


def names_customer(body: Any) -> bool:
    """Return whether a prediction is asked for of somebody who is stored, not for features alone."""
    if isinstance(body, BatchRequest):
        return any(isinstance(item, dict) and item.get("customer_id") is not None for item in body.customers)
    return body.customer_id is not None


class PredictionsQuery(Request):
    """Which stored predictions."""

    limit: Limit = 50
    risk_level: RiskLevel | None = None
    date_from: From | None = None
    date_to: Until | None = None
    """A day without a time of day is included whole."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""


class PredictionsExport(PredictionsQuery):
    """Which stored predictions of a file."""

    limit: Limit = 500


# --- ingestion


class DeadLettersQuery(Request):
    """Which records that could not be applied."""

    limit: Limit = 50
    state: Literal["waiting", "all"] = "all"
    """`waiting`: those that a redrive tries again."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""


class AuditQuery(Request):
    """Which entries of the audit trail."""

    limit: Limit = 50
    subject: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The name in the token of who did it."""
    action: AuditAction | None = None
    customer_id: CustomerId | None = None
    """Whose data, also after the customer was erased."""
    since: From | None = None
    """Asked for at this instant or later."""
    until: Until | None = None
    """Asked for at this instant or before; a day counts whole."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; goes on after it."""


class ImportsQuery(Request):
    """How many imports."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole_number)] = 20
    """The most imports that the answer may have."""


# --- models


class ModelsQuery(Request):
    """How many versions."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole_number)] = 20


class ReportQuery(Request):
    """In what form."""

    format: Literal["json", "html"] | None = None
    """Without it, what the Accept header asks for, else JSON."""


class Promotion(Request):
    """Whether a version is to serve although its gate did not pass, and why."""

    force: Annotated[bool, Field(strict=True)] = False
    reason: Reason | None = Field(default=None, validate_default=True)
    """Needed with `force`."""

    @field_validator("reason")
    @classmethod
    def _force_has_a_reason(cls, reason: str | None, info: ValidationInfo) -> str | None:
        if reason is None and info.data.get("force"):
            raise ValueError("is needed with force")
        return reason


class RollBack(Request):
    """Why."""

    reason: Reason | None = None


def _beside_no_list(value: object, info: ValidationInfo) -> object:
    if info.data.get("events"):
        raise PydanticCustomError("extra_forbidden", "unknown field")
    return value


_FieldOfEvent = Annotated[Any, AfterValidator(_beside_no_list), WithJsonSchema({})]


class EventsRequest(Model):
    """One event, with its fields as on Kafka, or up to 500 of them in `events`."""

    model_config = ConfigDict(extra="allow")

    events: Annotated[list[Any], Field(min_length=1, max_length=MAX_EVENTS)] = Field(default_factory=list)
    """Events, each with `customer_id`, `event_type`, `timestamp`, `data` and, to be counted once, its `event_id`.

    Nothing else may stand beside a list.
    """
    __pydantic_extra__: dict[str, _FieldOfEvent]

    @property
    def is_list(self) -> bool:
        """Whether a list was sent, and not a single event."""
        return "events" in self.model_fields_set

    @property
    def items(self) -> list[Any]:
        """The events that were sent."""
        return self.events if self.is_list else [self.model_extra]
