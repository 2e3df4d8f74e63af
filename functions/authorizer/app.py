"""The authorizer of the REST and the WebSocket API: admits requests by their token, API key or ticket."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churn.adapters.secrets_manager import resolve
from churn.domain.api_keys import PREFIX
from churn.entrypoints.http.authorizer import authorize
from churn.entrypoints.http.tokens import Claims, InvalidTokenError
from churn.observability import logger, metrics, traced
from churn.settings import settings

if TYPE_CHECKING:
    from churn.adapters.mysql import Database

_settings = settings().require("jwt_secret")


def _identify(token: str) -> Claims | None:
    if not token.startswith(PREFIX):
        return None
    # Only API keys need the database: tokens are spared the import.
    from churn.entrypoints.http.api_keys import claims_of_key  # noqa: PLC0415

    return claims_of_key(_database(), token)


@lru_cache(maxsize=1)
def _database() -> Database:
    from churn.adapters.mysql import Database  # noqa: PLC0415 (as in `_identify`)

    return Database.for_requests(_settings.require("database_url").database_url)


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return the policy of the caller.

    Raises Exception("Unauthorized") for an invalid token: API Gateway answers that word with 401. Whatever else fails
    is answered with 503.
    """
    try:
        return authorize(event, resolve(_settings.jwt_secret), _identify)
    except InvalidTokenError as error:
        logger.info("refused", extra={"reason": str(error)})
        raise Exception("Unauthorized") from None
