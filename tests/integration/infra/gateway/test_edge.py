"""What the server answers before a request comes to the REST API, byte by byte."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from churn.entrypoints.http.headers import SECURITY_HEADERS
from tests.integration.infra.conftest import Served

_TOKEN = "secret-token-" + "x" * 11_000


def _answer(url: str, request: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return the answer to some bytes: its status, headers and document."""
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=60) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as file:
            status = int(file.readline().split()[1])
            headers = dict(line.decode().strip().split(": ", 1) for line in iter(file.readline, b"\r\n"))
            document = json.loads(file.read(int(headers["Content-Length"])))
    return status, headers, document


def _request(method: str, *headers: str, path: str = "/open") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (_request("TRACE"), 405),
        (_request("CONNECT", path="example.com:443"), 405),
        (_request("PROPFIND"), 405),
        (_request("NONSENSE"), 400),
        (b"\x16\x03\x01\x02\x00 no HTTP at all\r\n\r\n", 400),
        (_request("GET", "A header without a colon"), 400),
        (_request("GET", "Content-Length: -1"), 400),
        (_request("GET", f"Authorization: Bearer {_TOKEN}"), 400),
        (_request("GET", path=f"/open?token={_TOKEN}"), 400),
        (_request("GET", "Expect: a-miracle"), 417),
        (_request("OPTIONS", path="*"), 404),
        (_request("POST", "Content-Encoding: deflate", "Content-Length: 3") + b"abc", 400),
        (_request("POST", "Content-Encoding: br", "Content-Length: 3") + b"abc", 400),
        (_request("POST", "Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n", 400),
    ],
    ids=lambda value: value[:16].decode("latin-1") if isinstance(value, bytes) else str(value),
)
def test_what_is_no_request_of_the_api_gets_a_problem_document(
    served: Served, request_bytes: bytes, status: int
) -> None:
    _assert_problem(_answer(served.base_url, request_bytes), status)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (_request("TRACE"), 405),
        (_request("POST"), 405),
        (_request("NONSENSE"), 400),
        (_request("GET", f"Authorization: Bearer {_TOKEN}"), 400),
        (_request("GET", "Expect: a-miracle"), 417),
        (_request("GET", "Expect: a-miracle", path="/@connections/abc="), 417),
    ],
    ids=lambda value: value[:16].decode("latin-1") if isinstance(value, bytes) else str(value),
)
def test_the_sockets_door_answers_as_the_api_does(served: Served, request_bytes: bytes, status: int) -> None:
    _assert_problem(_answer(served.ws_url, request_bytes), status)


def _assert_problem(answer: tuple[int, dict[str, str], dict[str, Any]], status: int) -> None:
    answered, headers, document = answer
    assert (answered, document["status"], headers["Content-Type"].split(";")[0]) == (
        status,
        status,
        "application/problem+json",
    )
    assert document["detail"]
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_plain_request_at_the_sockets_door_has_the_headers_of_security(served: Served) -> None:
    status, headers, _ = _answer(served.ws_url, _request("GET"))
    assert status in {403, 426}
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_body_that_is_not_compressed_as_it_says_is_refused(served: Served) -> None:
    status, _, document = _answer(
        served.base_url, _request("GET", "Content-Encoding: gzip", "Content-Length: 3") + b"abc"
    )
    assert (status, document["message"]) == (400, "Invalid request body")


def test_what_could_not_be_read_is_not_logged(served: Served) -> None:
    _answer(served.base_url, _request("GET", f"Authorization: Bearer {_TOKEN}"))
    assert b"secret-token" not in (served.folder / "gateway.log").read_bytes()


def test_a_client_that_waits_for_it_is_told_to_go_on(served: Served) -> None:
    address = urlsplit(served.base_url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=60) as connection:
        connection.sendall(_request("GET", "Expect: 100-continue"))
        with connection.makefile("rb") as file:
            assert file.readline().split()[1] == b"100"
            assert file.readline() == b"\r\n"
            assert file.readline().split()[1] == b"200"
