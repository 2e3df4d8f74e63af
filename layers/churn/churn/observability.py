"""The one logger, the metrics and the tracing of a function: Powertools' own, named by its environment variables."""

import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

Handler = Callable[..., Any]

logger = Logger(utc=True)
metrics = Metrics(namespace="Churn")


def count_alone(name: str) -> None:
    """Count one of `name`, whatever else the invocation measures and by which dimensions; also while it starts."""
    with single_metric(
        name, MetricUnit.Count, 1, namespace="Churn", default_dimensions={"service": str(logger.service)}
    ):
        pass


def traced(handler: Handler) -> Handler:
    """Return a Lambda handler whose invocations are traced by X-Ray, unless POWERTOOLS_TRACE_DISABLED says not to.

    The X-Ray SDK takes as long to import as most functions' whole start, so it is imported only where it is used.
    """
    if os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in {"1", "true"}:
        return handler
    from aws_lambda_powertools.tracing import Tracer  # noqa: PLC0415

    traced_handler: Handler = Tracer().capture_lambda_handler(handler, capture_response=False)
    return traced_handler
