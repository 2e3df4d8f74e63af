"""The authorizer of the REST and the WebSocket API: admits requests by their token or ticket."""

from typing import Any

from churn.adapters.secrets_manager import resolve
from churn.entrypoints.http.authorizer import authorize
from churn.entrypoints.http.tokens import InvalidTokenError
from churn.observability import logger, metrics, traced
from churn.settings import settings

_settings = settings().require("jwt_secret")


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return the policy of the caller.

    Raises Exception("Unauthorized") for an invalid token: API Gateway answers that word with 401.
    """
    try:
        return authorize(event, resolve(_settings.jwt_secret))
    except InvalidTokenError as error:
        logger.info("refused", extra={"reason": str(error)})
        raise Exception("Unauthorized") from None
