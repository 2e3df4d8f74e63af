"""Requests for predictions, good and bad, through the framework: no database, no cache."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from churn.adapters.local_windows import LocalWindows
from churn.adapters.mysql import DatabaseUnavailableError
from churn.adapters.redis_cache import Cache, Window
from churn.domain.answers import BatchAnswer, PredictionAnswer
from churn.domain.customer import replay
from churn.domain.features import FEATURES
from churn.domain.hypotheses import StoredCustomer
from churn.domain.timestamps import to_millis
from churn.entrypoints.http.app import Api, Call
from churn.entrypoints.http.headers import SECURITY_HEADERS
from churn.entrypoints.http.predictions import answer_many, answer_one
from churn.entrypoints.http.requests import PredictionsQuery
from churn.settings import Settings
from infra.tools.openapi.document import FILE, document
from tests.support.audit import KeptTrail
from tests.support.events import NOW, event, order
from tests.support.http import Answer
from tests.support.models import RecencyModel
from tests.support.rest import ask

_SETTINGS = Settings.from_environment({})
_STORED = {
    "CUST-001": StoredCustomer(
        replay([order(days_ago=50), event("payment_failed", days_ago=2)], to_millis(NOW)),
        NOW,
        {"payment_failures": 0},
        5_000,
    )
}


class _Counts(Cache):
    """A cache that counts in memory."""

    def __init__(self) -> None:
        super().__init__("")
        self.windows = LocalWindows()

    def count(self, client: str, limits: Mapping[str, int], at: float, seconds: int, cost: int = 1) -> list[Window]:
        return self.windows.count(client, limits, at, seconds, cost)


class _Service:
    def __init__(self, settings: Settings = _SETTINGS, cache: Cache | None = None) -> None:
        self.model = RecencyModel()
        self.is_down = False
        self.trail = KeptTrail()
        self.api = Api("prediction", settings, cache or _Counts(), trail=self.trail)

        @self.api.answers("predict")
        def predict(call: Call) -> PredictionAnswer:
            return answer_one(self.model, call.body, self._load, settings)

        @self.api.answers("predict_batch")
        def predict_batch(call: Call) -> BatchAnswer:
            return answer_many(self.model, call.body.customers, self._load, settings)

    def _load(self, customer_ids: set[str], _: set[str]) -> Mapping[str, StoredCustomer]:
        if self.is_down:
            raise DatabaseUnavailableError("the database does not answer")
        return {name: _STORED[name] for name in customer_ids & _STORED.keys()}

    def predict(self, body: object, **more: Any) -> Answer:
        return ask(self.api.app, "POST", "/api/churn/predict", body, **more)

    def batch(self, items: object) -> Answer:
        return ask(self.api.app, "POST", "/api/churn/predict/batch", {"customers": items})


@pytest.fixture
def service() -> _Service:
    return _Service()


def _assert_problem(answer: Answer, status: int, *fields: str) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json["status"] == answer.json["code"] == status
    assert answer.json["error"] == answer.json["detail"] != ""
    assert [error["field"] for error in answer.json["errors"]] == list(fields)


@pytest.mark.parametrize(("sent", "read"), [(12345, "12345"), (12345.0, "12345"), ("12345.0", "12345.0")])
def test_an_id_is_read_as_on_kafka(service: _Service, sent: object, read: str) -> None:
    features = {feature.name: 1 for feature in FEATURES}
    assert service.predict({"customer_id": sent, **features}).json["customer_id"] == read


def test_features_alone_are_predicted_with_everything_else_down(service: _Service) -> None:
    service.is_down = True
    answer = service.predict({"days_since_last_order": 75, "support_tickets": 3})
    assert answer.status == 200
    assert answer.json["churn_probability"] == 0.75
    assert answer.json["risk_level"] == "high"
    assert "Assign dedicated customer success manager" in answer.json["recommendations"]
    assert answer.json["drivers"][0]["feature"] == "days_since_last_order"
    assert (answer.json["model_version"], answer.json["confidence"]) == ("recency-1", 0.9)


def test_a_customer_and_a_what_if_of_one(service: _Service) -> None:
    assert service.predict({"customer_id": "CUST-001"}).json["churn_probability"] == 0.6
    assert service.predict({"customer_id": " CUST-001 "}).json["churn_probability"] == 0.6
    assert service.predict({"customer_id": "CUST-001", "payment_failures": 3}).json["churn_probability"] == 0.8
    assert service.predict({"customer_id": "CUST-001", "payment_failures": None}).json["churn_probability"] == 0.5
    _assert_problem(service.predict({"customer_id": "NOBODY"}), 404)
    service.is_down = True
    answer = service.predict({"customer_id": "CUST-001"})
    _assert_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_events_that_did_not_happen(service: _Service) -> None:
    events = [
        {"event_type": "order_placed", "order_value": 40, "days_ago": 10},
        {"event_type": "payment_failed"},
    ]
    answer = service.predict({"customer_id": "CUST-001", "events": events}).json
    assert (answer["churn_probability"], answer["what_if"]["churn_probability"]) == (0.3, 0.6)
    assert answer["what_if"]["changes"] == [
        {"event_type": "order_placed", "days_ago": 10, "effect": -0.4},
        {"event_type": "payment_failed", "days_ago": 0, "effect": 0.1},
    ]
    assert service.batch([{"customer_id": "CUST-001", "events": events}]).json["predictions"] == [answer]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"events": [{"event_type": "login"}]}, "customer_id"),
        ({"customer_id": "CUST-001", "events": []}, "events"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "login"}] * 101}, "events"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "login"}], "total_orders": 3}, "events"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "customer_deleted"}]}, "events.0.event_type"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "login", "days_ago": 3000}]}, "events.0.days_ago"),
        (
            {"customer_id": "CUST-001", "events": [{"event_type": "order_placed", "order_value": 0}]},
            "events.0.order_value",
        ),
        ({"customer_id": "CUST-001", "events": [{"event_type": "login", "order_value": 4}]}, "events.0.order_value"),
        ({"customer_id": "CUST-001", "total_orders": 2.5}, "total_orders"),
        ({"support_tickets": 0.5}, "support_tickets"),
        ({"customer_id": "CUST-001", "total_spent": 100, "avg_order_value": 90}, "avg_order_value"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "loyalty_points_changed"}]}, "events.0.points"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "login", "days_ago": -1}]}, "events.0.days_ago"),
        ({"customer_id": "CUST-001", "events": [{"event_type": "login", "when": 1}]}, "events.0.when"),
    ],
)
def test_what_is_wrong_with_such_events_is_named(service: _Service, body: object, field: str) -> None:
    _assert_problem(service.predict(body), 400, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"total_orders": -1}, "total_orders"),
        ({"total_orders": "5"}, "total_orders"),
        ({"total_orders": True}, "total_orders"),
        ({"total_orders": 1e7}, "total_orders"),
        ({"email_engagement": 1.01}, "email_engagement"),
        ({"total_orders": [1]}, "total_orders"),
        ({"orders": 5}, "orders"),
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": 5.5}, "customer_id"),
        ({"customer_id": True}, "customer_id"),
        ({"customer_id": "a\u200bb"}, "customer_id"),
        ({"customer_id": "x" * 65}, "customer_id"),
        ({}, ""),
        ({"total_orders": None}, ""),
        ('{"total_orders": 1e999}', "total_orders"),
        ('{"total_orders": ' + "9" * 400 + "}", "total_orders"),
        ('{"total_orders": ' + "9" * 5000 + "}", ""),
        ('{"total_orders": NaN}', ""),
        ('{"total_orders": Infinity}', ""),
        ("[" * 100_000, ""),
        ('{"a":' * 100_000, ""),
        ("not json", ""),
        ("", ""),
        (None, ""),
        ("null", ""),
        ("[1]", ""),
        ('"text"', ""),
        ("total_orders=5", ""),
        ('{"customer_id": "\\ud800"}', "customer_id"),
    ],
)
def test_bad_input_is_a_400_that_names_the_field(service: _Service, body: object, field: str) -> None:
    _assert_problem(service.predict(body), 400, field)


def test_a_body_that_is_too_large_is_a_413(service: _Service) -> None:
    _assert_problem(service.predict(" " * (2 * 1024 * 1024 + 1)), 413)
    # Bytes and not characters are counted.
    _assert_problem(service.predict("é" * (1024 * 1024 + 1)), 413)


def test_a_batch_keeps_its_order_and_says_what_is_wrong_with_each(service: _Service) -> None:
    answer = service.batch(
        [
            {"days_since_last_order": 10},
            {"customer_id": 12345.0},
            {"customer_id": "CUST-001"},
            {"days_since_last_order": -1},
            "nonsense",
            {"customer_id": "CUST-001", "foo": 1},
            {"days_since_last_order": 20},
        ]
    )
    found = answer.json["predictions"]
    assert [one.get("churn_probability", one.get("code")) for one in found] == [0.1, 404, 0.6, 400, 400, 400, 0.2]
    assert (found[1]["customer_id"], found[5]["customer_id"]) == ("12345", "CUST-001")
    assert [error["field"] for error in found[5]["errors"]] == ["foo"]
    assert service.model.calls == 1


def test_an_answer_repeats_an_id_without_bytes_as_text_that_has_them(service: _Service) -> None:
    body = '{"customers": [{"customer_id": "half \\ud800", "foo": 1}, {"days_since_last_order": 10}]}'
    failed, answered = ask(service.api.app, "POST", "/api/churn/predict/batch", body).json["predictions"]
    assert (failed["customer_id"], failed["code"]) == ("half \ufffd", 400)
    assert answered["churn_probability"] == 0.1


def test_a_batch_without_a_database_answers_what_it_can(service: _Service) -> None:
    service.is_down = True
    found = service.batch([{"customer_id": "CUST-001"}, {"days_since_last_order": 10}]).json["predictions"]
    assert [one.get("code") for one in found] == [503, None]


@pytest.mark.parametrize("items", [None, {}, "x", [{}] * 1001])
def test_a_batch_that_is_none_is_a_400(service: _Service, items: object) -> None:
    _assert_problem(service.batch(items), 400, "customers")
    assert service.batch([]).json == {"predictions": []}


def test_over_the_limit_is_a_429_with_the_time_to_wait() -> None:
    service = _Service(replace(_SETTINGS, rate_limits=replace(_SETTINGS.rate_limits, predictions=2)))
    body = {"days_since_last_order": 10}
    left = [service.predict(body).headers["X-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    answer = service.predict(body)
    _assert_problem(answer, 429)
    assert answer.headers["X-RateLimit-Limit"] == "2"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert service.predict(body, subject="somebody else").status == 200


def test_a_batch_counts_each_of_what_it_holds() -> None:
    service = _Service(replace(_SETTINGS, rate_limits=replace(_SETTINGS.rate_limits, predictions=5)))
    item = {"days_since_last_order": 10}
    answer = service.batch([item] * 3)
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (200, "2")
    refused = service.batch([item] * 3)
    _assert_problem(refused, 429)
    assert service.model.calls == 1
    # What was refused has cost one, so that a smaller one still fits.
    assert refused.headers["X-RateLimit-Remaining"] == "1"
    assert [service.batch([item]).status for _ in range(2)] == [200, 429]


def test_predictions_are_limited_by_the_process_while_redis_is_away() -> None:
    limits = replace(_SETTINGS.rate_limits, predictions=2, authenticated=100)
    service = _Service(replace(_SETTINGS, rate_limits=limits), Cache("redis://127.0.0.1:9/0"))
    body = {"days_since_last_order": 10}
    assert [service.predict(body).status for _ in range(3)] == [200, 200, 429]
    assert service.predict(body, subject="somebody else").status == 200
    _assert_problem(service.batch([body] * 3), 429)


def test_every_answer_tells_browsers_to_do_nothing_with_it(service: _Service) -> None:
    for answer in (service.predict({"days_since_last_order": 10}), service.predict("nonsense")):
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_request_that_no_authorizer_let_through_is_refused(service: _Service) -> None:
    _assert_problem(service.predict({}, role=None), 401)


@pytest.mark.parametrize(
    ("role", "expires_in", "status"),
    [("predict", 60, 200), ("predict", -1, 401), ("admin", -3600, 401), ("read", 60, 403), ("write", 60, 403)],
)
def test_a_function_checks_the_role_and_the_end_of_the_token_itself(
    service: _Service, role: str, expires_in: float, status: int
) -> None:
    answer = service.predict({"days_since_last_order": 10}, role=role, expires_in=expires_in)
    assert answer.status == status
    if status != 200:
        _assert_problem(answer, status)


def test_a_failure_of_ours_tells_nothing_of_its_inside(service: _Service) -> None:
    service.model.predict = lambda _: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    answer = service.predict({"total_orders": 1})
    _assert_problem(answer, 500)
    assert "ZeroDivision" not in str(answer)


def test_a_failed_answer_is_counted_for_the_version_that_gave_it(
    service: _Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "churn-prediction")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    service.predict({"total_orders": "many"})
    service.predict({"total_orders": 1})
    assert "FailedAnswers" not in capsys.readouterr().out
    service.is_down = True
    service.predict({"customer_id": "CUST-001"})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "FailedAnswers" in line]
    written = json.loads(line)
    (metrics,) = written["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "Churn"
    assert {name for names in metrics["Dimensions"] for name in names} == {"service", "function", "version"}
    assert (written["function"], written["version"]) == ("churn-prediction", "7")


def test_logs_hold_neither_the_query_nor_the_body(service: _Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.predict({"customer_id": "secret@example.com"}, subject="somebody@example.com")
    assert "@example.com" not in capsys.readouterr().out


def test_the_written_description_is_up_to_date_and_sound() -> None:
    described = document()
    assert json.loads(FILE.read_text(encoding="utf-8")) == described
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-01-31", datetime(2026, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("20260131", datetime(2026, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("2026-W48-4", datetime(2026, 11, 26, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("2026W484", datetime(2026, 11, 26, 23, 59, 59, 999_000, tzinfo=UTC)),
        # A week without a day, up to its Sunday.
        ("2026-W48", datetime(2026, 11, 29, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("2026W48", datetime(2026, 11, 29, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("9999-12-31", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        # Eight digits that are no day are seconds.
        ("99999999", datetime(1973, 3, 3, 9, 46, 39, tzinfo=UTC)),
        ("2026-W48-4T12:00:00Z", datetime(2026, 11, 26, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        # As many characters as a day, and seconds.
        ("1769860800", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("1769860800000", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_day_is_included_whole_and_an_instant_is_an_instant(text: str, end: datetime) -> None:
    assert PredictionsQuery(date_to=text).date_to == end  # type: ignore[arg-type]
