"""Whether the service is well; for load balancers and people, without a token."""

from typing import TYPE_CHECKING, Any

from churn.cache import Cache
from churn.events import iso
from churn.health import Finding, examine, verdict
from churn.http.api import Api, Call
from churn.registry import S3Registry, load_model
from churn.settings import settings
from churn.storage import Database

if TYPE_CHECKING:
    from churn.forest import ChurnModel

_settings = settings()
_cache = Cache(_settings.redis_url)
_api = Api("health", _settings, _cache)
_loaded: "dict[str, ChurnModel]" = {}
app = _api.app


@_api.answers("health")
def health(call: Call) -> dict[str, Any]:
    found = examine({"database": _database, "cache": _redis, "model": _model})
    status = verdict(found)
    call.answer["status"] = 503 if status == "unhealthy" else 200
    return {
        "status": status,
        "timestamp": iso(call.now),
        "model_loaded": found["model"].finding.status != "down",
        "service": _settings.service_name,
        "version": _settings.service_version,
        "model_version": found["model"].finding.version,
        "checks": {name: measured.to_dict() for name, measured in found.items()},
    }


def _database() -> Finding:
    database = Database(_settings.database_url, connect_timeout=1, statement_timeout=1, attempts=1)
    try:
        database.run(lambda transaction: transaction.row("SELECT 1 FROM customers LIMIT 1"))
    finally:
        database.close()
    return Finding("up")


def _redis() -> Finding:
    # A connection of the check's own: one that hangs is then nobody else's.
    cache = Cache(_settings.redis_url)
    try:
        return Finding("up") if cache.ping() else Finding("down", "no answer")
    finally:
        cache.close()


def _model() -> Finding:
    promoted = S3Registry(_settings.model_bucket).current() if _settings.model_bucket else None
    model = _loaded.get("model")
    if model is None or (promoted is not None and promoted != model.version):
        model = _loaded["model"] = load_model(_settings)
    if _settings.model_bucket and promoted != model.version:
        return Finding("fallback", "the promoted version is not served", model.version)
    return Finding("up", version=model.version)
