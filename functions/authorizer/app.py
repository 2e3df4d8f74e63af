"""Lets a request through to the functions by its token or ticket, for the REST and the WebSocket API."""

from typing import Any

from churn.http.policy import authorize
from churn.http.tokens import InvalidToken
from churn.observability import logger, metrics, traced
from churn.settings import settings

_secret = settings().require("jwt_secret").jwt_secret


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The policy of the caller. Raises Exception("Unauthorized"), the word that API Gateway answers with 401 to."""
    try:
        return authorize(event, _secret)
    except InvalidToken as error:
        logger.info("refused", extra={"reason": str(error)})
        raise Exception("Unauthorized") from None
