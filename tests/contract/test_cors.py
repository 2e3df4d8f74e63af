"""Pages of other origins, through a running stack that allows one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.entrypoints.http.headers import SECURITY_HEADERS
from tests.contract.conftest import Stack, running_stack
from tests.support.http import Answer, send

_ALLOWED, _FOREIGN = "https://dashboard.example.com", "https://attacker.example"
_GATEWAYS_OWN = [("/api/customers", 401), ("/nowhere", 404)]
_FUNCTIONS_OWN = [("/health", 200), ("/", 200), ("/assets/none.js", 404), ("/openapi.json", 200)]


@pytest.fixture(scope="module")
def open_stack(tmp_path_factory: pytest.TempPathFactory, buckets: Path) -> Iterator[Stack]:
    """Return a stack whose answers the pages of one origin may read."""
    folder = tmp_path_factory.mktemp("cors")
    with running_stack(folder, buckets, ALLOWED_ORIGINS=_ALLOWED, SAMPLE_CUSTOMERS="0", EVENT_RATE="0") as started:
        yield started


def _asked(stack: Stack, path: str, origin: str, method: str = "GET") -> Answer:
    return send(stack.base_url + path, method, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})


@pytest.mark.parametrize(("path", "status"), _FUNCTIONS_OWN)
def test_the_functions_answer_from_the_list(open_stack: Stack, path: str, status: int) -> None:
    allowed, foreign = _asked(open_stack, path, _ALLOWED), _asked(open_stack, path, _FOREIGN)
    assert (allowed.status, foreign.status) == (status, status)
    assert allowed.headers["Access-Control-Allow-Origin"] == _ALLOWED
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert allowed.headers["Vary"] == foreign.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/api/customers", "/api/customers/C-1/notes/7", "/api/audit", "/health", "/"])
def test_preflights_answer_from_the_list_and_need_no_token(open_stack: Stack, path: str) -> None:
    allowed, foreign = (_asked(open_stack, path, origin, "OPTIONS") for origin in (_ALLOWED, _FOREIGN))
    assert (allowed.status, foreign.status) == (204, 204)
    assert allowed.headers["Access-Control-Allow-Origin"] == _ALLOWED
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    assert not [name for name in foreign.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(("path", "status"), _GATEWAYS_OWN)
@pytest.mark.parametrize("origin", [_ALLOWED, _FOREIGN])
def test_the_gateways_own_answers_carry_the_one_origin(open_stack: Stack, path: str, status: int, origin: str) -> None:
    answer = _asked(open_stack, path, origin)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, _ALLOWED)


@pytest.mark.parametrize(("path", "_status"), [*_GATEWAYS_OWN, *_FUNCTIONS_OWN])
def test_every_answer_has_headers_of_security(open_stack: Stack, path: str, _status: int) -> None:
    headers = _asked(open_stack, path, _FOREIGN).headers
    for name in SECURITY_HEADERS.keys() - {"Content-Security-Policy"}:
        assert headers[name] == SECURITY_HEADERS[name], name
    assert headers["Content-Security-Policy"]
