"""Sessions of a browser: a code that is used once, from an address that somebody opens, for a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, used_tickets
from churn.entrypoints.http.problems import ProblemError
from churn.entrypoints.http.tokens import SESSION_SECONDS, InvalidTokenError, issue, verify_code

if TYPE_CHECKING:
    from churn.domain.answers import Session


def open_session(database: Database, secret: str, code: str) -> Session:
    """Return a token for whom the code names. Raises ProblemError (401) if the code is no code, too old or used."""
    try:
        claims = verify_code(secret, code)
        code_id = str(claims.ticket_id)
        database.run(lambda transaction: used_tickets.use(transaction, code_id))
    except (InvalidTokenError, used_tickets.TicketUsedError):
        raise ProblemError(
            401, "The code is not valid: it holds for a minute and is used once. Get a new one."
        ) from None
    return {
        "token": issue(secret, claims.subject, claims.role, SESSION_SECONDS),
        "expires_in": SESSION_SECONDS,
        "subject": claims.subject,
        "role": claims.role,
    }
