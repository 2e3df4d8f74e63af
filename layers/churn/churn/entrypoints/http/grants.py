"""Who calls a function, and whether the caller may: checked again behind the gateway.

API Gateway keeps an authorizer's answer for a minute and a route's configuration can be wrong; a function relies on
neither.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from churn.domain.roles import ROLES, includes
from churn.domain.values import number
from churn.entrypoints.http.problems import ProblemError

WAIT = "wait"
"""The name in the authorizer's context of how many seconds an address must wait that has sent wrong tokens."""


class Grant(NamedTuple):
    """Who calls, with what role, and until when (in seconds since 1970); None where a route is open to anybody.

    There the subject and the role may be known, if somebody in particular calls.
    """

    subject: str | None
    role: str | None
    expires_at: float | None = None


def granted(context: Mapping[str, Any], needed: str | None, now: float) -> Grant:
    """Return who calls a route that needs a role (None: anybody may), by the `requestContext` of an event.

    `now` in seconds since 1970. Raises ProblemError: 429 for an address that has sent too many wrong tokens, 401
    without a subject, a role and an expiry ahead of now, 403 for a role that does not include the needed one.
    """
    authorizer = context.get("authorizer") or {}
    grant = Grant(authorizer.get("sub") or None, authorizer.get("role") or None)
    if needed is None:
        return grant
    if authorizer.get(WAIT):
        raise ProblemError(
            429,
            f"Too many wrong tokens came from this address; try again in {authorizer[WAIT]} seconds.",
            headers={"Retry-After": str(authorizer[WAIT])},
        )
    if not grant.subject or grant.role not in ROLES:
        raise ProblemError(401, "A valid token is needed.")
    try:
        # The gateway turns each number of an authorizer's answer into text.
        expires_at = number(authorizer.get("exp"))
    except ValueError:
        raise ProblemError(401, "A valid token is needed.") from None
    if expires_at <= now:
        raise expired_token()
    if not includes(grant.role, needed):
        raise ProblemError(403, f"This needs the role {needed}; the token has the role {grant.role}.")
    return grant._replace(expires_at=expires_at)


def expired_token() -> ProblemError:
    """Return the refusal of whose token has expired."""
    return ProblemError(401, "The token has expired.")
