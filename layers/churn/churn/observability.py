"""The logger, metrics and tracing of a function: those of Powertools, configured by its environment variables."""

import os
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

Handler = Callable[..., Any]

logger = Logger(utc=True)
metrics = Metrics(namespace="Churn")


def count_alone(name: str) -> None:
    """Add one to the metric `name`, apart from the invocation's other metrics and dimensions; also works at start."""
    with single_metric(
        name, MetricUnit.Count, 1, namespace="Churn", default_dimensions={"service": str(logger.service)}
    ):
        pass


def note_unreadable(customer_key: int, error: BaseException) -> None:
    """Log that nothing can be worked out from what is stored of a customer.

    The log has the key of the row, the kind of the error and where it was raised: its text may hold personal data.
    """
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    extra = {"customer_key": customer_key, "error": type(error).__name__, "places": places[-3:]}
    logger.error("what is stored of a customer cannot be read", extra=extra)


def traced(handler: Handler) -> Handler:
    """Return a handler whose invocations X-Ray traces, or the handler itself if POWERTOOLS_TRACE_DISABLED is true.

    Importing the X-Ray SDK takes as long as the rest of most functions' start, so only traced functions import it.
    """
    if os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in {"1", "true"}:
        return handler
    from aws_lambda_powertools.tracing import Tracer  # noqa: PLC0415

    traced_handler: Handler = Tracer().capture_lambda_handler(handler, capture_response=False)
    return traced_handler
