"""The dashboard's figures: of this moment, and over time."""

from typing import Any

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.domain.errors import FieldError
from churn.entrypoints.http.api import Api, Call
from churn.entrypoints.http.problems import bad_request
from churn.services.dashboard import Dashboard, GranularityTooFineError
from churn.settings import settings

_settings = settings().require("database_url")
_cache = Cache(_settings.redis_url)
_dashboard = Dashboard(Database.for_requests(_settings.database_url), _cache, _settings)
_api = Api("stats", _settings, _cache)
app = _api.app


@_api.answers("dashboard_stats")
def dashboard_stats(call: Call) -> dict[str, Any]:
    return _dashboard.stats(call.now)


@_api.answers("dashboard_trends")
def dashboard_trends(call: Call) -> dict[str, Any]:
    try:
        return _dashboard.trends(call.query.period, call.query.granularity, call.now)
    except GranularityTooFineError as error:
        raise bad_request(FieldError("granularity", str(error))) from None
