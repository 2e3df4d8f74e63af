"""The one table of routes: the gateway's policy, the functions, the rate limits and the API's description follow it."""

from dataclasses import dataclass, field

from churn.domain.audit import AuditAction
from churn.entrypoints.http import alert_requests, customer_requests, dashboard_requests, requests, segment_requests
from churn.entrypoints.http.requests import Model


@dataclass(frozen=True, slots=True)
class Route:
    """One route: the function that answers it, the weakest role that may call it (None: anybody), its models.

    `answer` is the name of a type of `churn.domain.answers` or `model_answers`, of which the API's description is made;
    it is empty where `media_types` say what comes in the place of JSON, and for an answer without content.
    `is_prediction` says that the rate limit of predictions holds for it too, `is_page` that it also answers with HTML,
    `is_table` that it answers with CSV, a line for each of what the model has in a list,
    `has_version` that answers carry an `ETag`, which `If-Match` of a change takes.
    `other_answer` is a second type of answers, which the query chooses.
    """

    operation: str
    method: str
    path: str
    function: str
    role: str | None
    summary: str
    answer: str
    query: type[Model] = requests.NoQuery
    body: type[Model] | None = None
    body_is_optional: bool = False
    is_prediction: bool = False
    is_page: bool = False
    is_table: bool = False
    has_version: bool = False
    media_types: tuple[str, ...] = ()
    other_answer: str | None = None
    status: int = 200
    body_bytes: int = 2 * 1024 * 1024
    """A larger body is refused."""
    audit: AuditAction | None = field(kw_only=True)
    """What the audit trail says is done; None where nothing of the shop's is read or changed."""

    @property
    def takes_version(self) -> bool:
        """Whether it changes one version alone, which `If-Match` names: what is made new has none before."""
        return self.has_version and self.method in {"PATCH", "DELETE"}


ROUTES = (
    Route("health", "GET", "/health", "health", None, "Whether the service is well", "Health", audit=None),
    Route(
        "health_status", "HEAD", "/health", "health", None, "Whether the service is well, by the status", "Health",
        audit=None,
    ),
    Route(
        "dashboard_page", "GET", "/", "dashboard", None, "The dashboard, a page for a browser", "",
        query=requests.PageQuery, media_types=("text/html",), audit=None,
    ),
    Route(
        "dashboard_asset", "GET", "/assets/{name}", "dashboard", None, "A file of the dashboard", "",
        media_types=("text/javascript", "text/css", "image/svg+xml"), audit=None,
    ),
    Route(
        "api_reference", "GET", "/docs", "dashboard", None, "The reference of this API, a page for a browser", "",
        media_types=("text/html",), audit=None,
    ),
    Route(
        "api_description", "GET", "/openapi.json", "dashboard", None, "The description of this API", "ApiDescription",
        audit=None,
    ),
    Route(
        "list_customers", "GET", "/api/customers", "customers", "read",
        "Customers with their features and churn predictions", "CustomerPage", query=customer_requests.CustomersQuery,
        other_answer="CustomerFieldsPage", audit="read",
    ),
    Route(
        "export_customers", "GET", "/api/customers.csv", "customers", "read",
        "The list of customers as a part of a file; `Link` leads to the next part", "CustomerPage",
        query=customer_requests.CustomersExport, is_table=True, audit="export",
    ),
    Route(
        "get_customer", "GET", "/api/customers/{customer_id}", "customers", "read",
        "One customer, with what drives the prediction", "CustomerDetail", query=customer_requests.AsOfQuery,
        other_answer="CustomerThen", audit="read",
    ),
    Route(
        "get_timeline", "GET", "/api/customers/{customer_id}/timeline", "customers", "read",
        "A customer's events, predictions, alerts, notes, and what was done with alerts, the newest first", "Timeline",
        query=customer_requests.TimelineQuery, audit="read",
    ),
    Route(
        "list_notes", "GET", "/api/customers/{customer_id}/notes", "customers", "read",
        "What people have noted about a customer, the newest first", "NotePage", query=customer_requests.NotesQuery,
        audit="read",
    ),
    Route(
        "add_note", "POST", "/api/customers/{customer_id}/notes", "customers", "act",
        "Note something about a customer", "CustomerNote", body=customer_requests.NewNote, status=201, audit="change",
    ),
    Route(
        "delete_note", "DELETE", "/api/customers/{customer_id}/notes/{id}", "customers", "act",
        "Delete a note of one's own", "", status=204, audit="change",
    ),
    Route(
        "get_risk_history", "GET", "/api/customers/{customer_id}/predictions", "customers", "read",
        "A customer's risk over time, the newest prediction first, and what changed it", "RiskHistory",
        query=customer_requests.RiskQuery, audit="read",
    ),
    Route(
        "hand_over_customer", "GET", "/api/customers/{customer_id}/export", "customers", "admin",
        "All that is stored of a customer, as JSON, a part at a time", "CustomerExport",
        query=customer_requests.HandOverQuery, audit="export",
    ),
    Route(
        "erase_customer", "DELETE", "/api/customers/{customer_id}", "customers", "admin",
        "A customer is erased within seconds, and versions of the model that learned from them are told",
        "CustomerErasure", status=202, audit="erasure",
    ),
    Route(
        "list_events", "GET", "/api/customers/{customer_id}/events", "customers", "read",
        "A customer's history, the newest event first", "EventPage", query=customer_requests.EventsQuery,
        audit="read",
    ),
    Route(
        "list_segments", "GET", "/api/segments", "customers", "read",
        "Named filters of customers, with what was counted of each last night", "SegmentList", audit="read",
    ),
    Route(
        "add_segment", "POST", "/api/segments", "customers", "act",
        "Give a filter a name", "Segment", body=segment_requests.NewSegment, has_version=True, status=201,
        audit="change",
    ),
    Route(
        "get_segment", "GET", "/api/segments/{id}", "customers", "read",
        "One segment, with figures of the last minute", "Segment", has_version=True, audit="read",
    ),
    Route(
        "change_segment", "PATCH", "/api/segments/{id}", "customers", "act",
        "Give a segment another name or another filter", "Segment",
        body=segment_requests.SegmentChange, has_version=True, audit="change",
    ),
    Route(
        "delete_segment", "DELETE", "/api/segments/{id}", "customers", "act",
        "Delete a segment with its history", "", has_version=True, status=204, audit="change",
    ),
    Route(
        "segment_history", "GET", "/api/segments/{id}/history", "customers", "read",
        "What was counted of a segment each night, the newest first", "SegmentHistory",
        query=segment_requests.HistoryQuery, audit="read",
    ),
    Route(
        "take_events", "POST", "/api/events", "events", "write",
        "Hand in one event or up to 500; each is answered", "EventsTaken",
        body=requests.EventsRequest, status=202, body_bytes=5 * 1024 * 1024, audit="intake",
    ),
    Route(
        "predict", "POST", "/api/churn/predict", "prediction", "predict",
        "The churn probability for features, a customer, or a what-if of one", "PredictionAnswer",
        body=requests.PredictionRequest, is_prediction=True, audit="read",
    ),
    Route(
        "predict_batch", "POST", "/api/churn/predict/batch", "prediction", "predict",
        "Up to 1,000 predictions at once", "BatchAnswer", body=requests.BatchRequest, is_prediction=True,
        audit="read",
    ),
    Route(
        "list_predictions", "GET", "/api/churn/predictions", "prediction", "read",
        "Stored predictions, the newest first", "PredictionPage", query=requests.PredictionsQuery, audit="read",
    ),
    Route(
        "export_predictions", "GET", "/api/churn/predictions.csv", "prediction", "read",
        "The list of predictions as a part of a file; `Link` leads to the next part", "PredictionPage",
        query=requests.PredictionsExport, is_table=True, audit="export",
    ),
    Route(
        "list_alerts", "GET", "/api/alerts", "alerts", "read",
        "Alerts, the newest first", "AlertPage", query=alert_requests.AlertsQuery, audit="read",
    ),
    Route(
        "alert_performance", "GET", "/api/alerts/performance", "alerts", "read",
        "What became of the customers of alerts, by kind and week", "AlertPerformance",
        query=alert_requests.PerformanceQuery, audit="read",
    ),
    Route(
        "export_alerts", "GET", "/api/alerts.csv", "alerts", "read",
        "The list of alerts as a part of a file; `Link` leads to the next part", "AlertPage",
        query=alert_requests.AlertsExport, is_table=True, audit="export",
    ),
    Route(
        "preview_alerts", "GET", "/api/alerts/preview", "alerts", "read",
        "What other settings would have raised in thirty days, and how many of these customers left", "AlertPreview",
        query=alert_requests.PreviewQuery, audit="read",
    ),
    Route(
        "get_alert", "GET", "/api/alerts/{id}", "alerts", "read",
        "One alert, with what was done about it", "AlertDetail", has_version=True, audit="read",
    ),
    Route(
        "work_on_alert", "PATCH", "/api/alerts/{id}", "alerts", "act",
        "Take an alert on, hand it over, put it off, note something, close it or open it again", "AlertDetail",
        body=alert_requests.AlertWork, has_version=True, audit="change",
    ),
    Route(
        "work_on_alerts", "PATCH", "/api/alerts", "alerts", "act",
        "Do the same with up to 500 alerts; each is answered", "WorkResults", body=alert_requests.AlertsWork,
        audit="change",
    ),
    Route(
        "acknowledge_alert", "POST", "/api/alerts/{id}/acknowledge", "alerts", "act",
        "Somebody is taking care of an alert", "Acknowledged", body=requests.Empty, body_is_optional=True,
        audit="change",
    ),
    Route(
        "resolve_alert", "POST", "/api/alerts/{id}/resolve", "alerts", "act",
        "An alert has been dealt with", "Resolved", body=alert_requests.Resolution, body_is_optional=True,
        audit="change",
    ),
    Route(
        "issue_ticket", "POST", "/api/alerts/ticket", "alerts", "read",
        "A ticket that opens one WebSocket within 30 seconds", "Ticket", body=requests.Empty, body_is_optional=True,
        audit=None,
    ),
    Route(
        "open_session", "POST", "/api/session", "alerts", None,
        "Exchange a code, which is used once, for a token", "Session", body=requests.SessionCode, audit=None,
    ),
    Route(
        "get_session", "GET", "/api/session", "alerts", "read", "Who asks, and what they may do", "SignedIn",
        audit=None,
    ),
    Route(
        "list_api_keys", "GET", "/api/keys", "alerts", "admin", "The API keys, without their texts", "ApiKeyList",
        audit="read",
    ),
    Route(
        "make_api_key", "POST", "/api/keys", "alerts", "admin",
        "A key for a machine; its text is shown this once", "MadeApiKey", body=requests.NewApiKey, status=201,
        audit="change",
    ),
    Route(
        "revoke_api_key", "DELETE", "/api/keys/{id}", "alerts", "admin",
        "The key opens nothing any more, within a minute", "", status=204, audit="change",
    ),
    Route(
        "list_audit_entries", "GET", "/api/audit", "audit", "admin",
        "Who read, changed, exported or erased what and when, the newest first", "AuditPage",
        query=requests.AuditQuery, audit="read",
    ),
    Route(
        "dashboard_stats", "GET", "/api/dashboard/stats", "stats", "read", "The figures of this moment", "Stats",
        audit="read",
    ),
    Route(
        "dashboard_trends", "GET", "/api/dashboard/trends", "stats", "read",
        "The figures over time", "Trends", query=dashboard_requests.TrendsQuery, audit="read",
    ),
    Route(
        "retention", "GET", "/api/retention", "stats", "read",
        "Who ordered again, by the month or week of the first order", "CohortTable",
        query=dashboard_requests.CohortsQuery, audit="read",
    ),
    Route(
        "get_ingestion", "GET", "/api/ingestion", "stats", "read",
        "How events come in: how fast, how far behind, and what is missing", "Ingestion", audit="read",
    ),
    Route(
        "list_dead_letters", "GET", "/api/dead-letters", "stats", "read",
        "Records that could not be applied, the newest first, with the reasons; their contents for admin alone",
        "DeadLetterPage", query=requests.DeadLettersQuery, audit="read",
    ),
    Route(
        "redrive_dead_letters", "POST", "/api/dead-letters/redrive", "stats", "admin",
        "The dead letters are tried again; `Location` tells how many are left", "Redrive",
        body=requests.Empty, body_is_optional=True, status=202, audit="change",
    ),
    Route(
        "list_imports", "GET", "/api/imports", "stats", "read",
        "The files that were imported last, and what became of their lines", "Imports", query=requests.ImportsQuery,
        audit="read",
    ),
    Route(
        "list_models", "GET", "/api/models", "models", "read",
        "The model's versions, the newest first, and which of them serves", "ModelVersions",
        query=requests.ModelsQuery, audit="read",
    ),
    Route(
        "get_model", "GET", "/api/models/{version}", "models", "read",
        "All that is known of a version", "ModelVersionDetail", audit="read",
    ),
    Route(
        "get_report", "GET", "/api/models/{version}/report", "models", "read",
        "How good a version is, as JSON or as a page", "Report", query=requests.ReportQuery, is_page=True,
        audit="read",
    ),
    Route(
        "promote_model", "POST", "/api/models/{version}/promote", "models", "admin",
        "The version serves from now on", "Promoted", body=requests.Promotion, body_is_optional=True, audit="change",
    ),
    Route(
        "roll_back_model", "POST", "/api/models/rollback", "models", "admin",
        "The version before serves again", "Promoted", body=requests.RollBack, body_is_optional=True, audit="change",
    ),
    Route(
        "train_model", "POST", "/api/models/train", "models", "admin",
        "A new version is being trained; `Location` tells how far", "TrainingRun",
        body=requests.Empty, body_is_optional=True, status=202, audit="change",
    ),
    Route(
        "get_training_run", "GET", "/api/models/runs/{run_id}", "models", "read",
        "How far a training run is, or how it ended", "TrainingRun", audit="read",
    ),
)  # fmt: skip

BY_OPERATION = {route.operation: route for route in ROUTES}
