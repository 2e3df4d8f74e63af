"""Which pages of other origins may read the answers of a function."""

from dataclasses import replace

import pytest

from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call, File
from churn.entrypoints.http.headers import SECURITY_HEADERS
from churn.settings import Settings
from tests.support.http import Answer
from tests.support.rest import ask

_LIST = "https://a.example,https://B.example:443,http://localhost:5173"


def _asked(allowed: str, origin: str | None, method: str = "GET", path: str = "/docs") -> Answer:
    settings = Settings.from_environment({"ALLOWED_ORIGINS": allowed})
    limits = replace(settings.rate_limits, anonymous=1)
    api = Api("dashboard", replace(settings, rate_limits=limits), Cache(""), reports=False)

    @api.answers("api_reference")
    def reference(_: Call) -> File:
        return File("docs", "text/html")

    return ask(api.app, method, path, role=None, headers={"oRiGiN": origin} if origin else {})


@pytest.mark.parametrize("origin", ["https://a.example", "https://b.example", "http://localhost:5173"])
def test_a_page_of_an_origin_of_the_list_may_read(origin: str) -> None:
    headers = _asked(_LIST, origin).headers
    assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == (origin, "Origin")
    assert "ETag" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("allowed", ["", _LIST])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://a.example.attacker.example", "https://a.example:8443", "http://a.example", "*", _LIST],
)
def test_no_other_page_may(allowed: str, method: str, origin: str | None) -> None:
    headers = _asked(allowed, origin, method).headers
    assert not [name for name in headers if name.startswith("Access-Control")]
    # What is kept for such a page is not for one of the list.
    assert headers.get("Vary") == ("Origin" if allowed else None)


def test_any_page_may_where_that_is_set() -> None:
    headers = _asked("*", "https://a.example").headers
    assert (headers["Access-Control-Allow-Origin"], "Vary" in headers) == ("*", False)


@pytest.mark.parametrize("allowed", ["*", _LIST])
def test_a_page_that_may_is_told_what_it_may_send(allowed: str) -> None:
    answer = _asked(allowed, "https://a.example", "OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] in {"*", "https://a.example"}
    assert answer.headers["Access-Control-Allow-Methods"] == answer.headers["Allow"] == "GET, OPTIONS"
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, If-Match"
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_has_the_headers_of_security_too() -> None:
    headers = _asked("", None, "OPTIONS", "/assets/x.js").headers
    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
