"""The routes about alerts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.alert_work import acknowledge, resolve
from churn.domain.alert_work import Work
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api, Call, Table
from churn.entrypoints.http.problems import problem_of
from churn.entrypoints.http.tables import part_of_file
from churn.services import alert_outcomes, alerts
from churn.services.alert_preview import RulesAsked, preview
from churn.services.csv_files import ALERTS
from churn.services.presentation import alert_json

if TYPE_CHECKING:
    from churn.adapters.mysql import Database
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
    from churn.settings import Settings


def answer_lists_of_alerts(api: Api, database: Database, settings: Settings) -> None:
    """Answer who asks for alerts: lists, one of them, how good they were, and what other rules would raise."""

    @api.answers("list_alerts")
    def list_alerts(call: Call) -> AlertPage:
        return alerts.list_alerts(database, _wanted(call), **_page(call))

    @api.answers("export_alerts")
    def export_alerts(call: Call) -> Table:
        return part_of_file(
            call, "export_alerts", ALERTS, alerts.part_of_alerts(database, _wanted(call), **_page(call))
        )

    @api.answers("alert_performance")
    def alert_performance(call: Call) -> AlertPerformance:
        query = call.query
        return alert_outcomes.performance(
            database, settings, by=query.by, first=query.date_from, last=query.date_to, now=call.now
        )

    @api.answers("preview_alerts")
    def preview_alerts(call: Call) -> AlertPreview:
        asked = RulesAsked(**call.query.model_dump(exclude={"date_to"}))
        return preview(database, settings, asked, until=call.query.date_to, now=call.now)

    @api.answers("get_alert")
    def get_alert(call: Call) -> AlertDetail:
        return _versioned(call, alerts.get_alert(database, alerts.alert_id(call.path["id"])))


def answer_work_on_alerts(api: Api, database: Database) -> None:
    """Answer who works on alerts."""

    @api.answers("work_on_alert")
    def work_on_alert(call: Call) -> AlertDetail:
        number = alerts.alert_id(call.path["id"])
        return _versioned(call, alerts.work_on(database, number, _work(call), call.client, call.now, call.versions))

    @api.answers("work_on_alerts")
    def work_on_alerts(call: Call) -> WorkResults:
        numbers = [*dict.fromkeys(call.body.ids)]
        outcomes = alerts.work_on_many(database, numbers, _work(call), call.client, call.now, call.body.version_of())
        results = [_outcome(number, outcome) for number, outcome in zip(numbers, outcomes, strict=True)]
        counts = Counter(result["outcome"] for result in results)
        return {"changed": counts["changed"], "refused": counts["refused"], "results": results}

    @api.answers("acknowledge_alert")
    def acknowledge_alert(call: Call) -> Acknowledged:
        at = acknowledge(database, alerts.alert_id(call.path["id"]), call.client, call.now)
        return {"message": "Alert acknowledged", "acknowledged_at": iso(at)}

    @api.answers("resolve_alert")
    def resolve_alert(call: Call) -> Resolved:
        at = resolve(database, alerts.alert_id(call.path["id"]), call.client, call.body.resolution_notes, call.now)
        return {"message": "Alert resolved", "resolved_at": iso(at)}


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
