"""Signing in: a code becomes a token once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import ModuleType

import jwt
import pytest

from churn.adapters.mysql import Database
from churn.entrypoints.http.problems import ProblemError
from churn.entrypoints.http.sessions import open_session
from churn.entrypoints.http.tokens import SESSION_SECONDS, issue, issue_code, issue_ticket, verify
from churn.settings import settings
from tests.support.http import Answer
from tests.support.rest import ask, load

_SECRET = "only-a-test-knows-this-secret-of-32-bytes"


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database) -> Iterator[ModuleType]:
    """Yield the function that signs in."""
    assert database
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    monkeypatch.setenv("JWT_SECRET", _SECRET)
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    yield load("alerts")
    settings.cache_clear()


def _sign_in(function: ModuleType, body: object) -> Answer:
    return ask(function.app, "POST", "/api/session", body, role=None)


def test_a_code_becomes_a_token_once(function: ModuleType) -> None:
    code = issue_code(_SECRET, "anna", "act")
    answer = _sign_in(function, {"code": code})
    assert (answer.status, answer.json["subject"], answer.json["role"]) == (200, "anna", "act")
    claims = verify(_SECRET, answer.json["token"])
    assert (claims.subject, claims.role) == ("anna", "act")
    assert claims.expires_at == pytest.approx(time.time() + SESSION_SECONDS, abs=5)
    again = _sign_in(function, {"code": code})
    assert (again.status, "token" in again.json) == (401, False)
    assert "used once" in again.json["detail"]


@pytest.mark.parametrize("role", ["read", "predict", "act", "admin"])
def test_who_asks_is_told_what_they_may_do_and_until_when(function: ModuleType, role: str) -> None:
    answer = ask(function.app, "GET", "/api/session", subject="anna", role=role, expires_in=60)
    assert (answer.status, answer.json["subject"], answer.json["role"]) == (200, "anna", role)
    left = datetime.fromisoformat(answer.json["expires_at"]).timestamp() - time.time()
    assert left == pytest.approx(60, abs=30)


def test_who_only_hands_in_events_has_no_session(function: ModuleType) -> None:
    assert ask(function.app, "GET", "/api/session", subject="warehouse", role="write").status == 403


def _too_old() -> str:
    claims = jwt.decode(issue_code(_SECRET, "anna", "act"), _SECRET, algorithms=["HS256"], audience="session")
    return jwt.encode({**claims, "exp": int(time.time()) - 1}, _SECRET, algorithm="HS256")


@pytest.mark.parametrize(
    "code",
    [
        "nonsense",
        issue(_SECRET, "anna", "admin", 60),
        issue_ticket(_SECRET, "anna", "admin", time.time() + 60),
        issue_code("another secret of thirty-two characters!", "anna", "admin"),
        _too_old(),
    ],
    ids=["nonsense", "a token", "a ticket", "another secret", "too old"],
)
def test_what_is_no_valid_code_signs_nobody_in(function: ModuleType, code: str) -> None:
    answer = _sign_in(function, {"code": code})
    assert (answer.status, "token" in answer.json) == (401, False)


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": 5}, {"code": "x" * 2001}, {"code": "x", "role": "admin"}])
def test_a_wrong_body_names_the_field(function: ModuleType, body: dict[str, object]) -> None:
    answer = _sign_in(function, body)
    assert answer.status == 400
    assert [error["field"] for error in answer.json["errors"]] == ["role" if "role" in body else "code"]


def test_of_many_at_once_one_gets_the_token(database: Database, mysql_url: str) -> None:
    assert database
    code = issue_code(_SECRET, "anna", "read")

    def sign_in(_number: int) -> bool:
        own = Database(mysql_url)
        try:
            return bool(open_session(own, _SECRET, code)["token"])
        except ProblemError:
            return False
        finally:
            own.close()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(sign_in, range(6))) == [False] * 5 + [True]
