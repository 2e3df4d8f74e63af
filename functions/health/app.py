"""The health of the service, for load balancers and people; needs no token."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.domain.model import PURCHASE_PROCESS, kind_of
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api, Call
from churn.services.current_model import CurrentModel
from churn.services.health import Finding, overall_status, run_checks
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.answers import Health

_settings = settings()
_cache = Cache(_settings.redis_url)
_api = Api("health", _settings, _cache)
app = _api.app


@_api.answers("health")
def health(call: Call) -> Health:
    results = run_checks({"database": _database, "cache": _redis, "model": _model})
    status = overall_status(results)
    call.answer["status"] = 503 if status == "unhealthy" else 200
    return {
        "status": status,
        "timestamp": iso(call.now),
        "model_loaded": results["model"].finding.status != "down",
        "service": _settings.service_name,
        "version": _settings.service_version,
        "model_version": results["model"].finding.version,
        "model_kind": results["model"].finding.kind,
        "checks": {
            "database": results["database"].to_dict(),
            "cache": results["cache"].to_dict(),
            "model": results["model"].to_dict(),
        },
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
    model = _current_model()
    model.refresh()
    kind = kind_of(model.metadata)
    if model.refused:
        return Finding("fallback", f"the promoted version is not served: {model.refused}", model.version, kind)
    if _settings.model_bucket and model.promoted is None:
        return Finding("fallback", "no version is promoted", model.version, kind)
    young = "too little history for a forest yet: the purchase process alone" if kind == PURCHASE_PROCESS else None
    return Finding("up", young, model.version, kind)


@lru_cache(maxsize=1)
def _current_model() -> CurrentModel:
    # Loaded by the check and not at the start: without any model, health still answers.
    return CurrentModel(_settings, every=0)
