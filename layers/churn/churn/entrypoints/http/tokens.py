"""JSON Web Tokens (HS256): who a client is and what it may do, and single-use tickets for a socket or a session."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from churn.domain.errors import ChurnError
from churn.domain.roles import ROLES
from churn.domain.values import number, storable

TICKET_SECONDS = 30
CODE_SECONDS = 60
SESSION_SECONDS = 12 * 3600
LEEWAY_SECONDS = 30
"""By how much the clock of a token's issuer may be ahead."""
SHORTEST_SECRET = 32
_ALGORITHM = "HS256"
# A ticket names its audience, so that it is never taken for a token, nor a token for it.
_SOCKET = "socket"
_SESSION = "session"
_LONGEST_SUBJECT = 255
_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


class InvalidTokenError(ChurnError):
    """The token is none of ours, altered, expired or incomplete."""


class ExpiredTokenError(InvalidTokenError):
    """The token was right until it expired."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says; `expires_at` in seconds since 1970, `ticket_id` for a ticket or a code alone.

    What a ticket opened ends when the token does that it was issued for, and that is its `expires_at`.
    """

    subject: str
    role: str
    expires_at: int
    ticket_id: str | None = None


def issue(secret: str, subject: str, role: str, seconds: int) -> str:
    """Return a token for `subject` that holds for so many seconds. Raises ValueError."""
    return _sign(secret, subject, role, seconds, {})


def issue_ticket(secret: str, subject: str, role: str, until: float) -> str:
    """Return a ticket that opens one socket within 30 seconds, which ends at `until`, in seconds since 1970.

    Raises ValueError.
    """
    return _sign_once(secret, subject, role, TICKET_SECONDS, _SOCKET, until=int(until))


def issue_code(secret: str, subject: str, role: str) -> str:
    """Return a code that can be exchanged for a token once, within 60 seconds. Raises ValueError."""
    return _sign_once(secret, subject, role, CODE_SECONDS, _SESSION)


def sign_in_address(base_url: str, secret: str, subject: str, role: str) -> str:
    """Return the address of the page with a code, which no server sees before the page sends it. Raises ValueError."""
    return f"{base_url}/#code={issue_code(secret, subject, role)}"


def verify(secret: str, token: str) -> Claims:
    """Return what a token says. Raises InvalidTokenError."""
    claims = _decode(secret, token, None, ["exp", "sub", "role"])
    return Claims(claims["sub"], claims["role"], end_of(claims["exp"]))


def verify_ticket(secret: str, ticket: str) -> Claims:
    """Return what a ticket says; the store makes sure that it is used only once. Raises InvalidTokenError."""
    return _verify_once(secret, ticket, _SOCKET, ends="until")


def verify_code(secret: str, code: str) -> Claims:
    """Return what a code says; the store makes sure that it is used only once. Raises InvalidTokenError."""
    return _verify_once(secret, code, _SESSION, ends="exp")


def _sign_once(secret: str, subject: str, role: str, seconds: int, audience: str, **more: int) -> str:
    return _sign(secret, subject, role, seconds, {"aud": audience, "jti": uuid.uuid4().hex, **more})


def _verify_once(secret: str, ticket: str, audience: str, ends: str) -> Claims:
    claims = _decode(secret, ticket, audience, ["exp", "sub", "role", "aud", "jti", ends])
    if len(str(claims["jti"])) != 32:
        raise InvalidTokenError("the ticket's id is not one of ours")
    return Claims(claims["sub"], claims["role"], end_of(claims[ends]), claims["jti"])


def _sign(secret: str, subject: str, role: str, seconds: int, more: dict[str, str | int]) -> str:
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"JWT_SECRET must have at least {SHORTEST_SECRET} characters")
    if role not in ROLES:
        raise ValueError(f"a role is one of {', '.join(ROLES)}, not {role!r}")
    if not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise ValueError(f"a subject has 1 to {_LONGEST_SUBJECT} characters")
    now = int(time.time())
    claims = {"sub": subject, "role": role, "iat": now, "exp": now + seconds, **more}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def _decode(secret: str, token: str, audience: str | None, required: list[str]) -> dict[str, Any]:
    if len(secret) < SHORTEST_SECRET:
        raise InvalidTokenError("there is no secret to verify tokens with")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            audience=audience,
            # Checked below: the library's leeway would extend the expiry as well.
            options={"require": required, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.InvalidTokenError, UnicodeError) as error:
        raise refusal_of(error) from error
    check_begin(claims)
    check_subject(claims["sub"])
    if claims["role"] not in ROLES:
        raise InvalidTokenError("the token's role is not one of ours")
    return claims


def refusal_of(error: Exception) -> InvalidTokenError:
    """Return the refusal of a token that the library does not take."""
    # Signatures are looked at before the expiry.
    kind = ExpiredTokenError if isinstance(error, jwt.ExpiredSignatureError) else InvalidTokenError
    return kind(type(error).__name__)


def check_subject(subject: str) -> None:
    """Refuse a subject that cannot be stored. Raises InvalidTokenError."""
    if not 0 < len(subject) <= _LONGEST_SUBJECT or storable(subject) != subject:
        raise InvalidTokenError(f"a subject has 1 to {_LONGEST_SUBJECT} characters, none of which is half of one")


def end_of(claim: object) -> int:
    """Return an instant of a claim, in seconds since 1970. Raises InvalidTokenError, also beyond the year 9999."""
    try:
        seconds = int(number(claim))
    except ValueError:
        raise InvalidTokenError("the end is not a number") from None
    if seconds > _LAST_SECOND:
        raise InvalidTokenError("the end lies beyond the year 9999")
    return seconds


def check_begin(claims: dict[str, Any]) -> None:
    """Refuse a token that begins to hold later than the leeway for clocks that differ. Raises InvalidTokenError."""
    for name in ("iat", "nbf"):
        try:
            begins = number(claims.get(name, 0))
        except ValueError:
            raise InvalidTokenError(f"{name} is not a number") from None
        if begins > time.time() + LEEWAY_SECONDS:
            raise InvalidTokenError(f"{name} lies ahead")
