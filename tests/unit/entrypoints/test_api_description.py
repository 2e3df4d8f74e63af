"""The description of the API, as the service answers it."""

import json
from collections.abc import Iterator
from types import ModuleType

import pytest

from churn.settings import settings
from infra.tools.openapi.document import FILE
from tests.support.rest import ask, load


@pytest.fixture
def function() -> Iterator[ModuleType]:
    settings.cache_clear()
    yield load("dashboard")
    settings.cache_clear()


@pytest.mark.parametrize(("stage", "address"), [("", "/"), ("/prod", "/prod"), ("/v1/churn", "/v1/churn")])
def test_it_is_the_written_one_with_the_address_that_was_asked(function: ModuleType, stage: str, address: str) -> None:
    answer = ask(function.app, "GET", "/openapi.json", role=None, stage=stage)
    written = json.loads(FILE.read_text(encoding="utf-8"))
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json["servers"][0]["url"] == address
    assert answer.json == {**written, "servers": answer.json["servers"]}


def test_who_has_it_is_sent_nothing(function: ModuleType) -> None:
    tag = ask(function.app, "GET", "/openapi.json", role=None).headers["ETag"]
    again = ask(function.app, "GET", "/openapi.json", role=None, headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    elsewhere = ask(function.app, "GET", "/openapi.json", role=None, headers={"If-None-Match": tag}, stage="/prod")
    assert elsewhere.status == 200
