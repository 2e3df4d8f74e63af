"""The adapter for API Gateway's management API, against a server that answers as API Gateway does."""

import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import boto3
import pytest

from churn.adapters import aws_clients
from churn.adapters.api_gateway_push import (
    ApiGatewayPush,
    ConnectionGoneError,
    MessageRefusedError,
    PushUnavailableError,
)

_ANSWERS = {
    "gone": (410, "GoneException"),
    "malformed": (400, "BadRequestException"),
    "throttled": (429, "LimitExceededException"),
    "large": (413, "PayloadTooLargeException"),
    "forbidden": (403, "ForbiddenException"),
    "broken": (500, "InternalServerError"),
}


class Gateway(ThreadingHTTPServer):
    """Answers a post by the name of its connection."""

    daemon_threads = True

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.closed: list[str] = []
        self.signatures: list[str] = []
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/live"


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        connection = unquote(self.path).rpartition("/@connections/")[2]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((connection, body))
        self.server.signatures.append(self.headers["Authorization"])
        if connection == "slow":
            self.server.released.wait(20)
        status, error = _ANSWERS.get(connection, (200, ""))
        self.send_response(status)
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_DELETE(self) -> None:
        connection = unquote(self.path).rpartition("/@connections/")[2]
        self.server.closed.append(connection)
        status, error = _ANSWERS.get(connection, (204, ""))
        self.send_response(status)
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at `posts`."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_a_message_arrives_as_it_is(gateway: Gateway) -> None:
    ApiGatewayPush(gateway.endpoint).post("L0SM9cOFvHcCIhw=", '{"event":"näher"}'.encode())
    assert gateway.posts == [("L0SM9cOFvHcCIhw=", '{"event":"näher"}'.encode())]


def test_a_post_is_signed_as_aws_s_own_client_signs_it(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    # Both sign the instant, and what they say of themselves is signed by neither.
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime(2026, 1, 31, 12, 0, 0))  # noqa: DTZ001
    aws_clients._session.cache_clear()
    try:
        ApiGatewayPush(gateway.endpoint).post("L0SM9cOFvHcCIhw=", b"{}")
    finally:
        aws_clients._session.cache_clear()
    theirs = boto3.session.Session().client("apigatewaymanagementapi", endpoint_url=gateway.endpoint)
    theirs.post_to_connection(ConnectionId="L0SM9cOFvHcCIhw=", Data=b"{}")
    ours, expected = gateway.signatures
    assert "/20260131/eu-central-1/execute-api/aws4_request" in ours
    assert ours == expected


@pytest.mark.parametrize(
    ("connection", "error"),
    [
        ("gone", ConnectionGoneError),
        ("malformed", ConnectionGoneError),
        ("throttled", PushUnavailableError),
        ("broken", PushUnavailableError),
        ("slow", PushUnavailableError),
        ("large", MessageRefusedError),
        ("forbidden", MessageRefusedError),
    ],
)
def test_each_answer_is_told_apart_and_no_post_is_repeated(
    gateway: Gateway, connection: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ApiGatewayPush(gateway.endpoint).post(connection, b"{}")
    assert len(gateway.posts) == 1


def test_a_gateway_that_is_not_there_is_tried_again_soon() -> None:
    with pytest.raises(PushUnavailableError) as failure:
        ApiGatewayPush("http://127.0.0.1:9/live").post("a", b"{}")
    assert failure.value.pause < 1


def test_without_an_address_every_connection_is_gone() -> None:
    with pytest.raises(ConnectionGoneError):
        ApiGatewayPush("").post("a", b"{}")


def test_a_connection_is_closed_by_its_id(gateway: Gateway) -> None:
    ApiGatewayPush(gateway.endpoint).close("L0SM9cOFvHcCIhw=")
    assert gateway.closed == ["L0SM9cOFvHcCIhw="]


@pytest.mark.parametrize(
    ("connection", "error"),
    [("gone", ConnectionGoneError), ("throttled", PushUnavailableError), ("forbidden", MessageRefusedError)],
)
def test_what_cannot_be_closed_is_told_apart(gateway: Gateway, connection: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ApiGatewayPush(gateway.endpoint).close(connection)
