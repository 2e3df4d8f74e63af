"""Lambda authorizers of type REQUEST: their policy is evaluated as IAM does, and kept as API Gateway keeps it."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from churn.entrypoints.http.headers import sent
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import AuthorizerSpec


class UnauthorizedError(Exception):
    """The caller showed nothing to judge by, or the authorizer said "Unauthorized": 401."""


class AccessDeniedError(Exception):
    """The policy does not allow this request: 403. `explicit` when a statement denies it."""

    def __init__(self, *, explicit: bool) -> None:
        super().__init__(
            "User is not authorized to access this resource with an explicit deny in an identity-based policy"
            if explicit
            else "User is not authorized to access this resource"
        )


class AuthorizerFailedError(Exception):
    """The authorizer crashed, or what it returned is not a policy: 500."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authorizer gave: who it is, what is allowed, and the context for the functions behind."""

    principal: str
    policy: Mapping[str, Any]
    context: Mapping[str, Any]


class Authorizer:
    """One authorizer of an API."""

    def __init__(self, spec: AuthorizerSpec, pool: FunctionPool) -> None:
        self._spec = spec
        self._pool = pool
        self._kept: dict[tuple[str, ...], tuple[float, Grant]] = {}

    async def authorize(self, event: dict[str, Any], method_arn: str) -> dict[str, Any]:
        """Return the authorizer's context for the request of `event`, with `principalId`.

        Raises UnauthorizedError, AccessDeniedError or AuthorizerFailedError.
        """
        headers = sent(event)
        query = event.get("queryStringParameters") or {}
        identity = tuple(
            [headers.get(name.lower()) or "" for name in self._spec.headers]
            + [query.get(name) or "" for name in self._spec.query_strings]
        )
        if not all(identity):
            raise UnauthorizedError
        grant = self._remembered(identity)
        if grant is None:
            grant = await self._ask({**event, "type": "REQUEST", "methodArn": method_arn})
            self._remember(identity, grant)
        decision = evaluate(grant.policy, method_arn)
        if decision != "Allow":
            raise AccessDeniedError(explicit=decision == "Deny")
        return {**grant.context, "principalId": grant.principal}

    def _remembered(self, identity: tuple[str, ...]) -> Grant | None:
        expires, grant = self._kept.get(identity, (0.0, None))
        return grant if time.monotonic() < expires else None

    def _remember(self, identity: tuple[str, ...], grant: Grant) -> None:
        if not identity or self._spec.ttl <= 0:
            return
        now = time.monotonic()
        if len(self._kept) > 10_000:
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > now}
        self._kept[identity] = (now + self._spec.ttl, grant)

    async def _ask(self, event: dict[str, Any]) -> Grant:
        result = await self._pool.invoke(json.dumps(event).encode())
        try:
            answer = json.loads(result.payload)
        except ValueError:
            raise AuthorizerFailedError("the authorizer's answer is not JSON") from None
        if result.error:
            if isinstance(answer, dict) and answer.get("errorMessage") == "Unauthorized":
                raise UnauthorizedError
            raise AuthorizerFailedError(f"the authorizer failed: {answer}")
        return _grant(answer)


def _grant(answer: Any) -> Grant:
    """Return the answer as a grant. Raises AuthorizerFailedError if API Gateway would not take it."""
    if (
        not isinstance(answer, dict)
        or not answer.get("principalId")
        or not isinstance(answer.get("policyDocument"), dict)
    ):
        raise AuthorizerFailedError("the authorizer's answer has no principalId or no policyDocument")
    context = answer.get("context") or {}
    for name, value in context.items():
        if not isinstance(value, str | int | float | bool):
            raise AuthorizerFailedError(f"the authorizer's context {name} is neither text, number nor boolean")
    # API Gateway hands numbers and booleans on as text.
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in context.items()}
    return Grant(str(answer["principalId"]), answer["policyDocument"], texts)


def evaluate(policy: Mapping[str, Any], resource: str, action: str = "execute-api:Invoke") -> str:
    """Return "Allow" or "Deny" as a statement says, a Deny before any Allow; "None" if no statement matches."""
    decision = "None"
    for statement in _listed(policy.get("Statement")):
        if not any(_matches(pattern, action, ignore_case=True) for pattern in _listed(statement.get("Action"))):
            continue
        if not any(_matches(pattern, resource) for pattern in _listed(statement.get("Resource"))):
            continue
        if statement.get("Effect") == "Deny":
            return "Deny"
        if statement.get("Effect") == "Allow":
            decision = "Allow"
    return decision


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _matches(pattern: Any, value: str, *, ignore_case: bool = False) -> bool:
    return bool(_wildcard(str(pattern), ignore_case).fullmatch(value))


@lru_cache(4096)
def _wildcard(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
