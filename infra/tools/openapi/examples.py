"""Examples: of requests as they are written here, of answers put together from the values of their fields."""

from collections.abc import Mapping
from http import HTTPStatus
from types import NoneType
from typing import Any

REQUESTS: dict[str, Any] = {
    "predict": {"total_orders": 12, "total_spent": 640.5, "days_since_last_order": 75, "support_tickets": 3},
    "predict_batch": {
        "customers": [
            {"customer_id": "CUST-001"},
            {"customer_id": "CUST-001", "events": [{"event_type": "order_placed", "order_value": 40, "days_ago": 0}]},
            {"total_orders": 2, "days_since_last_order": 140},
        ]
    },
    "take_events": {
        "events": [
            {
                "event_id": "order-8124",
                "event_type": "order_placed",
                "customer_id": "CUST-001",
                "timestamp": "2026-11-23T10:15:00Z",
                "data": {"order_id": "8124", "order_value": 49.9},
            }
        ]
    },
    "resolve_alert": {"resolution_notes": "Called; the card had expired."},
    "acknowledge_alert": {},
    "work_on_alert": {"status": "in_progress", "assigned_to": "me", "note": "She asks for a call next week."},
    "work_on_alerts": {"ids": [17, 21], "versions": [203, 198], "status": "dismissed", "reason": "Test orders."},
    "add_note": {"note": "She moves abroad in spring."},
    "issue_ticket": {},
    "open_session": {"code": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJzZXNzaW9uIn0.c2lnbmF0dXJl"},
    "make_api_key": {"name": "warehouse", "role": "write", "expires_in_days": 90},
    "add_segment": {"name": "Big baskets gone quiet", "filter": {"status": ["current"], "min_total_spent": 500}},
    "change_segment": {"filter": {"status": ["new", "active", "at_risk"], "min_total_spent": 800}},
    "promote_model": {"force": True, "reason": "The shop has changed; the version in use is blind to it."},
    "roll_back_model": {"reason": "Twice as many alerts as the day before."},
    "train_model": {},
    "redrive_dead_letters": {},
}
"""By the operation that takes them."""

PROBLEMS = {
    status: {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [{"field": "limit", "message": "must be a whole number"}] if status == 400 else [],
        "error": detail,
        "code": status,
    }
    for status, detail in {
        400: "limit: must be a whole number",
        401: "A valid token is needed.",
        403: "The role of this token is too weak.",
        404: "There is no such thing.",
        409: "Its present state does not allow that.",
        412: "The alert has changed: its version is 43 now.",
        413: "The body is larger than 2097152 bytes.",
        429: "More than 6000 requests in a minute; try again in 17 seconds.",
        503: "The database is not available now.",
    }.items()
}
"""By the status."""

_PREFIX = "#/components/schemas/"
_FORMATS = {"date-time": "2026-11-23T10:15:00.000Z", "date": "2026-11-23"}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "null": NoneType,
    "string": str,
    "object": dict,
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
# By the field, or by the schema and the field. Where one does not fit, another is made for the type.
_VALUES: dict[str, Any] = {
    # A customer; the parts of the probability add up.
    "customer_id": "CUST-001",
    "name": "Ada Byron",
    "customer_name": "Ada Byron",
    "email": "ada@example.com",
    "phone": "+44 20 7946 0000",
    "address": {"street": "12 St James's Square", "city": "London"},
    "total_orders": 12,
    "total_spent": 640.5,
    "avg_order_value": 53.38,
    "days_since_last_order": 75.0,
    "support_tickets": 1,
    "product_returns": 0,
    "email_engagement": 0.4,
    "login_frequency": 2,
    "payment_failures": 0,
    "discount_usage": 0.25,
    "loyalty_points": 320,
    "account_age_days": 410.0,
    "churn_probability": 0.67,
    "risk_level": "high",
    "base_probability": 0.31,
    "contribution": 0.24,
    "other_contributions": 0.12,
    "confidence": 0.84,
    "model_version": "20261120T021500Z",
    "model_kind": "random_forest",
    "model_source": "shop",
    "probability_interval": None,
    "low": 0.58,
    "high": 0.75,
    "expected_orders": 1.42,
    "expected_spend": 95.2,
    "expected_spend_basis": "purchase_process",
    "expected_spend_interval": {"low": 0.0, "high": 310.5},
    "next_order_expected_at": "2026-12-18T09:00:00Z",
    "overdue_factor": 1.8,
    "value_at_risk": 94.2,
    "revenue_at_risk": 94.2,
    "risk_percentile": 91.5,
    "risk_change_7d": 0.08,
    "days_at_risk": 6.0,
    "days_since_return": None,
    "is_active": True,
    "recommendations": "Send re-engagement email campaign",
    "feature": "days_since_last_order",
    "value": 75.0,
    "sentence": "No order for 75 days",
    "expected_value": 18.8,
    "RecommendedAction.code": "win_back",
    "RecommendedAction.text": "Send re-engagement email campaign",
    "RecommendedAction.reason": "No order for 75 days",
    "Customer.status": "at_risk",
    "CustomerDetail.status": "at_risk",
    "limit": 100,
    "offset": 0,
    "total": 1,
    "next_cursor": None,
    "stored": 75.0,
    "given": 0.0,
    "effect": -0.24,
    "before": 60.0,
    "after": 75.0,
    "change": 42,
    "RiskChange.change": 0.08,
    "WhatIf.change": -0.24,
    "base_change": 0.0,
    "other_changes": 0.02,
    "as_of": "2026-11-23T10:15:00.000Z",
    # Events and alerts.
    "id": 17,
    "Event.id": "order-8124",
    "event_id": "order-8124",
    "event_type": "order_placed",
    "event_data": {"order_id": "8124", "order_value": 49.9},
    "accepted": 1,
    "refused": 0,
    "errors": None,
    "alert_id": 17,
    "alert_type": "churn_risk",
    "priority": "high",
    "title": "Ada Byron may leave",
    "message": "The risk has risen from 48 % to 67 %.",
    "reason": "No order for 75 days",
    "risk_score": 0.67,
    "previous_risk_score": 0.48,
    "acknowledged_by": None,
    "acknowledged_at": None,
    "resolved_by": None,
    "resolved_at": None,
    "Resolved.resolved_at": _FORMATS["date-time"],
    "Acknowledged.acknowledged_at": _FORMATS["date-time"],
    "Resolved.message": "Alert resolved",
    "Acknowledged.message": "Alert acknowledged",
    "assigned_to": "anna",
    "snoozed_until": None,
    "raised_at": None,
    "resolution_notes": None,
    "note": "She asks for a call next week.",
    "KeptSince.note": None,
    "CustomerNote.note": "She moves abroad in spring.",
    "by": "anna",
    "WorkResult.error": None,
    "WorkResult.code": None,
    "BatchError.error": "There is no such customer.",
    "changed": 1,
    "newest_change": 42,
    "left_rate": 25.0,
    "matured": 4,
    "left": 1,
    "week": "2026-11-16",
    # Segments.
    "Segment.name": "Big baskets gone quiet",
    "segment_id": 5,
    "filter": {"status": ["new", "active", "at_risk"], "min_total_spent": 500},
    "Segment.links": {
        "customers": "/api/customers?segment=5&sort=value_at_risk",
        "csv": "/api/customers.csv?segment=5&sort=value_at_risk",
        "history": "/api/segments/5/history",
    },
    "changed_by": "anna",
    # The dashboard.
    "currency": "EUR",
    "churn_rate": 4.2,
    "model_accuracy": 86.5,
    "average_churn_probability": 0.34,
    "date": "2026-11-23",
    "total_customers": 1200,
    "FigureLinks.total_customers": "/api/customers",
    "FigureLinks.churn_rate": "/api/customers?lapsed_since=2026-10-24&lapsed_until=2026-11-23",
    "FigureLinks.high_risk_customers": "/api/customers?status=current&risk_level=high,critical",
    "FigureLinks.revenue_at_risk": "/api/customers?status=current",
    "FigureLinks.alerts_today": "/api/alerts?created_from=2026-11-23&created_to=2026-11-23&snoozed=true",
    "FigureLinks.resolved_alerts": "/api/alerts?status=resolved&snoozed=true",
    "FigureLinks.model_accuracy": "/api/models/20261120T021500Z",
    "FigureLinks.last_model_update": "/api/models/20261120T021500Z",
    "FigureLinks.average_churn_probability": "/api/customers?status=current",
    **{
        f"RiskDistributionLinks.{level}": f"/api/customers?status=current&risk_level={level}"
        for level in ("low", "medium", "high", "critical")
    },
    **{f"RiskDistribution.{level}": 300 for level in ("low", "medium", "high", "critical")},
    "AlertFigureLinks.alerts": "/api/alerts?created_from=2026-11-02&created_to=2026-11-22&snoozed=true",
    "AlertFigureLinks.matured": "/api/alerts?created_from=2026-11-02&outcome=left,stayed&snoozed=true",
    "AlertFigureLinks.left": "/api/alerts?created_from=2026-11-02&outcome=left&snoozed=true",
    "reasons": "Its ROC AUC is lower by 0.02.",
    "Cohort.first_day": "2026-09-01",
    "Cohort.customers": 120,
    "Cohort.is_complete": True,
    "Cohort.link": "/api/customers?first_order_from=2026-09-01&first_order_to=2026-09-30",
    "CohortAge.age": 2,
    "CohortAge.first_day": "2026-11-01",
    "CohortAge.customers": 21,
    "CohortAge.share": 0.175,
    "CohortAge.link": "/api/customers?first_order_from=2026-09-01&first_order_to=2026-09-30"
    "&ordered_again_from=2026-11-01&ordered_again_to=2026-11-30",
    "CohortTable.is_complete": True,
    # Models.
    "version": "20261120T021500Z",
    "current": "20261120T021500Z",
    "challenger": None,
    "champion": "20261120T021500Z",
    "ModelComparison.challenger": "20261123T021500Z",
    "first_day": "2026-11-02",
    "last_day": "2026-11-22",
    "first_week": "2026-11-02",
    "last_week": "2026-11-16",
    "day": "2026-11-23",
    "horizon_days": 90,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 412345,
    "source": "history",
    "compared_with": None,
    "column": "days_since_last_order",
    "verdict": "stable",
    "run_id": "0f8fad5bd9cb469fa16570867728950e",
    "requested_by": "anna",
    "progress": "fitting",
    "rolled_back": None,
    "form": "refitted",
    "mean_difference": 0.004,
    "rank_correlation": 0.991,
    "TriedForm.served": True,
    "trained_version": None,
    "tested_version": "2026-11-23T10-15-00Z-5d2c81aa",
    "metrics": {"roc_auc": 0.86, "brier_score": 0.11},
    "expected": {"churned": 210.4},
    "realised": {"churned": 203.0},
    "intervals": {"churned": [188.0, 219.0]},
    "differences": {"roc_auc": [-0.004, 0.011]},
    "champion_figures": {"roc_auc": 0.861},
    "challenger_figures": {"roc_auc": 0.864},
    # Tokens and health.
    "ticket": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl",
    "expires_in": 30,
    "subject": "anna",
    "Session.role": "admin",
    "SignedIn.role": "act",
    "openapi": "3.1.0",
    "info": {"title": "Churn service", "version": "0.1.0"},
    "servers": [{"url": "/prod"}],
    "service": "churn",
    "Health.version": "0.1.0",
    "Health.model_loaded": True,
    "held": {"scoring": "20261120T021500Z"},
    "milliseconds": 1.4,
    "detail": None,
}


def example_of(name: str, schemas: Mapping[str, Any]) -> Any:
    """Return an example of a schema: its fields that are always there, each with a value that is plausible for it."""
    schema = schemas[name]
    required = schema.get("required", ())
    return {
        field: _value(part, name, field, schemas)
        for field, part in schema.get("properties", {}).items()
        if field in required
    }


def _value(schema: Mapping[str, Any], owner: str, field: str, schemas: Mapping[str, Any]) -> Any:
    for key in (f"{owner}.{field}", field):
        if key in _VALUES and _fits(_VALUES[key], schema):
            return _VALUES[key]
    value: Any
    match schema:
        case {"$ref": str(reference)}:
            value = example_of(reference.removeprefix(_PREFIX), schemas)
        case {"const": value} | {"examples": [value, *_]} | {"enum": [value, *_]}:
            pass
        case {"anyOf": options}:
            some = next(option for option in options if option.get("type") != "null")
            value = _value(some, owner, field, schemas)
        case {"type": "array", "items": items}:
            value = [] if field == "errors" else [_value(items, owner, field, schemas)]
        case {"type": "string"}:
            value = _FORMATS.get(schema.get("format", ""), "text")
        case _:
            value = {"object": {}, "boolean": False}.get(schema.get("type", ""), schema.get("minimum", 1))
    return value


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether a value is of a schema's type, and one of its enumeration."""
    if "anyOf" in schema:
        return any(_fits(value, option) for option in schema["anyOf"])
    kind = schema.get("type", "")
    is_of_kind = isinstance(value, _KINDS.get(kind, ())) and isinstance(value, bool) == (kind == "boolean")
    return is_of_kind and value in schema.get("enum", [value])
