"""Tokens and tickets, and what the authorizer makes of them."""

import base64
import json
import re
import time
from typing import Any

import jwt
import pytest

from churn.domain.roles import ROLES, includes
from churn.entrypoints.http.authorizer import authorize
from churn.entrypoints.http.routes import ROUTES
from churn.entrypoints.http.tokens import (
    InvalidTokenError,
    issue,
    issue_code,
    issue_ticket,
    verify,
    verify_code,
    verify_ticket,
)

_SECRET = "a secret of more than thirty-two characters"
_ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/live"


def _event(token: str | None, method_and_path: str = "GET/api/customers") -> dict[str, Any]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return {"methodArn": f"{_ARN}/{method_and_path}", "headers": headers, "requestContext": {}}


def _connect(**query: str) -> dict[str, Any]:
    return {
        "methodArn": f"{_ARN}/$connect",
        "headers": {},
        "queryStringParameters": query,
        "requestContext": {"eventType": "CONNECT"},
    }


def _allowed(policy: dict[str, Any]) -> list[str]:
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    return [resource.removeprefix(f"{_ARN}/") for resource in statement["Resource"]]


@pytest.mark.parametrize("role", ROLES)
def test_a_token_says_who_may_what(role: str) -> None:
    claims = verify(_SECRET, issue(_SECRET, "ann", role, 60))
    assert (claims.subject, claims.role, claims.ticket_id) == ("ann", role, None)
    assert claims.expires_at == pytest.approx(time.time() + 60, abs=2)


def _altered(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["role"] = "admin"
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


def _signed(secret: str = _SECRET, **claims: Any) -> str:
    return jwt.encode({"sub": "ann", "role": "read", "exp": time.time() + 60} | claims, secret, algorithm="HS256")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        "é.é.é",
        _altered(issue(_SECRET, "ann", "read", 60)),
        issue(_SECRET, "ann", "read", -1),
        issue("another secret of thirty-two characters!", "ann", "read", 60),
        issue_ticket(_SECRET, "ann", "read", time.time() + 60),
        issue_code(_SECRET, "ann", "read"),
        jwt.encode({"sub": "ann", "role": "admin", "exp": time.time() + 60}, "", algorithm="none"),
        jwt.encode({"sub": "ann", "role": "read"}, _SECRET, algorithm="HS256"),
        jwt.encode({"role": "read", "exp": time.time() + 60}, _SECRET, algorithm="HS256"),
        _signed(role="owner"),
        _signed(role=["admin"]),
        _signed(sub=""),
        _signed(sub="x" * 256),
        _signed(sub="half \ud800"),
        _signed(exp=10**12),
        _signed(exp=10**20),
    ],
)
def test_what_is_no_valid_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidTokenError):
        authorize(_event(token), _SECRET)
    with pytest.raises(InvalidTokenError):
        authorize(_connect(token=token), _SECRET)


def test_without_a_token_or_a_secret_nobody_passes() -> None:
    with pytest.raises(InvalidTokenError):
        authorize(_event(None), _SECRET)
    with pytest.raises(InvalidTokenError):
        verify("", _signed())


@pytest.mark.parametrize("role", ROLES)
def test_the_policy_opens_the_routes_of_the_role_and_no_others(role: str) -> None:
    allowed = _allowed(authorize(_event(issue(_SECRET, "ann", role, 60)), _SECRET))
    expected = {
        re.sub(r"\{\w+\}", "*", f"{route.method}{route.path}")
        for route in ROUTES
        if route.role and includes(role, route.role)
    }
    assert set(allowed) == expected
    assert ("POST/api/churn/predict" in allowed) == (role in {"predict", "act", "admin"})
    assert ("POST/api/events" in allowed) == (role in {"write", "admin"})
    assert role != "write" or allowed == ["POST/api/events"]


def test_a_ticket_opens_a_socket_and_nothing_else() -> None:
    until = int(time.time()) + 300
    ticket = issue_ticket(_SECRET, "ann", "read", until)
    policy = authorize(_connect(ticket=ticket), _SECRET)
    assert _allowed(policy) == ["$connect"]
    assert policy["context"]["ticket_id"] == verify_ticket(_SECRET, ticket).ticket_id
    # The socket ends with the token that the ticket was issued for.
    assert policy["context"]["exp"] == until
    with pytest.raises(InvalidTokenError):
        authorize(_event(ticket), _SECRET)
    with pytest.raises(InvalidTokenError):
        authorize(_connect(ticket=issue(_SECRET, "ann", "read", 60)), _SECRET)


def test_a_code_names_somebody_for_a_minute_and_opens_nothing_by_itself() -> None:
    code = issue_code(_SECRET, "ann", "act")
    claims = verify_code(_SECRET, code)
    assert (claims.subject, claims.role) == ("ann", "act")
    assert claims.expires_at == pytest.approx(time.time() + 60, abs=2)
    assert claims.ticket_id != verify_code(_SECRET, issue_code(_SECRET, "ann", "act")).ticket_id
    with pytest.raises(InvalidTokenError):
        authorize(_connect(ticket=code), _SECRET)
    for other in (
        issue_ticket(_SECRET, "ann", "act", time.time() + 60),
        issue(_SECRET, "ann", "act", 60),
        _altered(code),
    ):
        with pytest.raises(InvalidTokenError):
            verify_code(_SECRET, other)


def test_a_socket_opens_with_a_token_in_query_or_header() -> None:
    token = issue(_SECRET, "ann", "read", 60)
    assert "ticket_id" not in authorize(_connect(token=token), _SECRET)["context"]
    event = _connect() | {"headers": {"Authorization": f"bearer {token}"}, "queryStringParameters": None}
    assert authorize(event, _SECRET)["principalId"] == "ann"


def test_a_secret_that_can_be_guessed_signs_nothing() -> None:
    with pytest.raises(ValueError, match="at least 32 characters"):
        issue("short", "ann", "read", 60)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "holds"), [(0, True), (20, True), (45, False), (3600, False)])
def test_an_issuers_clock_may_be_half_a_minute_ahead(claim: str, ahead: int, holds: bool) -> None:
    now = int(time.time())
    claims = {"sub": "ann", "role": "read", "exp": now + 7200, claim: now + ahead}
    token = jwt.encode(claims, _SECRET, algorithm="HS256")
    if holds:
        assert verify(_SECRET, token).subject == "ann"
    else:
        with pytest.raises(InvalidTokenError, match=claim):
            verify(_SECRET, token)


def test_no_leeway_extends_a_token() -> None:
    claims = {"sub": "ann", "role": "read", "exp": int(time.time()) - 1}
    with pytest.raises(InvalidTokenError, match="Expired"):
        verify(_SECRET, jwt.encode(claims, _SECRET, algorithm="HS256"))


def test_the_role_write_opens_no_socket() -> None:
    with pytest.raises(InvalidTokenError, match="opens no socket"):
        authorize(_connect(token=issue(_SECRET, "shop", "write", 60)), _SECRET)
