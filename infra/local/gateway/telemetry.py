"""What the functions tell of themselves: `/metrics` for Prometheus, and traces in a file or on the console.

Metrics come out of the functions' logs, as on CloudWatch: lines in the embedded metric format. Traces come by OTLP over
HTTP, in JSON.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from infra.local.gateway.environment import Log
from infra.local.private_files import open_private

_LABELS = ("function", "operation")
# When a counter was made is of no interest: it would double the list.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of all functions since the gateway's start, by function and, for requests, by operation."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._known: dict[str, Counter | Gauge | Histogram] = {}

    def read(self, function: str, line: str) -> None:
        """Take the metrics of a line of a function's log, if it holds any."""
        if '"_aws"' not in line:
            return
        try:
            document = json.loads(line)
            directives = document["_aws"]["CloudWatchMetrics"]
            found = [
                (str(metric["Name"]), str(metric.get("Unit", "None")), document[metric["Name"]])
                for directive in directives
                for metric in directive["Metrics"]
            ]
        except (ValueError, KeyError, TypeError):
            # A line that only looks like metrics.
            return
        labels = (function, str(document.get("operation", "")))
        for name, unit, values in found:
            for value in values if isinstance(values, list) else [values]:
                self._note(name, unit, labels, float(value))

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def _note(self, name: str, unit: str, labels: tuple[str, str], value: float) -> None:
        metric = self._known.get(name)
        if metric is None:
            kind = {"Count": Counter, "Milliseconds": Histogram}.get(unit, Gauge)
            suffix = "_seconds" if kind is Histogram else ""
            metric = kind(f"churn_{_snake(name)}{suffix}", f"{name} of CloudWatch", _LABELS, registry=self._registry)
            self._known[name] = metric
        match metric.labels(*labels):
            case Histogram() as times:
                times.observe(value / 1000)
            case Counter() as count:
                count.inc(value)
            case gauge:
                gauge.set(value)


class Traces:
    """Where spans go that the functions send: the console, or a file in the form of OpenTelemetry's file exporter.

    That is a line of JSON for each export request: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
    """

    def __init__(self, log: Log, file: Path | None = None) -> None:
        self._log = log
        self._file = file

    def take(self, body: bytes) -> None:
        """Write the spans of an export request. Raises ValueError for what is none."""
        request = json.loads(body)
        spans = list(_spans(request))
        if self._file is None:
            for span in spans:
                self._log("trace", _sentence(span))
            return
        with open_private(self._file) as out:
            out.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")


class Telemetry:
    """The routes `GET /metrics` and `POST /v1/traces`."""

    def __init__(self, log: Log, traces: Traces | None) -> None:
        """Without `traces` no span is taken."""
        self._log = log
        self._metrics = Metrics()
        self._traces = traces

    def log(self, source: str, line: str) -> None:
        """Read a line of a function's log, and hand it on."""
        self._metrics.read(source, line)
        self._log(source, line)

    def add_routes(self, app: web.Application) -> None:
        """Serve them with an application."""
        app.router.add_get("/metrics", self._report)
        if self._traces:
            app.router.add_post("/v1/traces", self._take)

    async def _report(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _take(self, request: web.Request) -> web.Response:
        assert self._traces  # noqa: S101
        try:
            self._traces.take(await request.read())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"message": f"not spans of OTLP in JSON: {error!r}"}, status=400)
        return web.json_response({})


def _spans(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the spans of an export request, flat, with their attributes as plain values."""
    for resource in request["resourceSpans"]:
        common = _values(resource.get("resource", {}).get("attributes", ()))
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                begun, ended = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                yield {
                    "trace_id": span["traceId"],
                    "function": common.get("service.name", ""),
                    "name": span["name"],
                    "milliseconds": round((ended - begun) / 1e6, 2),
                    "is_error": span.get("status", {}).get("code") in {2, "STATUS_CODE_ERROR"},
                    "attributes": _values(span.get("attributes", ())),
                }


def _values(attributes: Any) -> dict[str, Any]:
    """Return OTLP's attributes as plain values; its JSON writes whole numbers as text."""
    values = {}
    for attribute in attributes:
        ((kind, value),) = attribute["value"].items()
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values


def _sentence(span: Mapping[str, Any]) -> str:
    status = span["attributes"].get("http.response.status_code", "")
    error = span["attributes"].get("error.type", "error") if span["is_error"] else ""
    words = (span["trace_id"][:8], span["function"], span["name"], f"{span['milliseconds']:g} ms", str(status), error)
    return "  ".join(word for word in words if word)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
