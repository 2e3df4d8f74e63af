"""The types of the answers about segments, as `churn.domain.answers` has the others."""

from typing import Annotated, Any, TypedDict

from churn.domain.answers import Instant, Probability

Day = Annotated[str, {"type": "string", "format": "date"}]


class SegmentCount(TypedDict):
    """What was counted of a segment's customers at one instant."""

    counted_at: Instant
    customers: int
    is_lower_bound: bool
    """Whether the segment was too large to be counted to its end: then all counts and sums are of a part of it."""
    value_at_risk: float | None
    """The sum of what the customers show; null where it is known of nobody who is scored."""
    average_churn_probability: Probability | None
    """Of those who are scored; null while nobody is."""
    churn_rate: float | None
    """Per cent of `active_customers_before` who have lapsed since; null where these are not known, or nobody."""
    churned_customers: int | None
    """Customers of the segment who have lapsed in the last 30 days.

    Null where `status` leaves out who has lapsed, and in a shop that is too young for anybody to have lapsed.
    """
    active_customers_before: int | None
    """Customers who are in the segment now and were active 30 days ago; null likewise."""


class Segment(TypedDict):
    """A named filter of the list of customers."""

    id: int
    name: str
    filter: dict[str, Any]
    """Fields of `CustomerFilters`: those of the list's query."""
    is_built_in: bool
    """Whether it comes with the service, so that it cannot be deleted."""
    version: int
    """Rises with each change of the name or the filter: `If-Match` takes it."""
    changed_at: Instant
    changed_by: str | None
    """The name in the token of whoever changed it last; null as it came with the service."""
    figures: SegmentCount | None
    """At most a minute old where one segment is answered; in the list of last night, or of the filter's last change.

    Null where they have not been counted yet.
    """
    links: dict[str, str]
    """Paths below the service's address: its `customers`, most value at risk first, also as `csv`; its `history`."""


class SegmentList(TypedDict):
    """All segments, in the order in which they were made."""

    segments: list[Segment]


class SegmentNight(SegmentCount):
    """What was counted in one night."""

    day: Day
    """The day (UTC) on which it was counted."""
    is_of_present_filter: bool
    """Whether the filter was the one that the segment has now."""


class SegmentHistory(TypedDict):
    """What was counted of a segment each night, the newest first."""

    segment_id: int
    nights: list[SegmentNight]
