"""The authorizer of the REST and the WebSocket API: admits requests by their token, API key or ticket."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churn.adapters.redis_cache import Cache
from churn.adapters.secrets_manager import resolve
from churn.domain.api_keys import PREFIX
from churn.entrypoints.http.authorizer import address_of, authorize, is_socket, told_to_wait
from churn.entrypoints.http.tokens import Claims, ExpiredTokenError, InvalidTokenError
from churn.entrypoints.http.wrong_tokens import WrongTokens
from churn.observability import logger, metrics, traced
from churn.settings import settings

if TYPE_CHECKING:
    from churn.adapters.mysql import Database
    from churn.entrypoints.http.oidc import Issuer

_settings = settings().require("jwt_secret")


def _identify(token: str) -> Claims | None:
    """Return what a credential that is no token of ours says. Raises InvalidTokenError."""
    if token.startswith(PREFIX):
        # Only API keys need the database: tokens are spared the import.
        from churn.entrypoints.http.api_keys import claims_of_key  # noqa: PLC0415

        return claims_of_key(_database(), token)
    claims = _issuer().claims(token) if _settings.oidc.issuer else None
    if claims is None and not _settings.takes_own_tokens:
        raise InvalidTokenError("tokens of our own are not taken here")
    return claims


@lru_cache(maxsize=1)
def _issuer() -> Issuer:
    from churn.entrypoints.http.oidc import Issuer  # noqa: PLC0415 (only where an issuer is set)

    return Issuer(_settings.oidc)


@lru_cache(maxsize=1)
def _database() -> Database:
    from churn.adapters.mysql import Database  # noqa: PLC0415 (as in `_identify`)

    return Database.for_requests(_settings.require("database_url").database_url)


@lru_cache(maxsize=1)
def _wrong_tokens() -> WrongTokens:
    return WrongTokens(Cache(_settings.redis_url), _settings.rate_limits.wrong_tokens)


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return the policy of the caller.

    Raises Exception("Unauthorized") for an invalid token: API Gateway answers that word with 401. Whatever else fails
    is answered with 503. Wrong tokens are counted by address, and after many the answer is 429.
    """
    try:
        return authorize(event, resolve(_settings.jwt_secret), _identify)
    except InvalidTokenError as error:
        logger.info("refused", extra={"reason": str(error)})
        wait = 0 if isinstance(error, ExpiredTokenError) else _wrong_tokens().count(address_of(event))
        if wait and not is_socket(event):
            return told_to_wait(event, wait)
        raise Exception("Unauthorized") from None
