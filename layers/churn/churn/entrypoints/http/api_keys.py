"""What an API key lets its holder do, as a token would say it."""

from datetime import UTC, datetime

from churn.adapters.mysql import Database
from churn.entrypoints.http.tokens import Claims, InvalidTokenError
from churn.services.api_keys import holder_of


def claims_of_key(database: Database, text: str) -> Claims:
    """Return what the holder of a key may do. Raises InvalidTokenError, DatabaseUnavailableError."""
    holder = holder_of(database, text, datetime.now(UTC))
    if holder is None:
        raise InvalidTokenError("the API key is unknown, revoked or expired")
    return Claims(holder.subject, holder.role, int(holder.expires_at.timestamp()))
