"""Wrong tokens are counted by address: by the authorizer, and as each function answers."""

import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import redis

from churn.entrypoints.http.grants import granted
from churn.entrypoints.http.problems import ProblemError
from churn.entrypoints.http.routes import ROUTES
from churn.entrypoints.http.tokens import issue
from churn.settings import settings
from tests.support.rest import Context, load

# The authorizer has metrics where it starts cold alone.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")
_SECRET = "only-a-test-knows-this-secret-of-32-bytes"
_ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/live"
_LIMIT = 3


@pytest.fixture(params=["with Redis", "Redis is away"])
def authorizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[ModuleType]:
    with redis.from_url(redis_url) as server:
        server.flushdb()
    monkeypatch.setenv("REDIS_URL", redis_url if request.param == "with Redis" else "redis://127.0.0.1:9/0")
    monkeypatch.setenv("JWT_SECRET", _SECRET)
    monkeypatch.setenv("RATE_LIMIT_WRONG_TOKENS", str(_LIMIT))
    # The minute ends when the test says so.
    monkeypatch.setattr("churn.entrypoints.http.wrong_tokens.time", SimpleNamespace(time=lambda: 1_700_000_000.0))
    settings.cache_clear()
    yield load("authorizer")
    settings.cache_clear()


def _asked(authorizer: ModuleType, token: str, address: str = "192.0.2.1", *, socket: bool = False) -> dict[str, Any]:
    context: dict[str, Any] = {"identity": {"sourceIp": address}} | ({"eventType": "CONNECT"} if socket else {})
    headers = {"Authorization": f"Bearer {token}"}
    event = {"methodArn": f"{_ARN}/GET/api/customers", "headers": headers, "requestContext": context}
    try:
        answer: dict[str, Any] = authorizer.handler(event, Context())
    except Exception as error:  # noqa: BLE001 (as API Gateway sees it)
        return {"error": str(error)}
    return answer


def test_after_many_wrong_tokens_an_address_is_told_to_wait(authorizer: ModuleType) -> None:
    told = [_asked(authorizer, f"wrong-{number}") for number in range(_LIMIT + 2)]
    assert told[:_LIMIT] == [{"error": "Unauthorized"}] * _LIMIT
    for answer in told[_LIMIT:]:
        # Without a subject and a role a function lets nobody do anything.
        assert answer["context"].keys() == {"wait"}
        assert 1 <= answer["context"]["wait"] <= 60
    assert _asked(authorizer, "wrong", "192.0.2.2") == {"error": "Unauthorized"}
    assert _asked(authorizer, "wrong", socket=True) == {"error": "Unauthorized"}


def test_a_right_token_of_the_same_address_goes_on(authorizer: ModuleType) -> None:
    for number in range(_LIMIT + 1):
        _asked(authorizer, f"wrong-{number}")
    assert _asked(authorizer, issue(_SECRET, "anna", "read", 60))["context"]["sub"] == "anna"


def test_a_token_that_was_right_until_it_expired_does_not_count(authorizer: ModuleType) -> None:
    expired = issue(_SECRET, "anna", "read", -60)
    assert [_asked(authorizer, expired) for _ in range(_LIMIT + 2)] == [{"error": "Unauthorized"}] * (_LIMIT + 2)
    assert _asked(authorizer, "wrong") == {"error": "Unauthorized"}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.role], ids=lambda route: route.operation)
def test_no_route_lets_who_must_wait_in(route: Any) -> None:
    with pytest.raises(ProblemError, match="Too many wrong tokens") as refusal:
        granted({"authorizer": {"principalId": "nobody", "wait": "42"}}, route.role, time.time())
    assert (refusal.value.status, dict(refusal.value.headers)) == (429, {"Retry-After": "42"})
