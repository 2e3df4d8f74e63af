"""Alerts over REST and WebSocket."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churn.adapters import secrets_manager
from churn.adapters.api_gateway_push import ApiGatewayPush
from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError, websocket_connections
from churn.adapters.mysql.alerts import Wanted, acknowledge, resolve
from churn.adapters.redis_cache import Cache
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api, Call
from churn.entrypoints.http.tokens import TICKET_SECONDS, issue_ticket
from churn.entrypoints.websocket import WebSocketHandler, is_socket_event
from churn.observability import logger, traced
from churn.services import alerts
from churn.services.dashboard import Dashboard
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.answers import Acknowledged, AlertPage, Resolved, Ticket
    from churn.domain.dashboard_answers import DashboardData

_settings = settings().require("database_url", "jwt_secret")
_cache = Cache(_settings.redis_url)
_database = Database.for_requests(_settings.database_url)
_dashboard = Dashboard(_database, _cache, _settings)
_api = Api("alerts", _settings, _cache)
app = _api.app


@_api.answers("list_alerts")
def list_alerts(call: Call) -> AlertPage:
    chosen = call.query.model_dump(exclude={"limit", "cursor"})
    return alerts.list_alerts(_database, Wanted(**chosen), limit=call.query.limit, cursor=call.query.cursor)


@_api.answers("acknowledge_alert")
def acknowledge_alert(call: Call) -> Acknowledged:
    at = acknowledge(_database, alerts.alert_id(call.path["id"]), call.client, call.now)
    return {"message": "Alert acknowledged", "acknowledged_at": iso(at)}


@_api.answers("resolve_alert")
def resolve_alert(call: Call) -> Resolved:
    at = resolve(_database, alerts.alert_id(call.path["id"]), call.client, call.body.resolution_notes, call.now)
    return {"message": "Alert resolved", "resolved_at": iso(at)}


@_api.answers("issue_ticket")
def ticket(call: Call) -> Ticket:
    return {
        "ticket": issue_ticket(secrets_manager.resolve(_settings.jwt_secret), call.client, call.role or "read"),
        "expires_in": TICKET_SECONDS,
    }


@lru_cache(maxsize=1)
def _websocket_handler(function_arn: str) -> WebSocketHandler:
    push = ApiGatewayPush(_settings.require("socket_endpoint").socket_endpoint)
    return WebSocketHandler(_database, push, _settings, _dashboard_data, invoke_later(function_arn))


def _dashboard_data() -> DashboardData:
    return {"stats": _dashboard.stats(datetime.now(UTC)), "recent_activity": _dashboard.recent_activity()}


@traced
@logger.inject_lambda_context
def _handle_websocket(event: dict[str, Any], context: Any) -> dict[str, Any]:
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
    if event.get("httpMethod") == "POST" and _has_followers():
        _websocket_handler(context.invoked_function_arn).deliver_later()
    return answer


def _has_followers() -> bool:
    """Return whether a socket follows the changes of alerts, and is to be told what was just done."""
    try:
        return _database.run(websocket_connections.has_followers)
    except (DatabaseUnavailableError, StatementRefusedError):
        logger.exception("whether anybody follows the changes of alerts is not known")
        return False
