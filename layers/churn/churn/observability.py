"""The logger and metrics of a function, those of Powertools, and its tracing, by variables of the environment."""

import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

from churn.domain.errors import ChurnError, InvalidInputError
from churn.settings import OTLP_ENDPOINT, check

Handler = Callable[..., Any]

# What the libraries below read themselves: they fail with a word of their own, or go on with another value.
check(os.environ, "POWERTOOLS_LOG_LEVEL", "OTEL_TRACES_SAMPLER_ARG")

tracing: ModuleType | None = None
if os.environ.get(OTLP_ENDPOINT):
    # At a function's start and not in its first request; without an endpoint the SDK is not even there.
    from churn import tracing as _spans

    tracing = _spans


class ImpersonalFormatter(LambdaPowertoolsFormatter):
    """Lines that hold no personal data: of an exception its kind, and where it was raised, without its text.

    Only the text of the service's own exceptions is known to hold no values of customers.
    """

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the name that logging gives it)
        """Return the stack of an exception and of those that led to it, each with its kind."""
        error, lines, seen = ei[1], [], set[int]()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            lines.append("".join(traceback.format_tb(error.__traceback__)) + _described(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n\nwhich led to:\n\n".join(reversed(lines))


def _described(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, ChurnError) and not isinstance(error, InvalidInputError):
        return f"{name}: {error}"
    # A number says which of a driver's or a system's errors it is; that of a missing key may be a customer's.
    has_number = error.args and isinstance(error.args[0], int) and not isinstance(error, LookupError)
    number = error.args[0] if has_number else None
    return name if number is None else f"{name} ({number})"


logger = Logger(logger_formatter=ImpersonalFormatter(utc=True, serialize_stacktrace=False))
metrics = Metrics(namespace="Churn")


def count_alone(name: str, **dimensions: str) -> None:
    """Add one to the metric `name`, apart from the invocation's other metrics and dimensions; also works at start."""
    named = {"service": str(logger.service), **dimensions}
    with single_metric(name, MetricUnit.Count, 1, namespace="Churn", default_dimensions=named):
        pass


def count_failed_answer() -> None:
    """Count an answer that tells of a failure: Lambda counts failed invocations alone, and an answer is none.

    By function and version, as a canary is judged by the answers of its own.
    """
    count_alone(
        "FailedAnswers",
        function=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
    )


def note_unreadable(customer_key: int, error: BaseException) -> None:
    """Log that nothing can be worked out from what is stored of a customer.

    The log has the key of the row, the kind of the error and where it was raised: its text may hold personal data.
    """
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    extra = {"customer_key": customer_key, "error": type(error).__name__, "places": places[-3:]}
    logger.error("what is stored of a customer cannot be read", extra=extra)


def traced(handler: Handler) -> Handler:
    """Return a handler whose invocations are sent as spans, or the handler itself if no OTLP endpoint is named.

    Lambda's own segments need nothing of the function.
    """
    if tracing is None:
        return handler
    traced_handler: Handler = tracing.traced(handler)
    return traced_handler


def span(name: str, attributes: Mapping[str, str | int]) -> AbstractContextManager[None]:
    """Return a context that measures a part of an invocation as a span, where invocations are traced."""
    if tracing is None:
        return nullcontext()
    measured: AbstractContextManager[None] = tracing.span(name, attributes)
    return measured


def trace_headers() -> dict[str, str]:
    """Return the headers that make a message a part of the present trace; none where nothing is traced."""
    headers: dict[str, str] = {} if tracing is None else tracing.headers()
    return headers
