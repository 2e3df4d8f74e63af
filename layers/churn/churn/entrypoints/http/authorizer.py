"""The authorizer's answer: an IAM policy with every route that the token's role opens."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from churn.domain.roles import includes
from churn.entrypoints.http.grants import WAIT
from churn.entrypoints.http.headers import sent
from churn.entrypoints.http.routes import ROUTES
from churn.entrypoints.http.tokens import Claims, InvalidTokenError, verify, verify_ticket

_PARAMETER = re.compile(r"\{\w+\}")


def authorize(
    event: Mapping[str, Any], secret: str, identify: Callable[[str], Claims | None] = lambda _: None
) -> dict[str, Any]:
    """Return the policy and context for a REQUEST authorizer's event, of either API. Raises InvalidTokenError.

    `identify` tells whose credentials of another kind than a token of ours are; None if they are not of that kind.

    The policy names all routes of the role, for API Gateway keeps it for the token's later requests to any route. It
    has no Deny: what is not allowed is refused, and a Deny beside an Allow is not honoured everywhere.
    """
    opens_socket = is_socket(event)

    def claims_of(token: str) -> Claims:
        return identify(token) or verify(secret, token)

    claims = _socket_claims(event, secret, claims_of) if opens_socket else claims_of(_bearer(event))
    if opens_socket and not includes(claims.role, "read"):
        raise InvalidTokenError(f"the role {claims.role} opens no socket")
    resources = ["$connect"] if opens_socket else _resources(claims.role)
    context: dict[str, str | int] = {"sub": claims.subject, "role": claims.role, "exp": claims.expires_at}
    if claims.ticket_id is not None:
        context["ticket_id"] = claims.ticket_id
    return _answer(event, claims.subject, resources, context)


def told_to_wait(event: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    """Return the answer for a wrong token of an address that must wait.

    API Gateway has no 429 of an authorizer's. So the request goes on to its function without a subject and a role,
    with which it is let do nothing there, and is told to wait (`granted`).
    """
    return _answer(event, "nobody", ["*"], {WAIT: seconds})


def address_of(event: Mapping[str, Any]) -> str:
    """Return the address that a request comes from, empty where the event does not tell."""
    return str(event.get("requestContext", {}).get("identity", {}).get("sourceIp") or "")


def is_socket(event: Mapping[str, Any]) -> bool:
    """Return whether a socket is to be opened."""
    return bool(event.get("requestContext", {}).get("eventType") == "CONNECT")


def _answer(
    event: Mapping[str, Any], principal: str, resources: Iterable[str], context: Mapping[str, str | int]
) -> dict[str, Any]:
    # arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH
    api, stage, *_ = str(event["methodArn"]).split("/")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": [f"{api}/{stage}/{resource}" for resource in resources],
    }
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }


def _resources(role: str) -> list[str]:
    return [
        f"{route.method}{_PARAMETER.sub('*', route.path)}"
        for route in ROUTES
        if route.role is not None and includes(role, route.role)
    ]


def _socket_claims(event: Mapping[str, Any], secret: str, claims_of: Callable[[str], Claims]) -> Claims:
    query = event.get("queryStringParameters") or {}
    if query.get("ticket"):
        return verify_ticket(secret, query["ticket"])
    return claims_of(query.get("token") or _bearer(event))


def _bearer(event: Mapping[str, Any]) -> str:
    scheme, _, token = (sent(event).get("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidTokenError("there is no bearer token")
    return str(token.strip())
