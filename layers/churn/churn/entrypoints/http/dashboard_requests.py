"""What goes into the routes about figures over time, as in `requests`."""

from churn.domain.cohorts import CohortPeriod
from churn.domain.dashboard import Granularity, Period
from churn.entrypoints.http.requests import Cohorts, Request


class TrendsQuery(Request):
    """Over how long, and how finely."""

    period: Period = "30d"
    granularity: Granularity = "day"
    """Hours for at most 30 days."""


class CohortsQuery(Request):
    """Which cohorts."""

    by: CohortPeriod = "month"
    """Months, or weeks of ISO 8601, in UTC."""
    cohorts: Cohorts = 12
    """How many: the newest, the current one included."""
