"""Alerts over REST and WebSocket."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churn.adapters.api_gateway_push import ApiGatewayPush
from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError, websocket_connections
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.access import answer_access
from churn.entrypoints.http.alerts import answer_lists_of_alerts, answer_work_on_alerts
from churn.entrypoints.http.app import Api
from churn.entrypoints.websocket import WebSocketHandler, is_socket_event
from churn.observability import logger, traced
from churn.services.audit_trail import AuditTrail
from churn.services.dashboard import Dashboard
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.dashboard_answers import DashboardData

_settings = settings().require("database_url", "jwt_secret", "erasure_key")
_cache = Cache(_settings.redis_url)
_database = Database.for_requests(_settings.database_url)
_dashboard = Dashboard(_database, _cache, _settings)
_api = Api("alerts", _settings, _cache, trail=AuditTrail(lambda: _database, _settings))
answer_lists_of_alerts(_api, _database, _settings)
answer_work_on_alerts(_api, _database)
answer_access(_api, _database, _settings)
app = _api.app


@lru_cache(maxsize=1)
def _websocket_handler(function_arn: str) -> WebSocketHandler:
    push = ApiGatewayPush(_settings.socket_endpoint)
    return WebSocketHandler(_database, push, _settings, _dashboard_data, invoke_later(function_arn))


def _dashboard_data() -> DashboardData:
    return {"stats": _dashboard.stats(datetime.now(UTC)), "recent_activity": _dashboard.recent_activity()}


@traced
@logger.inject_lambda_context
def _handle_websocket(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if not _settings.socket_endpoint:
        return {"statusCode": 503, "body": "Nothing could be posted to a WebSocket here: ask by REST."}
    # By the ARN that was called: later work goes to the same version.
    answer = _websocket_handler(context.invoked_function_arn).handle(event)
    _api.report()
    return answer


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a REST request, a WebSocket event, or an event that the function sent to itself."""
    if is_socket_event(event):
        on_socket: dict[str, Any] = _handle_websocket(event, context)
        return on_socket
    answer: dict[str, Any] = app(event, context)
    if event.get("httpMethod") in {"PATCH", "POST"} and _is_somebody_behind():
        _websocket_handler(context.invoked_function_arn).deliver_later()
    return answer


def _is_somebody_behind() -> bool:
    """Return whether an open socket is to be told what was just done."""
    try:
        return _database.run(websocket_connections.is_behind)
    except (DatabaseUnavailableError, StatementRefusedError):
        logger.exception("whether a socket is to be told of a change is not known")
        return False
