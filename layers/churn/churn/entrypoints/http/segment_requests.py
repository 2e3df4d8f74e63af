"""What goes into the routes about segments, as in `requests`."""

from typing import Annotated, Self

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from churn.domain.segments import MAX_NAME_LENGTH, segment_name
from churn.entrypoints.http.customer_requests import CustomerFilters
from churn.entrypoints.http.requests import From, Limit, Request, Until

SegmentName = Annotated[
    str,
    BeforeValidator(segment_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}),
]


class NewSegment(Request):
    """A name and a filter."""

    name: SegmentName
    """No other segment has it, in upper or lower case; not a number, as `segment` takes an id or a name."""
    filter: CustomerFilters
    """The fields of the list of customers; without any, everybody."""


class SegmentChange(Request):
    """Another name, another filter in place of the whole one, or both."""

    name: SegmentName | None = None
    filter: CustomerFilters | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.name is None and self.filter is None:
            raise ValueError("give name, filter, or both")
        return self


class HistoryQuery(Request):
    """Which nights."""

    date_from: From | None = None
    date_to: Until | None = None
    limit: Limit = 100
