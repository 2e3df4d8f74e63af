"""Segments over REST: what is refused, in the words of the list, and what a change answers."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.entrypoints.http.customer_requests import CustomerFilters as RequestedFilters
from churn.services.customer_filters import CustomerFilters
from churn.services.scoring import Scoring
from churn.settings import Settings, settings
from tests.support.events import NOW, order
from tests.support.http import Answer
from tests.support.models import RecencyModel
from tests.support.rest import ask, load


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database) -> Iterator[ModuleType]:
    """Yield the function of customers, beside a shop of three."""
    events = [order(f"C-{number}", days_ago=number, value=100 * number) for number in (1, 2, 3)]
    Scoring(database, RecencyModel(), Settings.from_environment({})).apply(events, now=NOW)
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    loaded = load("customers")
    yield loaded
    loaded._database.close()
    settings.cache_clear()


def _send(function: ModuleType, method: str, path: str, body: object = None, if_match: str | None = None) -> Answer:
    headers = {} if if_match is None else {"if-match": if_match}
    return ask(function.app, method, path, body, subject="anna", headers=headers)


def test_requests_and_services_know_the_same_filters() -> None:
    assert set(RequestedFilters.model_fields) == set(CustomerFilters.__dataclass_fields__)


def test_a_segment_is_made_opened_changed_and_deleted(function: ModuleType) -> None:
    body = {"name": "  Big   ones ", "filter": {"status": "current", "min_total_spent": 150}}
    made = _send(function, "POST", "/api/segments", body)
    segment = made.json
    assert (made.status, made.headers["ETag"], made.headers["Location"]) == (
        201,
        '"1"',
        f"/api/segments/{segment['id']}",
    )
    path = segment["links"]["history"].removesuffix("/history")
    assert (segment["name"], segment["changed_by"], segment["is_built_in"]) == ("Big ones", "anna", False)
    assert segment["filter"] == {"status": ["new", "active", "at_risk"], "min_total_spent": 150.0}
    assert (segment["figures"]["customers"], segment["figures"]["churn_rate"]) == (2, None)
    assert _send(function, "GET", path).json["filter"] == segment["filter"]
    # What a segment answers can be sent as it is.
    again = _send(function, "PATCH", path, {"filter": segment["filter"]}, '"1"')
    assert (again.status, again.headers["ETag"]) == (200, '"1"')
    changed = _send(function, "PATCH", path, {"filter": {"search": "c-1"}}, '"1"')
    assert (changed.json["figures"]["customers"], changed.headers["ETag"]) == (1, '"2"')
    assert _send(function, "PATCH", path, {"name": "x"}, '"1"').status == 412
    for link in ("customers", "csv", "history"):
        assert _send(function, "GET", segment["links"][link]).status == 200
    assert _send(function, "GET", segment["links"]["customers"]).json["total"] == 1
    (listed,) = _send(function, "GET", "/api/segments").json["segments"]
    assert listed == changed.json
    assert _send(function, "DELETE", path, if_match='"1"').status == 412
    gone = _send(function, "DELETE", path, if_match='"2"')
    assert (gone.status, gone.body) == (204, b"")
    for method, where, sent in (("GET", path, None), ("PATCH", path, {"name": "y"}), ("DELETE", path, None)):
        assert _send(function, method, where, sent).status == 404
    assert _send(function, "GET", f"{path}/history").status == 404
    refused = _send(function, "GET", segment["links"]["customers"])
    assert (refused.status, refused.json["errors"][0]["field"]) == (400, "segment")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"risk_level": "extreme"}, "risk_level"),
        ({"risk_level": ["high", "extreme"]}, "risk_level"),
        ({"status": []}, "status"),
        ({"status": [1]}, "status"),
        ({"min_total_spent": -1}, "min_total_spent"),
        ({"min_total_spent": True}, "min_total_spent"),
        ({"min_total_orders": 1e30}, "min_total_orders"),
        ({"min_total_orders": 1.5}, "min_total_orders"),
        ({"min_total_spent": 5, "max_total_spent": 4}, "max_total_spent"),
        ({"max_days_at_risk": "a week"}, "max_days_at_risk"),
        ({"lapsed_since": "yesterday"}, "lapsed_since"),
        ({"search": ""}, "search"),
        ({"has_open_alert": "perhaps"}, "has_open_alert"),
        ({"sort": "total_spent"}, "sort"),
        ({"segment": "1"}, "segment"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_filter_is_refused_as_the_list_refuses_it(function: ModuleType, asked: dict[str, Any], field: str) -> None:
    answer = _send(function, "POST", "/api/segments", {"name": "s", "filter": asked})
    assert answer.status == 400, answer.body
    path, message = (answer.json["errors"][0][name] for name in ("field", "message"))
    assert path.split(".")[:2] == ["filter", field]
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    listed = _send(function, "GET", f"/api/customers?{query}").json
    if isinstance(asked.get(field), str) and field not in {"sort", "segment"}:
        assert listed["errors"][0] == {"field": field, "message": message}


@pytest.mark.parametrize("name", [None, 5, "", "  ", "x" * 101, "2026", "a\u0000b", "a\u200bb", "\ud800"])
def test_a_name_is_text_that_people_can_read(function: ModuleType, name: object) -> None:
    answer = _send(function, "POST", "/api/segments", {"name": name, "filter": {}})
    assert answer.status == 400, answer.body
    assert answer.json["errors"][0]["field"] == "name"


def test_a_change_changes_something(function: ModuleType) -> None:
    number = _send(function, "POST", "/api/segments", {"name": "s", "filter": {}}).json["id"]
    assert _send(function, "PATCH", f"/api/segments/{number}", {}).status == 400
    taken = _send(function, "POST", "/api/segments", {"name": "S", "filter": {}})
    assert (taken.status, taken.headers["Location"]) == (409, f"/api/segments/{number}")


def test_the_parts_of_a_file_stay_in_the_segment(function: ModuleType) -> None:
    _send(function, "POST", "/api/segments", {"name": "big ones", "filter": {"min_total_spent": 150}})
    first = _send(function, "GET", "/api/customers.csv?limit=1&segment=big%20ones&sort=customer_id&order=asc")
    following = first.headers["Link"].removeprefix("<").partition(">")[0]
    second = _send(function, "GET", following)
    assert (first.body.splitlines()[1][:3], second.body[:3]) == (b"C-2", b"C-3")
    assert "Link" not in second.headers
