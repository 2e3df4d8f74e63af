"""Segments: named filters of the list of customers, and what is counted of those whom they choose."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from churn.domain.identifiers import canonical

MAX_NAME_LENGTH = 100
MAX_SEGMENTS = 200
"""The most segments of a shop: each is counted every night."""


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """What was counted of a segment's customers at an instant; the fields are columns of the tables.

    `churned` of those `active_before` (`churn.domain.dashboard.RATE_DAYS` ago) have lapsed since; None where the
    filter leaves out who has lapsed, and where nobody can have lapsed yet.
    """

    counted_at: datetime
    customers: int
    is_lower_bound: bool
    """Whether the segment was too large to be counted to its end: counts and sums are of a part."""
    value_at_risk: Decimal | None
    """None where somebody is scored and nobody's value is known."""
    scored: int
    probability: float
    """The sum of the churn probabilities of those who are scored."""
    churned: int | None
    active_before: int | None


def segment_name(value: object) -> str:
    """Return the name of a segment from a text; ValueError says what is wrong with anything else."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    name = canonical(" ".join(value.split()))
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"must have 1 to {MAX_NAME_LENGTH} characters")
    if not name.isprintable():
        raise ValueError("must not hold invisible characters")
    if is_segment_id(name):
        raise ValueError("must not be a number, which would be taken for an id")
    return name


def name_key(name: str) -> str:
    """Return the form in which names are compared: without regard to upper and lower case, and to blanks."""
    return canonical(" ".join(canonical(name).casefold().split()))


def is_segment_id(text: str) -> bool:
    """Return whether a text writes an id."""
    return text.isascii() and text.isdigit()
