"""Figures: the dashboard's, of this moment and over time, and what comes in: events, dead letters, imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.domain.roles import includes
from churn.entrypoints.http.app import Api, Call
from churn.services.audit_trail import AuditTrail
from churn.services.cohorts import cohort_table
from churn.services.dashboard import Dashboard
from churn.services.ingestion import IngestionReports
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.cohort_answers import CohortTable
    from churn.domain.dashboard_answers import Stats, Trends
    from churn.domain.ingestion_answers import DeadLetterPage, Imports, Ingestion, Redrive

_settings = settings().require("database_url", "scoring_function")
_cache = Cache(_settings.redis_url)
_database = Database.for_requests(_settings.database_url)
_dashboard = Dashboard(_database, _cache, _settings)
_ingestion = IngestionReports(_database, _settings.event_source_url, invoke_later(_settings.scoring_function))
_api = Api("stats", _settings, _cache, trail=AuditTrail(lambda: _database, _settings))
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


@_api.answers("get_ingestion")
def get_ingestion(call: Call) -> Ingestion:
    return _ingestion.overview(call.now)


@_api.answers("list_dead_letters")
def list_dead_letters(call: Call) -> DeadLetterPage:
    query, is_admin = call.query, includes(call.role or "read", "admin")
    return _ingestion.dead_letters(
        limit=query.limit, cursor=query.cursor, only_waiting=query.state == "waiting", with_values=is_admin
    )


@_api.answers("redrive_dead_letters")
def redrive_dead_letters(call: Call) -> Redrive:
    call.headers["Location"] = "../ingestion"
    return _ingestion.redrive(call.now)


@_api.answers("list_imports")
def list_imports(call: Call) -> Imports:
    return _ingestion.imports(call.query.limit)
