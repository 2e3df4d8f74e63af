"""A function's routes behind the web framework: what happens to every request before and after its view.

The framework is named here and nowhere else; a view takes a `Call` and returns a JSON-ready object.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from chalice.app import Chalice, Response
from pydantic import ValidationError

from churn.adapters.local_windows import LocalWindows
from churn.adapters.redis_cache import Cache, Window
from churn.adapters.request_time import REQUEST_TIME
from churn.domain.errors import FieldError
from churn.domain.json_text import read_json
from churn.domain.values import storable
from churn.entrypoints.http.auditing import Audited, Request
from churn.entrypoints.http.grants import granted
from churn.entrypoints.http.headers import SECURITY_HEADERS, cors_headers, preflight_headers, sent
from churn.entrypoints.http.json_answers import written
from churn.entrypoints.http.problems import CONTENT_TYPE, ProblemError, bad_request, problem_of
from churn.entrypoints.http.requests import BatchRequest, Model, names_customer
from churn.entrypoints.http.routes import BY_OPERATION, ROUTES, Route
from churn.observability import count_failed_answer, logger, metrics, traced
from churn.services.audit_trail import AuditTrail
from churn.services.component_reports import EVERY_SECONDS, HeldModel, Reporter
from churn.settings import Settings

_MINUTE = 60
_TAG = re.compile(r'"[0-9]{1,18}"')
# Nothing of a page is run, and nothing is fetched for it.
_PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what the route's `{name}`s stand for, its checked query and body, and who asks when.

    `answer` holds the status that the answer will have and `headers` what it has besides; a view may set both.
    `wants_page`: HTML was asked for, by `format` in the query or by the Accept header.
    `versions`: those that `If-Match` names, None for any. `known_tags`: the `ETag`s that `If-None-Match` names.
    `at`: the path as the client wrote it, with the stage. `expires_at`: when the token does, in seconds since 1970.
    """

    path: Mapping[str, str]
    query: Any
    body: Any
    subject: str | None
    role: str | None
    expires_at: float | None
    now: datetime
    answer: dict[str, int]
    headers: dict[str, str] = field(default_factory=dict)
    wants_page: bool = False
    versions: frozenset[int] | None = None
    known_tags: frozenset[str] = frozenset()
    at: str = "/"

    @property
    def client(self) -> str:
        """The name of the client in the records of an action."""
        return self.subject or "anonymous"

    def tell_version(self, version: int) -> None:
        """Let the answer carry a version as its `ETag`, which `If-Match` of a change takes."""
        self.headers["ETag"] = f'"{version}"'


@dataclass(frozen=True, slots=True)
class Page:
    """An answer for a browser: HTML that needs nothing from elsewhere."""

    html: str


@dataclass(frozen=True, slots=True)
class Table:
    """An answer for a spreadsheet: CSV, to be kept as a file."""

    csv: str
    file: str


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is a text of some type, under the headers that the view sets."""

    text: str
    content_type: str


View = Callable[[Call], Mapping[str, Any] | Page | Table | File | None]


class Api:
    """The routes of one function. `app` is the function's handler."""

    def __init__(
        self,
        function: str,
        settings: Settings,
        cache: Cache,
        *,
        model: HeldModel | None = None,
        trail: AuditTrail | None = None,
        reports: bool = True,
    ) -> None:
        """`model`: what the function predicts with. `reports`: whether it reports on itself for `/health`.

        `trail`: where it is noted who asks for what; needed for all routes but those that tell nothing of the shop's.
        """
        self._function = function
        self._trail = trail
        self._reporter = Reporter(function, settings.database_url if reports else "", model, first_after=EVERY_SECONDS)
        self._settings = settings
        self._cache = cache
        self._windows = LocalWindows()
        self.app = _Application(app_name=function, configure_logs=False)
        for path in sorted({route.path for route in ROUTES if route.function == function}):
            self._answer_preflights(path)

    def answers[V: View](self, operation: str) -> Callable[[V], V]:
        """Decorate the view of an operation in the table of routes. Raises ValueError if it is another function's."""
        route = BY_OPERATION[operation]
        if route.function != self._function:
            raise ValueError(f"{operation} belongs to the function {route.function}, not {self._function}")
        if route.audit is not None and self._trail is None:
            raise ValueError(f"{operation} needs an audit trail")

        def register(view: V) -> V:
            def framework_view(**path: str) -> Response:
                return self._respond(route, view, path)

            framework_view.__name__ = operation
            self.app.route(route.path, methods=[route.method], content_types=[], name=operation)(framework_view)
            return view

        return register

    def _answer_preflights(self, path: str) -> None:
        """Answer `OPTIONS` of a path, which asks for nothing of the shop's and is not counted."""
        methods = [route.method for route in ROUTES if route.path == path]
        route = Route("preflight", "OPTIONS", path, self._function, None, "", "", status=204, audit=None)

        def preflight(**_: str) -> Response:
            started = time.perf_counter()
            event = self.app.current_request.to_original_event() if self.app.current_request else {}
            allowed = preflight_headers(self._settings.allowed_origins, sent(event).get("origin"), methods)
            self._observe(route, route.status, (time.perf_counter() - started) * 1000)
            return Response("", {**SECURITY_HEADERS, **allowed}, route.status)

        self.app.route(path, methods=["OPTIONS"], content_types=[], name=f"preflight {path}")(preflight)

    def report(self) -> None:
        """Report on the function for `/health`, after what is no request of these routes."""
        self._reporter.note()

    def _respond(self, route: Route, view: View, path: Mapping[str, str]) -> Response:
        started = time.perf_counter()
        event = self.app.current_request.to_original_event() if self.app.current_request else {}
        headers: dict[str, str] = {
            **SECURITY_HEADERS,
            **cors_headers(self._settings.allowed_origins, sent(event).get("origin")),
            "Cache-Control": "no-store",
            "Content-Type": "application/json",
            "X-Request-Id": str(event["requestContext"].get("requestId", "")),
        }
        audited: Audited | None = None
        body: Any
        try:
            call = self._call(route, event, path, headers)
            audited = self._audited(route, call, headers["X-Request-Id"])
            body, status = view(call), call.answer["status"]
            headers |= call.headers
        except Exception as error:  # noqa: BLE001 (every failure becomes an answer)
            problem = problem_of(error)
            body, status = problem.to_dict(), problem.status
            headers |= {**problem.headers, "Content-Type": CONTENT_TYPE}
        if audited is not None:
            audited.end(status, body)
        self._observe(route, status, (time.perf_counter() - started) * 1000)
        self._reporter.note()
        return _response(body, headers, status)

    def _audited(self, route: Route, call: Call, request_id: str) -> Audited | None:
        """Note that a call begins, if it may not be done otherwise. Raises AuditTrailUnavailableError."""
        if route.audit is None or self._trail is None or (route.is_prediction and not names_customer(call.body)):
            return None
        request = Request(call.now, call.subject, call.role, request_id, call.path, call.query, call.body)
        audited = Audited(self._trail, route, request)
        audited.begin()
        return audited

    def _call(self, route: Route, event: Mapping[str, Any], path: Mapping[str, str], headers: dict[str, str]) -> Call:
        context = event["requestContext"]
        now = datetime.now(UTC)
        subject, role, expires_at = granted(context, route.role, now.timestamp())
        client = f"sub:{subject}" if subject else f"ip:{context['identity']['sourceIp']}"
        self._limit(client, self._limits(route, client), headers, holds_alone=route.is_prediction)
        query = _query(route, event.get("multiValueQueryStringParameters"))
        body = _body(route, event)
        if isinstance(body, BatchRequest):
            predictions = {"predictions": self._settings.rate_limits.predictions}
            self._limit(client, predictions, headers, cost=max(1, len(body.customers)), holds_alone=True)
        headers_sent = sent(event)
        return Call(
            path={name: storable(value) for name, value in path.items()},
            query=query,
            body=body,
            subject=subject,
            role=role,
            expires_at=expires_at,
            now=now,
            answer={"status": route.status},
            wants_page=_wants_page(getattr(query, "format", None), headers_sent.get("accept", "")),
            versions=_versions(headers_sent.get("if-match")),
            known_tags=_tags(headers_sent.get("if-none-match", "")),
            at=context.get("path") or "/",
        )

    def _limits(self, route: Route, client: str) -> dict[str, int]:
        """Return the limits that count one of a request, by what they count."""
        limits = self._settings.rate_limits
        allowed = {"requests": limits.authenticated if client.startswith("sub:") else limits.anonymous}
        # A batch counts what it holds, which is not known yet.
        counts_one = route.is_prediction and route.body is not BatchRequest
        return allowed | ({"predictions": limits.predictions} if counts_one else {})

    def _limit(
        self, client: str, allowed: Mapping[str, int], headers: dict[str, str], *, cost: int = 1, holds_alone: bool
    ) -> None:
        """Count a request, and tell the client what is left. Raises ProblemError (429).

        `holds_alone`: without Redis, this process counts by itself what it is asked.
        """
        at = time.time()
        windows = self._cache.count(client, allowed, at, _MINUTE, cost)
        counter: Cache | LocalWindows = self._cache
        if not windows and holds_alone:
            counter = self._windows
            windows = counter.count(client, allowed, at, _MINUTE, cost)
        if not windows:
            return
        tightest: Window = min(windows, key=lambda window: window.remaining)
        left = tightest.remaining
        if left < 0 and cost > 1:
            # What is refused for its size has cost one request: a smaller one may fit.
            counter.count(client, allowed, at, _MINUTE, 1 - cost)
            left += cost - 1
        headers |= {
            "X-RateLimit-Limit": str(tightest.limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": str(tightest.resets_at),
        }
        if tightest.remaining < 0:
            wait = max(1, tightest.resets_at - int(time.time()))
            raise ProblemError(
                429,
                f"More than {tightest.limit} {tightest.name} in a minute; try again in {wait} seconds.",
                headers={"Retry-After": str(wait)},
            )

    def _observe(self, route: Route, status: int, milliseconds: float) -> None:
        metrics.add_dimension("operation", route.operation)
        metrics.add_metric("Requests", MetricUnit.Count, 1)
        metrics.add_metric("Latency", MetricUnit.Milliseconds, milliseconds)
        if status >= 400:
            metrics.add_metric("ClientErrors" if status < 500 else "ServerErrors", MetricUnit.Count, 1)
        if status >= 500:
            count_failed_answer()
        logger.info(
            "request",
            extra={
                "operation": route.operation,
                "method": route.method,
                "route": route.path,
                "status": status,
                "milliseconds": round(milliseconds, 1),
            },
        )


class _Application(Chalice):
    """The framework's application under the logger, the metrics and the tracer."""

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.set_correlation_id(event["requestContext"].get("requestId"))
        REQUEST_TIME.begin()
        plain = super().__call__

        # Neither events nor answers are logged or traced: they hold tokens and e-mail addresses.
        @logger.inject_lambda_context(log_event=False)
        @metrics.log_metrics(capture_cold_start_metric=True)
        @traced
        def observed(event: dict[str, Any], context: Any) -> dict[str, Any]:
            return plain(event, context)

        answer: dict[str, Any] = observed(event, context)
        return answer


def _response(body: Mapping[str, Any] | Page | Table | File | None, headers: dict[str, str], status: int) -> Response:
    if isinstance(body, Page):
        return Response(body.html, {**headers, **_PAGE_HEADERS}, status)
    if isinstance(body, Table):
        kept = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{body.file}"'}
        return Response(body.csv, {**headers, **kept}, status)
    if isinstance(body, File):
        return Response(body.text, {**headers, "Content-Type": f"{body.content_type}; charset=utf-8"}, status)
    if body is None:
        return Response("", {**headers}, status)
    return Response(written(body), {**headers}, status)


def check[M: Model](model: type[M], value: Any) -> M:
    """Return a value from outside as a model. Raises ProblemError (400), which names each field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise bad_request(
            *(
                FieldError(".".join(str(part) for part in details["loc"]), _sentence(details))
                for details in error.errors(include_url=False, include_input=False)[:20]
            )
        ) from None


def _sentence(details: Mapping[str, Any]) -> str:
    if details["type"] == "extra_forbidden":
        return "unknown field"
    if details["type"] in {"too_short", "too_long"}:
        limits = details["ctx"]
        least = f"at least {limits['min_length']}" if "min_length" in limits else f"at most {limits['max_length']}"
        return f"must have {least}, not {limits['actual_length']}"
    if details["type"] == "value_error":
        return str(details["msg"]).removeprefix("Value error, ")
    message = str(details["msg"])
    return message[0].lower() + message[1:]


def _query(route: Route, parameters: Mapping[str, list[str]] | None) -> Model:
    values = {}
    for name, repeated in (parameters or {}).items():
        if len(repeated) > 1 and name not in route.query.repeatable:
            raise bad_request(FieldError(name[:64], "is given more than once"))
        values[name] = ",".join(repeated)
    return check(route.query, values)


def _versions(if_match: str | None) -> frozenset[int] | None:
    """Return the versions that `If-Match` names, None for any; what is none of ours is no version that there is."""
    tags = [] if if_match is None else [tag.strip() for tag in if_match.split(",")]
    if if_match is None or "*" in tags:
        return None
    return frozenset(int(tag[1:-1]) for tag in tags if _TAG.fullmatch(tag))


def _tags(if_none_match: str) -> frozenset[str]:
    # A proxy that compresses an answer makes its tag a weak one.
    return frozenset(tag.strip().removeprefix("W/") for tag in if_none_match.split(","))


def _wants_page(form: str | None, accepted: str) -> bool:
    if form is not None:
        return form == "html"
    kinds = [kind.split(";")[0].strip().lower() for kind in accepted.split(",")]
    return "text/html" in kinds and "application/json" not in kinds


def _body(route: Route, event: Mapping[str, Any]) -> Model | None:
    if route.body is None:
        return None
    text = event.get("body") or ""
    try:
        raw = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
        if len(raw) > route.body_bytes:
            raise ProblemError(413, f"The body is larger than {route.body_bytes} bytes.")
        if not raw.strip() and route.body_is_optional:
            return route.body()
    except (binascii.Error, UnicodeError):
        raise bad_request(FieldError("", "The body is not JSON in UTF-8.")) from None
    try:
        value = read_json(raw)
    except ValueError as error:
        raise bad_request(FieldError("", f"The body {error}.")) from None
    if not isinstance(value, dict):
        raise bad_request(FieldError("", "The body must be a JSON object."))
    return check(route.body, value)
