"""Every route over HTTP, for good and for bad input; each answer is held against docs/openapi.json."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from churn.domain.features import FEATURE_NAMES
from churn.domain.roles import ROLES, includes
from churn.entrypoints.http.tokens import issue_code
from tests.contract.conftest import Stack
from tests.support import eventually
from tests.support.http import Answer

_DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
_ROLES: dict[str, str] = {}
_OPERATIONS: dict[str, tuple[str, str]] = {}
for _path, _methods in _DOCUMENT["paths"].items():
    for _method, _operation in _methods.items():
        _OPERATIONS[_operation["operationId"]] = (_method.upper(), _path)
        if _operation.get("security") != []:
            _ROLES[_operation["operationId"]] = re.findall(r"`(\w+)`", _operation["description"])[0]


def assert_described(operation: str, answer: Answer) -> Any:
    """Hold an answer against the description of its operation; return its JSON."""
    method, path = _OPERATIONS[operation]
    described = _DOCUMENT["paths"][path][method.lower()]["responses"][str(answer.status)]["content"]
    kind = answer.headers["Content-Type"].split(";")[0]
    schema = {**described[kind]["schema"], "components": _DOCUMENT["components"]}
    value = answer.body.decode() if kind == "text/csv" else answer.json
    errors = list(Draft202012Validator(schema).iter_errors(value))
    assert not errors, errors[:3]
    return value


def _assert_refused(operation: str, answer: Answer, status: int, *, by_sam: set[int]) -> None:
    """Hold a refusal against the description; one that `sam local` makes up has one of the statuses `by_sam`."""
    if answer.by_sam:
        assert answer.status in by_sam, answer.body
    else:
        assert answer.status == status, answer.body
        assert_described(operation, answer)


def answered(stack: Stack, operation: str, path: str, body: object = None) -> Any:
    """Return the JSON of an answer that is as described, and not a problem."""
    answer = stack.ask(_OPERATIONS[operation][0], path, body)
    assert answer.status == 200, answer.body
    assert int(answer.headers["X-RateLimit-Remaining"]) < int(answer.headers["X-RateLimit-Limit"])
    assert int(answer.headers["X-RateLimit-Reset"]) > datetime.now(UTC).timestamp() - 1
    return assert_described(operation, answer)


@pytest.fixture(scope="module")
def somebody(stack: Stack) -> dict[str, Any]:
    """Return a customer of the sample shop who has ordered."""
    page = answered(stack, "list_customers", "/api/customers?limit=1&sort=total_spent")
    stack.needs_customers(page["total"], 1)
    customer: dict[str, Any] = page["customers"][0]
    return customer


def test_health_needs_no_token(stack: Stack) -> None:
    answer = stack.get("/health", role=None)
    health = assert_described("health", answer)
    assert (answer.status, health["status"], health["model_loaded"]) == (200, "healthy", True)
    assert {check["status"] for check in health["checks"].values()} == {"up"}
    assert health["model_version"]
    # The poller has told how far it is.
    assert health["checks"]["ingestion"]["waiting"] is not None or stack.endpoints is None


def test_health_answers_head_by_its_status(stack: Stack) -> None:
    answer = stack.ask("HEAD", "/health", role=None)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("operation", sorted(_ROLES))
@pytest.mark.parametrize("kind", ["none", "nonsense", "expired"])
def test_without_a_valid_token_it_is_a_401(stack: Stack, operation: str, kind: str) -> None:
    method, path = _OPERATIONS[operation]
    token = stack.token("admin", -60) if kind == "expired" else {"none": None, "nonsense": "a.b.c"}[kind]
    answer = stack.ask(method, _filled(path), {} if method == "POST" else None, role=None, token=token)
    _assert_refused(operation, answer, 401, by_sam={401, 502})


@pytest.mark.parametrize("operation", sorted(_ROLES))
@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_is_too_weak_is_a_403_and_no_other(stack: Stack, operation: str, role: str) -> None:
    method, path = _OPERATIONS[operation]
    # A field that is not known: a role that is strong enough changes nothing by it.
    answer = stack.ask(method, _filled(path), {"unheard_of": 1} if method == "POST" else None, role=role)
    if includes(role, _ROLES[operation]):
        assert answer.status in {200, 400, 404}, answer.body
        assert_described(operation, answer)
    else:
        _assert_refused(operation, answer, 403, by_sam={403})


def test_a_list_has_the_fields_that_were_asked_for(stack: Stack) -> None:
    whole = answered(stack, "list_customers", "/api/customers?limit=5")
    some = answered(stack, "list_customers", "/api/customers?limit=5&fields=customer_id,email&fields=total_spent")
    wanted = ("customer_id", "email", "total_spent")
    assert some["customers"] == [{name: one[name] for name in wanted} for one in whole["customers"]]
    assert (some["total"], some["limit"]) == (whole["total"], 5)


def test_customers_between_bounds_come_by_their_value_at_risk(stack: Stack) -> None:
    bounds = "min_churn_probability=0.5&max_days_since_last_order=100&min_total_orders=2&has_open_alert=false"
    path = f"/api/customers?status=current&sort=value_at_risk&limit=50&{bounds}"
    page = answered(stack, "list_customers", path)
    listed = page["customers"]
    while page["next_cursor"] is not None:
        page = answered(stack, "list_customers", f"{path}&cursor={page['next_cursor']}")
        listed += page["customers"]
    values = [customer["value_at_risk"] for customer in listed]
    assert values == sorted(values, reverse=True)
    for customer in listed:
        assert customer["churn_probability"] >= 0.5
        assert customer["total_orders"] >= 2
        assert customer["value_at_risk"] == customer["revenue_at_risk"]
        assert 0 < customer["risk_percentile"] <= 100


def test_a_segment_is_made_listed_opened_and_deleted(stack: Stack) -> None:
    name = f"at risk {uuid.uuid4().hex[:8]}"
    made = stack.post("/api/segments", {"name": name, "filter": {"status": "at_risk", "min_total_orders": 2}})
    assert made.status == 201, made.body
    segment = assert_described("add_segment", made)
    path = f"/api/segments/{segment['id']}"
    taken = stack.post("/api/segments", {"name": name.upper(), "filter": {}})
    _assert_refused("add_segment", taken, 409, by_sam=set())
    figures = answered(stack, "get_segment", path)["figures"]
    page = answered(stack, "list_customers", f"/api/customers?segment={quote(name)}&limit=500&sort=value_at_risk")
    assert {customer["status"] for customer in page["customers"]} <= {"at_risk"}
    # The stream goes on meanwhile: a few may have moved.
    assert abs(figures["customers"] - len(page["customers"])) <= 20 or page["next_cursor"]
    assert path in [
        f"/api/segments/{one['id']}" for one in answered(stack, "list_segments", "/api/segments")["segments"]
    ]
    assert answered(stack, "segment_history", f"{path}/history")["segment_id"] == segment["id"]
    changed = stack.ask("PATCH", path, {"name": f"{name}!"}, if_match='"7"')
    _assert_refused("change_segment", changed, 412, by_sam=set())
    gone = stack.ask("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    _assert_refused("get_segment", stack.get(path), 404, by_sam=set())


def test_segments_come_with_the_service_and_stay(stack: Stack) -> None:
    built_in = [one for one in answered(stack, "list_segments", "/api/segments")["segments"] if one["is_built_in"]]
    assert len(built_in) == 4
    for segment in built_in:
        assert answered(stack, "list_customers", segment["links"]["customers"])["total"] >= 0
        refused = stack.ask("DELETE", f"/api/segments/{segment['id']}")
        _assert_refused("delete_segment", refused, 409, by_sam=set())


@pytest.mark.parametrize("sort", ["churn_probability", "total_spent", "days_since_last_order", "customer_id"])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_customers_come_sorted_and_page_by_page(stack: Stack, sort: str, order: str) -> None:
    listed: list[dict[str, Any]] = []
    path = f"/api/customers?limit=60&sort={sort}&order={order}"
    page = answered(stack, "list_customers", path)
    stack.needs_customers(page["total"], 61)
    while True:
        listed += page["customers"]
        if page["next_cursor"] is None or len(listed) > 500:
            break
        page = answered(stack, "list_customers", f"{path}&cursor={page['next_cursor']}")
    assert len({customer["customer_id"] for customer in listed}) == len(listed) > 60
    values = [customer[sort] for customer in listed if customer[sort] is not None]
    if sort == "days_since_last_order":
        # Pages are worked out at different instants.
        values = [round(value, 2) for value in values]
    assert values == sorted(values, reverse=order == "desc")
    offset = answered(stack, "list_customers", f"{path}&offset=60")
    assert offset["customers"][0]["customer_id"] == listed[60]["customer_id"]


def test_one_customer_and_its_history(stack: Stack, somebody: dict[str, Any]) -> None:
    customer_id = quote(somebody["customer_id"])
    customer = answered(stack, "get_customer", f"/api/customers/{customer_id}")
    assert set(FEATURE_NAMES) <= customer.keys()
    assert customer["address"] is None or isinstance(customer["address"], dict)
    assert {name: customer[name] for name in ("name", "email")} == {name: somebody[name] for name in ("name", "email")}
    events = answered(stack, "list_events", f"/api/customers/{customer_id}/events?limit=500&event_type=order_placed")
    assert events["total"] >= len(events["events"]) >= 1
    day = events["events"][0]["timestamp"][:10]
    cut = answered(
        stack,
        "list_events",
        f"/api/customers/{customer_id}/events?event_type=order_placed&date_from={day}&date_to={day}",
    )
    assert all(event["timestamp"].startswith(day) for event in cut["events"])
    assert cut["total"] >= 1


def test_a_customer_is_found_by_the_beginning_of_the_id(stack: Stack, somebody: dict[str, Any]) -> None:
    page = answered(stack, "list_customers", f"/api/customers?search={quote(somebody['customer_id'].lower())}")
    assert somebody["customer_id"] in [customer["customer_id"] for customer in page["customers"]]
    nobody = answered(stack, "list_customers", "/api/customers?search=zzzzqqqq")
    assert (nobody["customers"], nobody["total"]) == ([], 0)


@pytest.mark.parametrize("level", ["low", "medium", "high", "critical"])
def test_filters_and_totals_agree(stack: Stack, level: str) -> None:
    page = answered(stack, "list_customers", f"/api/customers?limit=500&risk_level={level}")
    assert page["total"] >= len(page["customers"])
    assert {customer["risk_level"] for customer in page["customers"]} <= {level}
    found = answered(stack, "list_predictions", f"/api/churn/predictions?risk_level={level}")
    assert {prediction["risk_level"] for prediction in found["predictions"]} <= {level}


@pytest.mark.parametrize(
    "query",
    [
        "status=current&risk_level=high,critical",
        "status=new,active&status=at_risk&risk_level=critical&risk_level=high",
        "status=current&status=at_risk&risk_level=%20high%20,critical,high",
    ],
)
def test_filters_take_several_values(stack: Stack, query: str) -> None:
    single = [
        answered(stack, "list_customers", f"/api/customers?limit=500&status={status}&risk_level={level}")
        for status in ("new", "active", "at_risk")
        for level in ("high", "critical")
    ]
    page = answered(stack, "list_customers", f"/api/customers?limit=500&{query}")
    assert page["total"] == sum(one["total"] for one in single)
    assert {customer["status"] for customer in page["customers"]} <= {"new", "active", "at_risk"}
    assert {customer["risk_level"] for customer in page["customers"]} <= {"high", "critical"}


def test_predictions_for_features_customers_and_what_ifs(stack: Stack, somebody: dict[str, Any]) -> None:
    features = {name: somebody[name] for name in FEATURE_NAMES}
    plain = answered(stack, "predict", "/api/churn/predict", features)
    assert plain["risk_level"] in {"low", "medium", "high", "critical"}
    customer_id = somebody["customer_id"]
    as_stored = answered(stack, "predict", "/api/churn/predict", {"customer_id": customer_id})
    assert as_stored["churn_probability"] == pytest.approx(plain["churn_probability"], abs=0.05)
    silent = {"customer_id": customer_id, "days_since_last_order": 170, "login_frequency": 0, "support_tickets": 5}
    what_if = answered(stack, "predict", "/api/churn/predict", silent)
    assert "Send re-engagement email campaign" in what_if["recommendations"]
    assert "Assign dedicated customer success manager" in what_if["recommendations"]
    assert [action["text"] for action in what_if["recommended_actions"]] == what_if["recommendations"]
    compared = what_if["what_if"]
    _adds_up(what_if)
    # What the list shows of the customer, sent back as it is, changes nothing.
    shown = answered(stack, "get_customer", f"/api/customers/{customer_id}")
    for same in ({"total_orders": shown["total_orders"]}, {name: shown[name] for name in FEATURE_NAMES}):
        unchanged = answered(stack, "predict", "/api/churn/predict", {"customer_id": customer_id, **same})
        _adds_up(unchanged)
        assert (unchanged["what_if"]["change"], unchanged["what_if"]["changes"]) == (0, [])
    assert compared["churn_probability"] == pytest.approx(as_stored["churn_probability"], abs=0.01)
    assert compared["change"] == pytest.approx(sum(change["effect"] for change in compared["changes"]))
    assert {change["feature"] for change in compared["changes"]} >= {"days_since_last_order", "support_tickets"}
    batch = answered(
        stack,
        "predict_batch",
        "/api/churn/predict/batch",
        {"customers": [features, {"customer_id": "no such customer"}, {"total_orders": -1}, silent]},
    )
    probabilities = [one.get("churn_probability", one.get("code")) for one in batch["predictions"]]
    assert probabilities == [
        pytest.approx(plain["churn_probability"], abs=1e-6),
        404,
        400,
        pytest.approx(what_if["churn_probability"], abs=0.01),
    ]


def _adds_up(answer: dict[str, Any]) -> None:
    """Hold that a prediction is the average with all reasons, and a what-if what was before with its changes."""
    reasons = [driver["contribution"] for driver in answer["drivers"]] + [answer["other_contributions"]]
    assert round(answer["base_probability"] + sum(reasons), 6) == answer["churn_probability"]
    compared = answer["what_if"]
    assert round(compared["churn_probability"] + compared["change"], 6) == answer["churn_probability"]
    assert round(sum(change["effect"] for change in compared["changes"]), 6) == compared["change"]


def test_a_thousand_predictions_at_once(stack: Stack) -> None:
    items = [{"days_since_last_order": number / 10, "total_orders": 3} for number in range(1000)]
    batch = answered(stack, "predict_batch", "/api/churn/predict/batch", {"customers": items})
    assert len(batch["predictions"]) == 1000


def test_an_alert_is_acknowledged_and_resolved(stack: Stack) -> None:
    customer_id = f"ALERT-{uuid.uuid4().hex[:8]}"
    stack.publish("payment_failed", customer_id, datetime.now(UTC), order_id="o1")

    def raised() -> list[dict[str, Any]]:
        page = answered(stack, "list_alerts", "/api/alerts?limit=100&status=new")
        return [alert for alert in page["alerts"] if alert["customer_id"] == customer_id]

    (alert,) = eventually(raised, every=0.1)
    assert (alert["alert_type"], alert["customer_name"]) == ("payment_failure", customer_id)
    path = f"/api/alerts/{alert['id']}"
    first = answered(stack, "acknowledge_alert", f"{path}/acknowledge")
    assert answered(stack, "acknowledge_alert", f"{path}/acknowledge", {}) == first
    notes = {"resolution_notes": "Called."}
    resolved = answered(stack, "resolve_alert", f"{path}/resolve", notes)
    assert answered(stack, "resolve_alert", f"{path}/resolve") == resolved
    answer = stack.post(f"{path}/acknowledge")
    assert answer.status == 409
    assert_described("acknowledge_alert", answer)
    again = answered(stack, "list_alerts", f"/api/alerts?status=resolved&since={alert['id'] - 1}&limit=500")
    assert alert["id"] in [one["id"] for one in again["alerts"]]


def test_two_people_work_on_alerts_and_neither_undoes_what_the_other_did(stack: Stack) -> None:
    customers = {f"WORK-{uuid.uuid4().hex[:8]}" for _ in range(2)}
    for customer_id in customers:
        stack.publish("payment_failed", customer_id, datetime.now(UTC), order_id="o1")

    def raised() -> list[dict[str, Any]]:
        pages = [answered(stack, "list_alerts", f"/api/alerts?customer_id={one}") for one in sorted(customers)]
        alerts = [alert for page in pages for alert in page["alerts"]]
        return alerts if len(alerts) == 2 else []

    first, second = eventually(raised, every=0.1)
    path, anna, ben = (
        f"/api/alerts/{first['id']}",
        stack.token("act", subject="anna"),
        stack.token("act", subject="ben"),
    )
    version = f'"{first["change"]}"'
    work = {"status": "in_progress", "assigned_to": "me", "note": "She asks for a call."}
    taken = stack.ask("PATCH", path, work, token=anna, if_match=version)
    assert assert_described("work_on_alert", taken)["assigned_to"] == "anna"
    assert taken.headers["ETag"] == f'"{taken.json["change"]}"'
    late = stack.ask("PATCH", path, {"status": "dismissed", "reason": "a test"}, token=ben, if_match=version)
    _assert_refused("work_on_alert", late, 412, by_sam=set())
    mine = stack.ask("GET", "/api/alerts?assigned_to=me&status=in_progress,new", token=anna).json
    assert first["id"] in [alert["id"] for alert in mine["alerts"]]

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    both = {"ids": [first["id"], second["id"], 999999999], "snoozed_until": tomorrow}
    outcomes = assert_described("work_on_alerts", stack.ask("PATCH", "/api/alerts", both, token=ben))
    assert [one["outcome"] for one in outcomes["results"]] == ["changed", "changed", "refused"]
    assert answered(stack, "list_alerts", f"/api/alerts?customer_id={first['customer_id']}")["alerts"] == []
    asleep = answered(stack, "list_alerts", f"/api/alerts?snoozed=only&customer_id={first['customer_id']}")
    assert [alert["last_action"]["by"] for alert in asleep["alerts"]] == ["ben"]
    story = answered(stack, "get_alert", path)["actions"]
    assert [(action["by"], action["note"]) for action in story] == [("ben", None), ("anna", "She asks for a call.")]


def test_a_customers_story_page_by_page(stack: Stack, somebody: dict[str, Any]) -> None:
    path = f"/api/customers/{quote(somebody['customer_id'], safe='')}"
    page = answered(stack, "get_timeline", f"{path}/timeline?limit=3&kind=event,prediction&kind=alert")
    items = page["items"]
    assert len(items) == 3
    while page["next_cursor"] is not None and len(items) < 30:
        page = answered(stack, "get_timeline", f"{path}/timeline?limit=9&cursor={page['next_cursor']}")
        items += page["items"]
    assert len({json.dumps(item) for item in items}) == len(items)
    assert [item["at"] for item in items] == sorted((item["at"] for item in items), reverse=True)
    risk = answered(stack, "get_risk_history", f"{path}/predictions?limit=1")
    (newest,) = risk["predictions"]
    number = newest["id"]
    compared = answered(stack, "get_risk_history", f"{path}/predictions?compare_from={number}&compare_to={number}")
    assert compared["comparison"]["change"] == 0
    then = answered(stack, "get_customer", f"{path}?as_of={newest['created_at']}")
    assert then["churn_probability"] == newest["churn_probability"]
    assert then["name"] is None
    assert somebody["name"] is not None


def test_alerts_come_newest_first_page_by_page(stack: Stack) -> None:
    first = answered(stack, "list_alerts", "/api/alerts?limit=2")
    ids = [alert["id"] for alert in first["alerts"]]
    if first["next_cursor"]:
        second = answered(stack, "list_alerts", f"/api/alerts?limit=2&cursor={first['next_cursor']}")
        ids += [alert["id"] for alert in second["alerts"]]
    assert ids == sorted(set(ids), reverse=True)
    assert first["total"] >= len(ids)


def test_what_became_of_alerts_is_told_and_opens_the_alerts(stack: Stack) -> None:
    answer = answered(stack, "alert_performance", "/api/alerts/performance?by=kind&by=week")
    assert answer["total"]["alerts"] == sum(group["alerts"] for group in answer["groups"])
    listed = answered(stack, "list_alerts", answer["total"]["links"]["alerts"])
    assert listed["total"] == answer["total"]["alerts"]
    for query, field in (("by=customer", "by"), ("date_from=2020-01-01", "date_from"), ("date_to=soon", "date_to")):
        refused = stack.get(f"/api/alerts/performance?{query}")
        _assert_refused("alert_performance", refused, 400, by_sam=set())
        assert refused.json["errors"][0]["field"] == field


def test_other_settings_of_alerts_are_tried(stack: Stack) -> None:
    limited = answered(stack, "preview_alerts", "/api/alerts/preview?alerts_a_day=1&min_value=0&from_risk=medium")
    assert (limited["settings"]["alerts_a_day"], limited["settings"]["from_risk"]) == (1, "medium")
    assert all(day["alerts"] <= 1 for day in limited["days"])
    for query, field in (
        ("alerts_a_day=-1", "alerts_a_day"),
        ("min_value=much", "min_value"),
        ("high_risk=0.9", "high_risk"),
        ("hysteresis=0.5", "hysteresis"),
        ("from_risk=severe", "from_risk"),
    ):
        refused = stack.get(f"/api/alerts/preview?{query}")
        _assert_refused("preview_alerts", refused, 400, by_sam=set())
        assert refused.json["errors"][0]["field"] == field


def test_a_ticket_lives_thirty_seconds(stack: Stack) -> None:
    ticket = answered(stack, "issue_ticket", "/api/alerts/ticket")
    assert ticket["expires_in"] == 30
    answer = stack.ask("GET", "/api/customers", token=ticket["ticket"])
    _assert_refused("list_customers", answer, 401, by_sam={502})


def test_a_code_signs_in_once_without_a_token(stack: Stack) -> None:
    if not stack.secret:
        pytest.skip("signs a code: JWT_SECRET is not set")
    code = {"code": issue_code(stack.secret, "anna", "read")}
    session = assert_described("open_session", stack.post("/api/session", code, role=None))
    assert stack.ask("GET", "/api/customers?limit=1", token=session["token"]).status == 200
    answer = stack.post("/api/session", code, role=None)
    assert answer.status == 401, answer.body
    assert_described("open_session", answer)


def test_the_dashboard(stack: Stack) -> None:
    stats = answered(stack, "dashboard_stats", "/api/dashboard/stats")
    stack.needs_customers(stats["total_customers"], 1)
    assert stats["total_customers"] > 0
    assert stats["churn_rate"] is None or 0 <= stats["churn_rate"] <= 100
    assert stats["high_risk_customers"] == stats["risk_distribution"]["high"] + stats["risk_distribution"]["critical"]
    assert 0 < stats["model_accuracy"] <= 100
    for link in [*stats["links"].values(), *stats["links"]["risk_distribution"].values()]:
        if isinstance(link, str):
            assert stack.get(link).status == 200, link
    for period in ("7d", "30d", "90d", "1y"):
        for granularity in ("day", "week", "month"):
            path = f"/api/dashboard/trends?period={period}&granularity={granularity}"
            trends = answered(stack, "dashboard_trends", path)
            assert (trends["period"], trends["granularity"]) == (period, granularity)
            assert trends["trends"]
    assert answered(stack, "dashboard_trends", "/api/dashboard/trends?period=7d&granularity=hour")["trends"]


def test_what_comes_in(stack: Stack) -> None:
    ingestion = answered(stack, "get_ingestion", "/api/ingestion")
    assert len(ingestion["per_minute"]) <= 60
    assert ingestion["counted_since"] is not None
    assert {source["feature"] for source in ingestion["features"]} >= {"login_frequency", "payment_failures"}
    page = answered(stack, "list_dead_letters", "/api/dead-letters?limit=1&state=all")
    assert len(page["dead_letters"]) <= 1
    assert answered(stack, "list_imports", "/api/imports?limit=3")["imports"] is not None


def test_the_version_that_serves_is_described(stack: Stack) -> None:
    overview = answered(stack, "list_models", "/api/models?limit=100")
    roles = {version["version"]: version["role"] for version in overview["versions"]}
    assert roles[overview["current"]] == "current"
    assert overview["history"][0]["version"] == overview["current"]
    described = answered(stack, "get_model", f"/api/models/{overview['current']}")
    assert described["history"][0] == overview["history"][0]
    assert described["kind"] == "purchase_process" or described["metrics"]["forest"]["auc"] > 0.5
    assert answered(stack, "get_report", f"/api/models/{overview['current']}/report")


@pytest.mark.parametrize(
    ("operation", "query", "field"),
    [
        ("list_customers", "limit=abc", "limit"),
        ("list_customers", "limit=0", "limit"),
        ("list_customers", "limit=501", "limit"),
        ("list_customers", "limit=1e2", "limit"),
        ("list_customers", "limit=٣", "limit"),
        ("list_customers", "limit=99999999999999999999", "limit"),
        ("list_customers", "limit=1&limit=2", "limit"),
        ("list_customers", "offset=10001", "offset"),
        ("list_customers", "offset=-1", "offset"),
        ("list_customers", "sort=name", "sort"),
        ("list_customers", "order=up", "order"),
        ("list_customers", "risk_level=huge", "risk_level"),
        ("list_customers", "status=gone", "status"),
        ("list_customers", "status=", "status"),
        ("list_customers", "status=new,", "status"),
        ("list_customers", "status=new&status=gone", "status"),
        ("list_customers", "risk_level=high;critical", "risk_level"),
        ("list_customers", "risk_level=current", "risk_level"),
        ("list_customers", "lapsed_since=yesterday", "lapsed_since"),
        ("list_alerts", "created_from=", "created_from"),
        ("list_alerts", "created_to=tomorrow", "created_to"),
        ("list_customers", "lapsed_until=", "lapsed_until"),
        ("list_customers", "min_value_at_risk=1e3", "min_value_at_risk"),
        ("list_customers", "max_total_spent=nan", "max_total_spent"),
        ("list_customers", "min_total_spent=1_0", "min_total_spent"),
        ("list_customers", "max_churn_probability=1.01", "max_churn_probability"),
        ("list_customers", "min_total_orders=1.5", "min_total_orders"),
        ("list_customers", "max_account_age_days=-1", "max_account_age_days"),
        ("list_customers", "min_days_since_last_order=9&max_days_since_last_order=8", "max_days_since_last_order"),
        ("list_customers", "has_open_alert=perhaps", "has_open_alert"),
        ("list_customers", "changed_since=", "changed_since"),
        ("list_customers", "min_total_spent=1&offset=1", "offset"),
        ("list_customers", "search=", "search"),
        ("list_customers", "search=" + "x" * 201, "search"),
        ("list_customers", "cursor=zzz", "cursor"),
        ("list_customers", "cursor=W10", "cursor"),
        ("list_customers", "cursor=WyJjaHVybl9wcm9iYWJpbGl0eSIsImRlc2MiLCJ4IiwxXQ", "cursor"),
        ("list_customers", "foo=1", "foo"),
        ("list_customers", "fields=customer_id,fortune", "fields"),
        ("list_customers", "fields=", "fields"),
        ("get_customer", "foo=1", "foo"),
        ("list_events", "date_from=yesterday", "date_from"),
        ("list_events", "limit=", "limit"),
        ("get_customer", "as_of=yesterday", "as_of"),
        ("get_customer", "as_of=2100-01-01", "as_of"),
        ("get_timeline", "kind=event,gossip", "kind"),
        ("get_timeline", "cursor=zzz", "cursor"),
        ("get_risk_history", "compare_to=1", "compare_to"),
        ("get_risk_history", "compare_from=x&compare_to=1", "compare_from"),
        ("list_dead_letters", "state=gone", "state"),
        ("list_dead_letters", "cursor=W10", "cursor"),
        ("list_imports", "limit=101", "limit"),
        ("list_predictions", "date_to=9999999999999999999", "date_to"),
        ("list_predictions", "risk_level=", "risk_level"),
        ("list_alerts", "status=open", "status"),
        ("list_alerts", "priority=9", "priority"),
        ("list_alerts", "snoozed=maybe", "snoozed"),
        ("list_alerts", "assigned_to=", "assigned_to"),
        ("list_alerts", "since=then", "since"),
        ("list_alerts", "cursor=zzz", "cursor"),
        ("dashboard_stats", "period=7d", "period"),
        ("dashboard_trends", "period=2d", "period"),
        ("dashboard_trends", "granularity=minute", "granularity"),
        ("dashboard_trends", "period=1y&granularity=hour", "granularity"),
        ("list_predictions", "cursor=zzz", "cursor"),
        ("retention", "by=day", "by"),
        ("retention", "cohorts=0", "cohorts"),
        ("retention", "cohorts=61", "cohorts"),
        ("list_models", "limit=0", "limit"),
        ("list_models", "limit=101", "limit"),
        ("get_model", "foo=1", "foo"),
        ("get_report", "format=pdf", "format"),
        ("get_training_run", "foo=1", "foo"),
        ("health", "foo=1", "foo"),
    ],
)
def test_a_bad_query_is_a_400_that_names_the_parameter(stack: Stack, operation: str, query: str, field: str) -> None:
    method, path = _OPERATIONS[operation]
    answer = stack.ask(method, f"{_filled(path)}?{quote(query, safe='=&')}")
    assert answer.status == 400, answer.body
    problem = assert_described(operation, answer)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert (problem["status"], problem["code"], problem["error"]) == (400, 400, problem["detail"])


@pytest.mark.parametrize(
    "operation",
    [
        "predict",
        "predict_batch",
        "resolve_alert",
        "acknowledge_alert",
        "work_on_alert",
        "work_on_alerts",
        "promote_model",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"customers": NaN}',
        b"[" * 50_000,
        b'{"unheard_of": 1}',
        b"a=b&c=d",
    ],
)
def test_a_bad_body_is_a_400(stack: Stack, operation: str, body: bytes) -> None:
    method, path = _OPERATIONS[operation]
    answer = stack.ask(method, _filled(path), body)
    _assert_refused(operation, answer, 400, by_sam={502} if body == b"\xff\xfe" else set())


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/api/customers/no%20such", "get_customer"),
        ("GET", "/api/customers/%F0%9F%92%A9", "get_customer"),
        ("GET", "/api/customers/" + "x" * 1000, "get_customer"),
        ("GET", "/api/customers/no%20such/events", "list_events"),
        ("GET", "/api/customers/no%20such/timeline", "get_timeline"),
        ("GET", "/api/customers/no%20such/predictions", "get_risk_history"),
        ("GET", "/api/customers/no%20such?as_of=2026-01-01", "get_customer"),
        ("POST", "/api/alerts/999999999/acknowledge", "acknowledge_alert"),
        ("POST", "/api/alerts/99999999999999999999999/resolve", "resolve_alert"),
        ("GET", "/api/alerts/abc", "get_alert"),
        ("GET", "/api/alerts/999999999", "get_alert"),
        ("POST", "/api/alerts/abc/resolve", "resolve_alert"),
        ("POST", "/api/alerts/-1/resolve", "resolve_alert"),
        ("GET", "/api/models/no-such-version", "get_model"),
        ("GET", "/api/models/..%2f..%2fcurrent", "get_model"),
        ("GET", "/api/models/%F0%9F%92%A9/report", "get_report"),
        ("GET", "/api/models/" + "x" * 2000, "get_model"),
        ("POST", "/api/models/no-such-version/promote", "promote_model"),
        ("GET", "/api/models/runs/no-such-run", "get_training_run"),
        ("GET", "/api/models/runs/" + "x" * 1000, "get_training_run"),
    ],
)
def test_what_does_not_exist_is_a_404(stack: Stack, method: str, path: str, operation: str) -> None:
    answer = stack.ask(method, path)
    # SAM takes an encoded slash for one that divides a path, which is then of no route.
    _assert_refused(operation, answer, 404, by_sam={403} if "%2f" in path else set())


def test_a_route_that_does_not_exist_is_a_problem_too(stack: Stack) -> None:
    answer = stack.get("/api/nothing")
    if answer.by_sam:
        assert answer.status == 403
        return
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["code"] == 404


def _filled(path: str) -> str:
    stand_ins = {"{customer_id}": "no-such-customer", "{id}": "999999999", "{version}": "none", "{run_id}": "none"}
    for name, value in stand_ins.items():
        path = path.replace(name, value)
    return path


def _opens_nothing(stack: Stack, key: str) -> bool:
    answer = stack.ask("GET", "/api/customers?limit=1", token=key)
    return answer.status == 401 or (answer.by_sam and answer.status == 502)


def test_a_machine_comes_in_by_its_key_until_that_is_revoked(stack: Stack) -> None:
    name = f"machine {uuid.uuid4().hex[:8]}"
    made = assert_described("make_api_key", stack.post("/api/keys", {"name": name, "role": "read"}))
    assert stack.ask("GET", "/api/customers?limit=1", token=made["key"]).status == 200
    refused = stack.ask("GET", "/api/keys", token=made["key"])
    _assert_refused("list_api_keys", refused, 403, by_sam={403})
    listed = answered(stack, "list_api_keys", "/api/keys")["keys"]
    (shown,) = [key for key in listed if key["id"] == made["id"]]
    assert shown["last_used_at"] is not None
    assert stack.ask("DELETE", f"/api/keys/{made['id']}").status == 204
    # The gateway keeps what a key opens for a minute at most.
    eventually(lambda: _opens_nothing(stack, made["key"]), within=65, every=2)


def test_a_customer_is_handed_over(stack: Stack, somebody: dict[str, Any]) -> None:
    path = f"/api/customers/{quote(somebody['customer_id'], safe='')}/export"
    export = answered(stack, "hand_over_customer", path)
    assert export["customer_id"] == somebody["customer_id"]
    assert export["stored"]["customers"][0]["customer_id"] == somebody["customer_id"]
    assert len(export["stored"]["orders"]) >= somebody["total_orders"] or export["next_cursor"]
    _assert_refused("hand_over_customer", stack.get(f"{path}?cursor=x", role="admin"), 400, by_sam=set())
