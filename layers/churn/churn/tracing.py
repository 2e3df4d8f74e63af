"""OpenTelemetry: the spans of an invocation, which are sent by OTLP when it ends.

Imported only where an OTLP endpoint is named: the SDK takes as long to import as most functions, and is a layer of its
own. Spans hold no ids of customers and no texts of errors: names, routes, counts and kinds alone.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from churn.invocations import Invocation, described

Handler = Callable[..., Any]
Attributes = Mapping[str, str | int | float | bool]

# A collector beside the function answers within milliseconds; one that does not is not to hold up a request.
_EXPORT_SECONDS = 1.0
_PAUSE_SECONDS = 30.0
_MOST_SPANS = 2000
_KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER, "internal": SpanKind.INTERNAL}
_w3c = TraceContextTextMapPropagator()


class RandomIds(IdGenerator):
    """Ids from the system's randomness: environments that SnapStart restores share the state of every generator."""

    def generate_span_id(self) -> int:
        """Return eight random bytes as a number that is not 0."""
        return int.from_bytes(os.urandom(8)) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Return sixteen random bytes as a number that is not 0."""
        return int.from_bytes(os.urandom(16)) or self.generate_trace_id()


class InvocationSpans(SpanProcessor):
    """The ended spans of an invocation, exported together at its end.

    No thread is needed, which Lambda would freeze between invocations. While the endpoint does not take spans they are
    dropped, and it is tried again after a pause.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._ended: list[ReadableSpan] = []
        self._not_before = 0.0

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span until the end of the invocation, if it was sampled and there is room."""
        if span.context and span.context.trace_flags.sampled and len(self._ended) < _MOST_SPANS:
            self._ended.append(span)

    def send(self) -> None:
        """Export what has ended, and forget it."""
        spans, self._ended = self._ended, []
        if not spans or time.monotonic() < self._not_before:
            return
        if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
            self._not_before = time.monotonic() + _PAUSE_SECONDS


def _resource() -> Resource:
    """Return what all spans of this process have in common."""
    environment = os.environ
    function = environment.get("AWS_LAMBDA_FUNCTION_NAME", "churn")
    return Resource(
        {
            "service.name": function,
            "service.namespace": environment.get("POWERTOOLS_SERVICE_NAME", "churn"),
            "service.version": environment.get("SERVICE_VERSION", ""),
            "faas.name": function,
            "faas.version": environment.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
            "cloud.region": environment.get("AWS_REGION", ""),
        }
    )


_spans = InvocationSpans(OTLPSpanExporter(timeout=_EXPORT_SECONDS))
_provider = TracerProvider(resource=_resource(), id_generator=RandomIds(), shutdown_on_exit=False)
_provider.add_span_processor(_spans)
_tracer = _provider.get_tracer("churn")


def traced(handler: Handler) -> Handler:
    """Return a handler each of whose invocations is a span, a child of the one that the event names."""

    @wraps(handler)
    def invocation(event: dict[str, Any], context: Any) -> Any:
        about = described(event, os.environ.get("_X_AMZN_TRACE_ID", ""))
        try:
            with _invocation_span(about, context) as span:
                answer = handler(event, context)
                _note_answer(span, answer)
                return answer
        finally:
            _spans.send()

    return invocation


@contextmanager
def _invocation_span(about: Invocation, context: Any) -> Iterator[Span]:
    with (
        _tracer.start_as_current_span(
            about.name or getattr(context, "function_name", "") or "invocation",
            _remote(about.parent),
            _KINDS[about.kind],
            {**about.attributes, "faas.invocation_id": getattr(context, "aws_request_id", "")},
            [Link(_context_of(carrier)) for carrier in about.links if _context_of(carrier).is_valid],
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
        _failures_noted(span),
    ):
        yield span


@contextmanager
def span(name: str, attributes: Attributes) -> Iterator[None]:
    """Measure a part of an invocation as a span; without an invocation, measure nothing."""
    if not trace.get_current_span().is_recording():
        yield
        return
    with (
        _tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as part,
        _failures_noted(part),
    ):
        yield


def headers() -> dict[str, str]:
    """Return the headers that make what is sent now a part of this trace, `traceparent` among them."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier


@contextmanager
def _failures_noted(span: Span) -> Iterator[None]:
    """Note the kind of an exception, not its text, which may hold personal data."""
    try:
        yield
    except BaseException as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR)
        raise


def _note_answer(span: Span, answer: Any) -> None:
    """Note the status of an HTTP answer, or how much of a batch is to come again."""
    if not isinstance(answer, Mapping):
        return
    if isinstance(answer.get("statusCode"), int):
        span.set_attribute("http.response.status_code", answer["statusCode"])
        if answer["statusCode"] >= 500:
            span.set_status(StatusCode.ERROR)
    if isinstance(answer.get("batchItemFailures"), list):
        span.set_attribute("churn.batch.failed", len(answer["batchItemFailures"]))


def _remote(carrier: Mapping[str, str]) -> Context:
    return _w3c.extract(carrier, Context())


def _context_of(carrier: Mapping[str, str]) -> trace.SpanContext:
    return trace.get_current_span(_remote(carrier)).get_span_context()
