"""The dashboard's figures: of this moment, and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call
from churn.services.cohorts import cohort_table
from churn.services.dashboard import Dashboard
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.cohort_answers import CohortTable
    from churn.domain.dashboard_answers import Stats, Trends

_settings = settings().require("database_url")
_cache = Cache(_settings.redis_url)
_database = Database.for_requests(_settings.database_url)
_dashboard = Dashboard(_database, _cache, _settings)
_api = Api("stats", _settings, _cache)
app = _api.app


@_api.answers("dashboard_stats")
def dashboard_stats(call: Call) -> Stats:
    return _dashboard.stats(call.now)


@_api.answers("dashboard_trends")
def dashboard_trends(call: Call) -> Trends:
    return _dashboard.trends(call.query.period, call.query.granularity, call.now)


@_api.answers("retention")
def retention(call: Call) -> CohortTable:
    return cohort_table(_database, call.query.by, call.query.cohorts, call.now)
