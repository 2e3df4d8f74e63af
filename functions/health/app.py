"""The health of the service, for load balancers and people; needs no token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call
from churn.entrypoints.http.problems import RETRY_AFTER_SECONDS
from churn.services.health import HealthChecks
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.health_answers import Health

_settings = settings()
_checks = HealthChecks(_settings)
_cache = Cache(_settings.redis_url)
_api = Api("health", _settings, _cache, reports=False)
app = _api.app


@_api.answers("health_status")
@_api.answers("health")
def health(call: Call) -> Health:
    answer = _checks.health(call.now)
    if answer["status"] == "unhealthy":
        call.answer["status"] = 503
        call.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
