"""Every route passes the audit trail: what it is told, and what is not done without it."""

import re
from typing import Any

import pytest

from churn.adapters.redis_cache import Cache
from churn.domain.errors import ConflictError, CustomerNotFoundError, FieldError, InvalidInputError, NotFoundError
from churn.entrypoints.http.app import Api, Call, View
from churn.entrypoints.http.routes import BY_OPERATION, ROUTES, Route
from churn.settings import Settings
from infra.local.template.reader import load
from tests.support.audit import KeptTrail
from tests.support.http import Answer
from tests.support.rest import FUNCTIONS, ask

_SETTINGS = Settings.from_environment({})
# Nothing of the shop's is read or changed by these. A ticket and a session open what has entries of its own.
_NOT_AUDITED = {
    *("health", "health_status", "dashboard_page", "dashboard_asset", "api_reference", "api_description"),
    *("issue_ticket", "open_session", "get_session"),
}
_VERSION = "2026-11-26T15-42-19.936139Z-223aba1e"
_BODIES: dict[str, Any] = {
    "predict": {"customer_id": "C-1"},
    "predict_batch": {"customers": [{"customer_id": "C-1"}]},
    "take_events": {"events": [{}]},
    "add_note": {"note": "x"},
    "add_segment": {"name": "x", "filter": {}},
    "change_segment": {"name": "x"},
    "work_on_alert": {"status": "resolved"},
    "work_on_alerts": {"ids": [3, 4], "status": "resolved"},
    "make_api_key": {"name": "x", "role": "read", "expires_in_days": 1},
    "open_session": {"code": "x"},
}


class _Asked:
    """One route, whose view answers with `answer`."""

    def __init__(self, route: Route, answer: Any = None) -> None:
        self.route = route
        self.trail = KeptTrail()
        self.calls = 0
        self.api = Api(route.function, _SETTINGS, Cache(""), trail=self.trail, reports=False)

        def view(_: Call) -> Any:
            self.calls += 1
            if isinstance(answer, Exception):
                raise answer
            return answer or {}

        registered: View = view
        self.api.answers(route.operation)(registered)

    def ask(self, path: str = "", **more: Any) -> Answer:
        target = path or re.sub(r"\{\w+\}", "7", self.route.path)
        return ask(self.api.app, self.route.method, target, _BODIES.get(self.route.operation), subject="anna", **more)


def _asked(operation: str, answer: Any = None) -> _Asked:
    return _Asked(BY_OPERATION[operation], answer)


def test_the_routes_of_the_template_are_those_that_are_classed() -> None:
    given = {"DatabaseUrl": "mysql://d", "JwtSecret": "x" * 40, "ErasureKey": "y" * 40}
    rest = load(FUNCTIONS.parent / "template.yaml", given, socket_endpoint="http://127.0.0.1:1").rest
    assert rest is not None
    told = {(route.method, route.path, route.function) for route in rest.routes if route.method != "OPTIONS"}
    assert told == {(route.method, route.path, f"churn-{route.function}") for route in ROUTES}
    assert {route.operation for route in ROUTES if route.audit is None} == _NOT_AUDITED
    exports = {route.operation for route in ROUTES if route.operation.startswith(("export_", "hand_over"))}
    assert {route.operation for route in ROUTES if route.audit == "export"} == exports
    assert {route.operation for route in ROUTES if route.audit == "intake"} == {"take_events"}
    # A prediction asks, although it has a body.
    changing = {route.operation for route in ROUTES if route.method != "GET" and not route.is_prediction}
    changing -= {*_NOT_AUDITED, "take_events"}
    assert {route.operation for route in ROUTES if route.audit in {"change", "erasure"}} == changing


@pytest.mark.parametrize("route", [route for route in ROUTES if route.audit], ids=lambda route: route.operation)
def test_every_route_is_told_of_when_it_ends_and_what_changes_before_it_begins(route: Route) -> None:
    asked = _Asked(route)
    answer = asked.ask()
    assert (answer.status, asked.calls) == (route.status, 1), answer.body
    begun = [None] if route.audit in {"change", "export", "erasure"} else []
    assert [entry.status for entry in asked.trail.entries] == [*begun, route.status]
    for entry in asked.trail.entries:
        assert (entry.subject, entry.role, entry.action) == ("anna", "admin", route.audit)
        assert (entry.operation, entry.request_id) == (route.operation, answer.headers["X-Request-Id"])


@pytest.mark.parametrize("route", [route for route in ROUTES if route.audit], ids=lambda route: route.operation)
def test_without_the_trail_reads_go_on_and_nothing_is_changed_or_exported(route: Route) -> None:
    asked = _Asked(route)
    asked.trail.is_down = True
    answer = asked.ask()
    goes_on = route.audit in {"read", "intake"}
    assert (answer.status, asked.calls) == ((route.status, 1) if goes_on else (503, 0))
    if not goes_on:
        assert answer.json["detail"] == "The audit trail is not available now."
        assert answer.headers["Retry-After"] == "5"


def test_a_route_that_is_audited_needs_a_trail() -> None:
    with pytest.raises(ValueError, match="list_customers needs an audit trail"):
        Api("customers", _SETTINGS, Cache("")).answers("list_customers")(lambda _: {})


@pytest.mark.parametrize(
    ("operation", "answer", "path", "told"),
    [
        ("get_alert", {"id": 12, "customer_id": "C-1"}, "/api/alerts/12", "12"),
        ("work_on_alerts", None, "", "3,4"),
        ("make_api_key", {"id": "0123456789abcdef"}, "", "0123456789abcdef"),
        ("train_model", {"run_id": "0" * 32}, "", "0" * 32),
        ("promote_model", None, f"/api/models/{_VERSION}/promote", _VERSION),
        ("get_alert", None, "/api/alerts/CUST-example", None),
        ("promote_model", None, "/api/models/CUST-example/promote", None),
        ("list_customers", {"customers": []}, "/api/customers?search=ann%40example.org", None),
        ("get_alert", None, "/api/alerts/ann%40example.org", None),
    ],
)
def test_things_are_named_by_ids_of_the_services_own(operation: str, answer: Any, path: str, told: str | None) -> None:
    asked = _asked(operation, answer)
    asked.ask(path)
    assert asked.trail.entries[-1].object == told
    assert "example" not in str([entry.to_dict() for entry in asked.trail.entries])


_RESULTS = [{"id": 3, "outcome": "changed", "code": None}, {"id": 4, "outcome": "refused", "code": 404}]


@pytest.mark.parametrize(
    ("operation", "answer", "told"),
    [
        ("get_alert", NotFoundError("4711"), None),
        ("get_alert", InvalidInputError(FieldError("id", "is odd")), None),
        ("work_on_alert", NotFoundError("4711"), None),
        ("work_on_alert", ConflictError("It is resolved."), "4711"),
        ("work_on_alerts", {"results": _RESULTS}, "3"),
    ],
)
def test_an_id_of_what_is_not_there_may_be_a_customers_and_is_not_told(
    operation: str, answer: Any, told: str | None
) -> None:
    asked = _asked(operation, answer)
    asked.ask("" if operation == "work_on_alerts" else "/api/alerts/4711")
    # Before it has begun, nothing is known to be there.
    assert [entry.object for entry in asked.trail.entries] == [*[None] * (len(asked.trail.entries) - 1), told]


@pytest.mark.parametrize(
    ("operation", "answer", "path"),
    [
        ("get_customer", None, "/api/customers/C-1"),
        ("predict", None, ""),
        ("list_alerts", None, "/api/alerts?customer_id=C-1"),
        ("get_alert", {"id": 12, "customer_id": "C-1"}, "/api/alerts/12"),
        ("hand_over_customer", None, "/api/customers/C-1/export"),
    ],
)
def test_customers_are_named_by_the_hmac_of_their_tombstone(operation: str, answer: Any, path: str) -> None:
    asked = _asked(operation, answer)
    asked.ask(path)
    grave = asked.trail.hmac_of("C-1")
    assert asked.trail.entries[-1].customer_hmac == grave
    assert "C-1" not in str([entry.to_dict() for entry in asked.trail.entries])
    # An id that looks like a tombstone is hashed like any other; a tombstone stands for whom it stands for.
    assert asked.trail.hmac_of(f"erased:{grave}") == grave
    assert len(asked.trail.hmac_of("erased:ann@example.org")) == 43


def test_what_fails_is_told_with_its_status() -> None:
    asked = _asked("add_note", CustomerNotFoundError("C-1"))
    assert asked.ask("/api/customers/C-1/notes").status == 404
    assert [entry.status for entry in asked.trail.entries] == [None, 404]


@pytest.mark.parametrize(
    ("more", "status"), [({"role": "read"}, 403), ({"role": None}, 401), ({"expires_in": -1}, 401)]
)
def test_who_may_not_reads_nothing_and_gets_no_entry(more: dict[str, Any], status: int) -> None:
    asked = _asked("hand_over_customer")
    assert asked.ask(**more).status == status
    assert (asked.calls, asked.trail.entries) == (0, [])


def test_a_prediction_for_features_alone_reads_nothing_of_the_shop() -> None:
    asked = _asked("predict")
    assert ask(asked.api.app, "POST", "/api/churn/predict", {"total_orders": 3}).status == 200
    batch = _asked("predict_batch")
    assert ask(batch.api.app, "POST", "/api/churn/predict/batch", {"customers": [{"total_orders": 3}]}).status == 200
    assert (asked.calls, batch.calls, asked.trail.entries + batch.trail.entries) == (1, 1, [])
