"""The dashboard's figures: of this moment, and over time."""

from typing import Any

from churn.cache import Cache
from churn.catalogue import Catalogue, TooFine
from churn.events import FieldError
from churn.http.api import Api, Call
from churn.http.errors import bad_request
from churn.settings import settings
from churn.storage import Database

_settings = settings().require("database_url")
_cache = Cache(_settings.redis_url)
_catalogue = Catalogue(Database.for_requests(_settings.database_url), _cache, _settings)
_api = Api("stats", _settings, _cache)
app = _api.app


@_api.answers("dashboard_stats")
def dashboard_stats(call: Call) -> dict[str, Any]:
    return _catalogue.stats(call.now)


@_api.answers("dashboard_trends")
def dashboard_trends(call: Call) -> dict[str, Any]:
    try:
        return _catalogue.trends(call.query.period, call.query.granularity, call.now)
    except TooFine as error:
        raise bad_request(FieldError("granularity", str(error))) from None
