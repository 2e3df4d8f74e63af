"""The types of the answer about cohorts, as in `answers`."""

from typing import Annotated, TypedDict

from churn.domain.answers import Instant
from churn.domain.cohorts import CohortPeriod

Day = Annotated[str, {"type": "string", "format": "date"}]


class CohortAge(TypedDict):
    """How many of a cohort ordered in a month or week so long after that of their first order."""

    age: int
    """Months or weeks since that of the first order, which is 0."""
    first_day: Day
    """The first day (UTC) of the month or week."""
    customers: int | None
    """Those who ordered in it; at age 0, who ordered on another day than the first. Null before it has begun."""
    share: float | None
    """Of the customers of the cohort; null before it has begun, and of a cohort without customers."""
    is_complete: bool
    """Whether it is over: the current one still grows."""
    link: str | None
    """The list of exactly the customers that are counted, as a path below the service's address; null without any."""


class Cohort(TypedDict):
    """The customers whose first order lies in one month or week, and who of them ordered again."""

    first_day: Day
    """The first day (UTC) of the month or week."""
    customers: int
    """Who ordered first in it."""
    is_complete: bool
    """Whether it is over: to the current one customers are added."""
    link: str
    """The list of its customers, as a path below the service's address."""
    ages: list[CohortAge]
    """As many as there are cohorts, for each of them."""


class CohortTable(TypedDict):
    """Who ordered again, by the month or week of the first order, the oldest first.

    Orders count that stand and have a value; those of one day (UTC) are one. Erased customers are left out.
    """

    by: CohortPeriod
    """What the cohorts and their ages are: months, or weeks."""
    cohorts: list[Cohort]
    """As many as were asked for; that of today is the last."""
    is_complete: bool
    """Whether every stored customer is counted; after an upgrade it takes until the next rescoring sweep."""
    generated_at: Instant
