"""Functions that run send their spans to a receiver of OTLP, and load nothing of OpenTelemetry without one."""

import asyncio
import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.local.gateway.runtime import FunctionPool
from infra.local.template.reader import load
from tests.support.forests import small_model
from tests.support.http import serving

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("database")
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Receiver:
    """A receiver of OTLP over HTTP; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(json.loads(body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The spans, with their attributes as one mapping."""
        return [
            {**span, "attributes": {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}}
            for request in self.requests
            for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def span(self, name: str) -> dict[str, Any]:
        """Return the one span of a name."""
        (found,) = [span for span in self.spans if span["name"] == name]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(receiver.server):
        yield receiver


def call(function: str, endpoint: str, mysql_url: str, model: Path, *events: dict[str, Any]) -> list[Any]:
    """Return the answers of one process of a function to events, and print its log."""
    parameters = {
        "DatabaseUrl": mysql_url,
        "RedisUrl": "",
        "JwtSecret": "only-a-test-knows-this-secret-of-32-bytes",
        "ErasureKey": "only-a-test-knows-this-key-of-32-bytes-or-more",
        "KafkaClusterArn": "arn:aws:kafka:eu-central-1:123456789012:cluster/shop/0-1",
        "OtlpEndpoint": endpoint,
    }
    spec = load(ROOT / "template.yaml", parameters, region="eu-central-1").function(function)
    assert ("tracing" in {layer.name for layer in spec.layers}) == bool(endpoint)

    async def run() -> list[Any]:
        variables = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
        pool = FunctionPool(spec, variables, "eu-central-1", 1, print)
        pool._variables = {**pool._variables, "MODEL_PATH": str(model)}
        try:
            results = [
                await pool.invoke(json.dumps(event).encode(), f"invocation-{n}") for n, event in enumerate(events)
            ]
        finally:
            await pool.stop()
        return [json.loads(result.payload) for result in results]

    return asyncio.run(run())


def request(**more: Any) -> dict[str, Any]:
    """Return the event of a request for one customer."""
    path = "/api/customers/{customer_id}"
    return {
        "resource": path,
        "path": "/api/customers/CUST-7",
        "httpMethod": "GET",
        "headers": {"traceparent": TRACEPARENT},
        "multiValueHeaders": {"traceparent": [TRACEPARENT]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"customer_id": "CUST-7"},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": "GET",
            "path": "/live/api/customers/CUST-7",
            "requestId": "request-1",
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {"sub": "test", "role": "read", "exp": "99999999999"},
            "requestTimeEpoch": 1764000000000,
        },
        "body": None,
        "isBase64Encoded": False,
        **more,
    }


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.npz"
    path.write_bytes(small_model().to_bytes())
    return path


def test_a_request_is_a_span_of_its_callers_trace(receiver: Receiver, mysql_url: str, model: Path) -> None:
    (answer,) = call("customers", receiver.url, mysql_url, model, request())
    assert answer["statusCode"] == 404
    span, child = receiver.span("GET /api/customers/{customer_id}"), receiver.spans[0]
    assert (span["traceId"], span["parentSpanId"]) == (TRACE, TRACEPARENT.split("-")[2])
    assert span["attributes"] == {
        "faas.trigger": "http",
        "http.request.method": "GET",
        "http.route": "/api/customers/{customer_id}",
        "http.response.status_code": span["attributes"]["http.response.status_code"],
        "churn.request_id": "request-1",
        "faas.invocation_id": "invocation-0",
    }
    assert int(span["attributes"]["http.response.status_code"]) == 404
    assert (child["traceId"], child["parentSpanId"]) == (TRACE, span["spanId"])
    assert child["attributes"] == {"db.system.name": "mysql", "error.type": "CustomerNotFoundError"}
    assert "CUST-7" not in json.dumps(receiver.requests)


def test_a_batch_is_linked_to_the_traces_of_its_records(receiver: Receiver, mysql_url: str, model: Path) -> None:
    record = {
        "topic": "user-events",
        "partition": 0,
        "offset": 0,
        "timestamp": 1764000000000,
        "timestampType": "CREATE_TIME",
        "headers": [{"traceparent": list(TRACEPARENT.encode())}],
        "value": base64.b64encode(b"no event").decode(),
    }
    call(
        "scoring", receiver.url, mysql_url, model, {"eventSource": "aws:kafka", "records": {"user-events-0": [record]}}
    )
    span = receiver.span("process user-events")
    assert [link["traceId"] for link in span["links"]] == [TRACE]
    assert span["traceId"] != TRACE
    assert {"transaction", "push"} <= {one["name"] for one in receiver.spans if one["traceId"] == span["traceId"]}


def test_an_endpoint_that_fails_loses_spans_and_no_answer(receiver: Receiver, mysql_url: str, model: Path) -> None:
    receiver.status = 400
    answers = call("customers", receiver.url, mysql_url, model, request(), request())
    assert [answer["statusCode"] for answer in answers] == [404, 404]
    assert len(receiver.requests) == 1, "it is left alone for a while"
    absent = call("customers", "http://127.0.0.1:9", mysql_url, model, request())
    assert absent[0]["statusCode"] == 404


def test_without_an_endpoint_nothing_is_sent(receiver: Receiver, mysql_url: str, model: Path) -> None:
    (answer,) = call("customers", "", mysql_url, model, request())
    assert answer["statusCode"] == 404
    assert receiver.requests == []
