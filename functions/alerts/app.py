"""Alerts over REST and WebSocket."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churn.adapters import secrets_manager
from churn.adapters.api_gateway_push import ApiGatewayPush
from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError, websocket_connections
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.alert_work import acknowledge, resolve
from churn.adapters.redis_cache import Cache
from churn.domain.alert_work import Work
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api, Call, Table
from churn.entrypoints.http.problems import problem_of
from churn.entrypoints.http.sessions import open_session
from churn.entrypoints.http.tables import part_of_file
from churn.entrypoints.http.tokens import TICKET_SECONDS, issue_ticket
from churn.entrypoints.websocket import WebSocketHandler, is_socket_event
from churn.observability import logger, traced
from churn.services import alert_outcomes, alerts, api_keys
from churn.services.alert_preview import RulesAsked, preview
from churn.services.audit_trail import AuditTrail
from churn.services.csv_files import ALERTS
from churn.services.dashboard import Dashboard
from churn.services.presentation import alert_json
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.access_answers import ApiKeyList, MadeApiKey
    from churn.domain.alert_answers import (
        Acknowledged,
        AlertDetail,
        AlertPage,
        AlertPerformance,
        AlertPreview,
        Resolved,
        WorkResult,
        WorkResults,
    )
    from churn.domain.answers import Session, SignedIn, Ticket
    from churn.domain.dashboard_answers import DashboardData

_settings = settings().require("database_url", "jwt_secret", "erasure_key")
_cache = Cache(_settings.redis_url)
_database = Database.for_requests(_settings.database_url)
_dashboard = Dashboard(_database, _cache, _settings)
_api = Api("alerts", _settings, _cache, trail=AuditTrail(lambda: _database, _settings))
app = _api.app


@_api.answers("list_alerts")
def list_alerts(call: Call) -> AlertPage:
    return alerts.list_alerts(_database, _wanted(call), **_page(call))


@_api.answers("export_alerts")
def export_alerts(call: Call) -> Table:
    return part_of_file(call, "export_alerts", ALERTS, alerts.part_of_alerts(_database, _wanted(call), **_page(call)))


def _wanted(call: Call) -> Wanted:
    query = call.query
    chosen = query.model_dump(exclude={"limit", "cursor", "customer_id", "snoozed", "assigned_to", "status", "outcome"})
    # Who follows changes is to see that an alert was snoozed.
    snoozed = query.snoozed or ("false" if query.changes_since is None else "true")
    return Wanted(
        **chosen,
        status=query.status or (),
        outcome=query.outcome or (),
        assigned_to=_person(call, query.assigned_to),
        awake_at=call.now if snoozed == "false" else None,
        snoozed_at=call.now if snoozed == "only" else None,
    )


def _page(call: Call) -> dict[str, Any]:
    page: dict[str, Any] = call.query.model_dump(include={"limit", "cursor", "customer_id"})
    return page


@_api.answers("alert_performance")
def alert_performance(call: Call) -> AlertPerformance:
    query = call.query
    return alert_outcomes.performance(
        _database, _settings, by=query.by, first=query.date_from, last=query.date_to, now=call.now
    )


@_api.answers("preview_alerts")
def preview_alerts(call: Call) -> AlertPreview:
    asked = RulesAsked(**call.query.model_dump(exclude={"date_to"}))
    return preview(_database, _settings, asked, until=call.query.date_to, now=call.now)


@_api.answers("get_alert")
def get_alert(call: Call) -> AlertDetail:
    return _versioned(call, alerts.get_alert(_database, alerts.alert_id(call.path["id"])))


@_api.answers("work_on_alert")
def work_on_alert(call: Call) -> AlertDetail:
    number = alerts.alert_id(call.path["id"])
    return _versioned(call, alerts.work_on(_database, number, _work(call), call.client, call.now, call.versions))


@_api.answers("work_on_alerts")
def work_on_alerts(call: Call) -> WorkResults:
    numbers = [*dict.fromkeys(call.body.ids)]
    outcomes = alerts.work_on_many(_database, numbers, _work(call), call.client, call.now, call.body.version_of())
    results = [_outcome(number, outcome) for number, outcome in zip(numbers, outcomes, strict=True)]
    counts = Counter(result["outcome"] for result in results)
    return {"changed": counts["changed"], "refused": counts["refused"], "results": results}


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
        "ticket": issue_ticket(
            secrets_manager.resolve(_settings.jwt_secret), call.client, call.role or "read", call.expires_at or 0
        ),
        "expires_in": TICKET_SECONDS,
    }


@_api.answers("open_session")
def session(call: Call) -> Session:
    return open_session(_database, secrets_manager.resolve(_settings.jwt_secret), call.body.code)


@_api.answers("get_session")
def who_asks(call: Call) -> SignedIn:
    expires_at = datetime.fromtimestamp(call.expires_at or 0, UTC)
    return {"subject": call.client, "role": str(call.role), "expires_at": iso(expires_at)}


@_api.answers("list_api_keys")
def list_api_keys(_call: Call) -> ApiKeyList:
    return api_keys.listed(_database)


@_api.answers("make_api_key")
def make_api_key(call: Call) -> MadeApiKey:
    body = call.body
    made = api_keys.make(_database, body.name, body.role, body.expires_in_days, by=call.client, now=call.now)
    call.headers["Location"] = f"/api/keys/{made['id']}"
    return made


@_api.answers("revoke_api_key")
def revoke_api_key(call: Call) -> None:
    api_keys.revoke(_database, call.path["id"])


def _person(call: Call, name: str | None) -> str | None:
    return call.client if name == "me" else name


def _work(call: Call) -> Work:
    body = call.body
    return Work(
        body.status,
        body.reason,
        body.note,
        "assigned_to" in body.model_fields_set,
        _person(call, body.assigned_to),
        "snoozed_until" in body.model_fields_set,
        body.snoozed_until,
    )


def _versioned(call: Call, alert: AlertDetail) -> AlertDetail:
    call.tell_version(alert["change"])
    return alert


def _outcome(number: int, outcome: alerts.Outcome) -> WorkResult:
    problem = None if outcome.error is None else problem_of(outcome.error)
    return {
        "id": number,
        "outcome": "refused" if problem else "changed" if outcome.has_changed else "unchanged",
        "alert": None if outcome.alert is None else alert_json(outcome.alert),
        "error": None if problem is None else problem.detail,
        "code": None if problem is None else problem.status,
    }


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
