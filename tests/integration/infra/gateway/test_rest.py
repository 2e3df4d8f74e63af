"""The REST API of the gateway, as its clients see it."""

import gzip
import json
import zlib

import pytest

from tests.integration.infra.conftest import Served


def test_the_event_is_that_of_a_rest_apis_proxy_integration(served: Served) -> None:
    event = served.facts("/items/a%2Fb?x=1&x=2&y=%20", "good", method="POST", body=b'{"k": 1}')["event"]
    assert (event["resource"], event["httpMethod"]) == ("/items/{id}", "POST")
    assert event["pathParameters"] == {"id": "a/b"}
    assert event["queryStringParameters"] == {"x": "2", "y": " "}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [" "]}
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": 1}', False)
    context = event["requestContext"]
    assert context["resourcePath"] == "/items/{id}"
    assert context["stage"] == "live"
    assert context["authorizer"] == {"principalId": "good", "role": "admin", "level": "3", "whole": "true"}
    assert context["identity"]["sourceIp"] == "127.0.0.1"


def test_a_constant_segment_wins_over_a_parameter(served: Served) -> None:
    assert served.facts("/items/mine", "good")["event"]["resource"] == "/items/mine"


def test_binary_bodies_pass_both_ways(served: Served) -> None:
    binary = {"Content-Type": "application/octet-stream"}
    event = served.facts("/items/1", "good", method="POST", body=b"\x00\xff", headers=binary)["event"]
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    status, headers, body = served.get("/open?do=binary")
    assert (status, headers["Content-Type"], body) == (200, "image/x", b"\x00\x01\x02")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/items/1", None, 401),
        ("/items/1", "who?", 401),
        ("/items/1", "poor", 403),
        ("/secret", "good", 403),
        ("/items/1", "broken", 500),
        ("/nowhere", "good", 403),
        ("/open?do=raise", None, 502),
        ("/open?do=nonsense", None, 502),
    ],
)
def test_what_the_gateway_itself_answers(served: Served, path: str, token: str | None, status: int) -> None:
    assert served.get(path, token)[0] == status


def test_a_gateway_response_of_the_template_is_filled_in(served: Served) -> None:
    status, headers, body = served.get("/items/1")
    assert (status, headers["Content-Type"]) == (401, "application/problem+json")
    problem = json.loads(body)
    assert problem == {"status": 401, "detail": "Unauthorized", "instance": headers["x-amzn-RequestId"]}


def test_an_authorizers_answer_is_kept_for_the_same_identity(served: Served) -> None:
    served.get("/items/1", "good")
    calls = len((served.scratch / "authorizer-calls").read_text())
    assert served.get("/items/2", "good")[0] == 200
    assert len((served.scratch / "authorizer-calls").read_text()) == calls


def test_a_body_over_ten_megabytes_is_refused(served: Served) -> None:
    assert served.get("/items/1", "good", method="POST", body=bytes(10 * 1024 * 1024 + 1))[0] == 413


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 6_200_000, 200),
        (b"x" * 6_291_456, 413),
        (b'"' * 3_100_000, 200),
        (b'"' * 3_200_000, 413),
        (("é" * 3_000_000).encode(), 200),
    ],
)
def test_a_request_that_lambda_would_not_take_is_refused(served: Served, body: bytes, status: int) -> None:
    # In the event a quotation mark has two bytes; a letter has what it has in UTF-8.
    assert served.get("/items/1?do=binary", "good", method="POST", body=body)[0] == status


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate", "gzip"),
        ("deflate", "deflate"),
        ("identity", None),
        ("br", None),
        ("", None),
        ("gzip;q=0.001", "gzip"),
        ("gzip; q=0.000, Deflate", "deflate"),
        ("gzip;q=0", None),
        ("notgzip", None),
    ],
)
def test_a_long_answer_is_compressed_for_who_accepts_it(served: Served, accepted: str, coding: str | None) -> None:
    status, headers, body = served.get(f"/open?long={'x' * 900}", headers={"Accept-Encoding": accepted})
    assert (status, headers.get("Content-Encoding")) == (200, coding)
    if coding:
        body = gzip.decompress(body) if coding == "gzip" else zlib.decompress(body)
    assert json.loads(body)["event"]["queryStringParameters"]["long"] == "x" * 900


def test_a_short_answer_is_not_compressed(served: Served) -> None:
    status, headers, _ = served.get("/nowhere", headers={"Accept-Encoding": "gzip"})
    assert (status, headers.get("Content-Encoding")) == (403, None)
