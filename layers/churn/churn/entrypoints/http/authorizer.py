"""The authorizer's answer: an IAM policy with every route that the token's role opens."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from churn.domain.roles import includes
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
    is_socket = event.get("requestContext", {}).get("eventType") == "CONNECT"

    def claims_of(token: str) -> Claims:
        return identify(token) or verify(secret, token)

    claims = _socket_claims(event, secret, claims_of) if is_socket else claims_of(_bearer(event))
    if is_socket and not includes(claims.role, "read"):
        raise InvalidTokenError(f"the role {claims.role} opens no socket")
    # arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH
    api, stage, *_ = str(event["methodArn"]).split("/")
    resources = ["$connect"] if is_socket else _resources(claims.role)
    context: dict[str, str | int] = {"sub": claims.subject, "role": claims.role, "exp": claims.expires_at}
    if claims.ticket_id is not None:
        context["ticket_id"] = claims.ticket_id
    return {
        "principalId": claims.subject,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": [f"{api}/{stage}/{resource}" for resource in resources],
                }
            ],
        },
        "context": context,
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
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidTokenError("there is no bearer token")
    return str(token.strip())
