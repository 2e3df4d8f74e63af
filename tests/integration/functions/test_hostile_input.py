"""Every route with input that was made to break it: an answer that names the field, never a failure of the service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from churn.adapters.aws_clients import client
from churn.adapters.mysql import Database
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.values import storable
from churn.entrypoints.http.customer_requests import CustomerFilters
from churn.entrypoints.http.routes import ROUTES, Route
from churn.services.scoring import Scoring
from churn.settings import Settings, settings
from tests.support.events import NOW, order
from tests.support.forests import small_model
from tests.support.hostile import any_json
from tests.support.http import Answer
from tests.support.models import RecencyModel
from tests.support.registry import BUCKET, model, publish
from tests.support.rest import ask, load

_DIGITS = [1, 9, 10, 18, 19, 20, 64, 65, 308, 309, 400, 4299, 4300]
_TEXTS = [
    *("9" * digits for digits in _DIGITS),
    *("-1", "1e999", "1_0", "+1", "0x1", "\u0661\u0662", "\u00b2", "nan", "Infinity"),
    *("", " ", "true", "false", "null", "None", "0", "#N/A", "\\N", "[]", "{}", "%", "%s", "'", "\\"),
    *("a\x00b", "\u200b", "\ufeff", "\u3164", "a\ud800", "\udfff", "\U0010ffff", "\ufffd", "\u202e", "e\u0301" * 40),
    *("x" * 200, "x" * 20_000, "[" * 5000),
    *("9999-12-31", "9999-12-31T23:59:59.999-14:00", "0001-01-01", "0000-00-00", "24:00", "1e14", "2026-W01"),
]


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# As JSON text: some are more than a JSON library would write.
_VALUES = [
    *(json.dumps(text) for text in _TEXTS),
    *("9" * digits for digits in _DIGITS),
    *("-" + "9" * digits for digits in _DIGITS),
    *("1e308", "1e309", "-1e400", "0.1e-400", "NaN", "Infinity", "true", "false", "null", "12345.0", "12345.5"),
    *(_nested(depth) for depth in (1, 20, 49, 60, 500, 5000, 100_000)),
    *('{"a": 1}', '{"\\ud800": "\\udfff"}', '{"a": {"a": {"a": []}}}', "[" + "1," * 2000 + "1]"),
]


@pytest.fixture
def functions(
    monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database, registry: S3ModelRegistry, tmp_path: Path
) -> Iterator[dict[str, ModuleType]]:
    """Yield each function of the API by its name, beside a shop with a customer and a version of the model."""
    publish(registry, model(1))
    Scoring(database, RecencyModel(), Settings.from_environment({})).apply([order("C-1", days_ago=70)], now=NOW)
    path = tmp_path / "model.npz"
    path.write_bytes(small_model().to_bytes())
    for name, value in {
        "DATABASE_URL": mysql_url,
        "REDIS_URL": "",
        "MODEL_BUCKET": BUCKET,
        "MODEL_PATH": str(path),
        "JWT_SECRET": "x" * 32,
        "TRAINING_FUNCTION": "no-such-function",
        "SCORING_FUNCTION": "no-such-function",
        "EVENTS_QUEUE": client("sqs").create_queue(QueueName="events")["QueueUrl"],
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    loaded = {name: load(name) for name in sorted({route.function for route in ROUTES})}
    yield loaded
    for module in loaded.values():
        own = getattr(module, "_database", None)
        if isinstance(own, Database):
            own.close()
    settings.cache_clear()


def _ask(functions: dict[str, ModuleType], route: Route, target: str, body: str | None = None) -> Answer:
    return ask(functions[route.function].app, route.method, target, body)


def _path(route: Route, value: str = "1") -> str:
    path = route.path
    for name in ("customer_id", "id", "version", "run_id"):
        path = path.replace("{" + name + "}", value)
    return path


def _assert_answered(answer: Answer, field: str | None, sent: str) -> None:
    """Hold that an answer is none of a failure, and names the field if it refuses one."""
    assert answer.status < 500, (field, sent[:80], answer.body[:300])
    if answer.status == 400 and field is not None:
        fields = [error["field"] for error in answer.json["errors"]]
        # A promotion that is forced needs a reason, work on several alerts their ids, segments and keys what they are.
        known = {field, "", "reason", "ids", "name", "filter", "role"}
        assert any(re.split(r"[.\[]", name)[0] in known for name in fields), (field, sent[:80], fields)
        assert all(error["message"] for error in answer.json["errors"])


# These begin or change something else with every call that they accept.
_QUERIES = [route for route in ROUTES if route.query.model_fields]
_BODIES = [route for route in ROUTES if route.body is not None and route.operation != "train_model"]
_PATHS = [route for route in ROUTES if "{" in route.path]


@pytest.mark.parametrize("route", _QUERIES, ids=lambda route: route.operation)
def test_any_query_is_answered(functions: dict[str, ModuleType], route: Route) -> None:
    for field in [*route.query.model_fields, "unheard_of", "\ud800"]:
        for text in _TEXTS:
            quoted = quote(text, errors="surrogatepass")
            answer = _ask(functions, route, f"{_path(route)}?{quote(field, errors='surrogatepass')}={quoted}")
            # The three bytes of the surrogate are none of UTF-8.
            _assert_answered(answer, field if field != "\ud800" else "\ufffd" * 3, text)


@pytest.mark.parametrize("route", _PATHS, ids=lambda route: route.operation)
def test_any_path_is_answered(functions: dict[str, ModuleType], route: Route) -> None:
    body = "{}" if route.method == "POST" else None
    for text in filter(None, _TEXTS):
        _assert_answered(
            _ask(functions, route, _path(route, quote(text, safe="", errors="surrogatepass")), body), None, text
        )


@pytest.mark.parametrize("route", _BODIES, ids=lambda route: route.operation)
def test_any_body_is_answered(functions: dict[str, ModuleType], route: Route) -> None:
    assert route.body is not None
    for value in _VALUES:
        _assert_answered(_ask(functions, route, _path(route), value), None, value)
    # What an event has besides its own fields is ignored, as on Kafka.
    unknown = [] if route.operation == "take_events" else ["unheard_of", "\ud800"]
    for field in [*route.body.model_fields, *unknown]:
        for value in _VALUES:
            answer = _ask(functions, route, _path(route), f"{{{json.dumps(field)}: {value}}}")
            _assert_answered(answer, storable(field), value)


def test_any_filter_of_a_segment_is_answered(functions: dict[str, ModuleType]) -> None:
    [route] = [route for route in ROUTES if route.operation == "add_segment"]
    for field in [*CustomerFilters.model_fields, "unheard_of"]:
        for number, value in enumerate(_VALUES):
            body = f'{{"name": "{field} {number}", "filter": {{{json.dumps(field)}: {value}}}}}'
            _assert_answered(_ask(functions, route, route.path, body), "filter", value)


def test_any_item_of_a_batch_is_answered_for_itself(functions: dict[str, ModuleType]) -> None:
    [route] = [route for route in ROUTES if route.operation == "predict_batch"]
    for name in ("customer_id", "total_orders", "unheard_of", "\ud800"):
        for value in [
            value for value in _VALUES if value not in {"NaN", "Infinity"} and not value.startswith("[" * 20)
        ]:
            item = f"{{{json.dumps(name)}: {value}}}"
            answer = _ask(functions, route, route.path, f'{{"customers": [{item}, {{"total_orders": 3}}, {value}]}}')
            assert answer.status == 200, (name, value[:80], answer.body[:300])
            assert answer.json["predictions"][1]["churn_probability"] >= 0


_JSON = any_json(8)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300
)
@given(route=st.sampled_from(_BODIES), data=st.data())
def test_any_json_is_answered(functions: dict[str, ModuleType], route: Route, data: st.DataObject) -> None:
    assert route.body is not None
    names = st.sampled_from([*route.body.model_fields, "unheard_of"])
    body = data.draw(_JSON | st.dictionaries(names, _JSON, max_size=4))
    answer = _ask(functions, route, _path(route), json.dumps(body))
    assert answer.status < 500, answer.body[:300]
