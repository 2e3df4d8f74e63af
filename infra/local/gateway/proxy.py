"""Lambda proxy integration: a request as the event that API Gateway makes of it, and the answer back."""

import base64
import binascii
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from infra.local.template.specs import ACCOUNT

_LOOPBACK = "127.0.0.1"


class BadAnswerError(Exception):
    """The function answered with something that is not a proxy response: 502."""


def lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return all values of each name, in order."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def last(values: Mapping[str, list[str]]) -> dict[str, str] | None:
    """Return the last value of each name; None for no names, as API Gateway writes it."""
    return {name: items[-1] for name, items in values.items()} or None


def request_event(
    request: web.Request,
    body: bytes,
    *,
    api_id: str,
    stage: str,
    resource: str,
    path_parameters: Mapping[str, str],
    binary_types: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the event of a REST API's proxy integration (payload format 1.0)."""
    headers = lists(request.headers.items())
    query = lists(request.query.items())
    now = time.time()
    text, encoded = encode_body(body, request.headers.get("Content-Type", ""), binary_types)
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": last(headers),
        "multiValueHeaders": headers or None,
        "queryStringParameters": last(query),
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(path_parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api_id,
            "domainName": request.host.split(":")[0],
            "domainPrefix": request.host.split(".")[0],
            "extendedRequestId": uuid.uuid4().hex,
            "httpMethod": request.method,
            "identity": {
                "sourceIp": request.remote or _LOOPBACK,
                "userAgent": request.headers.get("User-Agent"),
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "cognitoIdentityId": None,
                "user": None,
                "userArn": None,
            },
            # As at a domain of one's own: the address has no stage.
            "path": request.path,
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
            "requestId": str(uuid.uuid4()),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": "local",
            "resourcePath": resource,
            "stage": stage,
        },
        "body": text,
        "isBase64Encoded": encoded,
    }


def encode_body(body: bytes, content_type: str, binary_types: tuple[str, ...]) -> tuple[str | None, bool]:
    """Return the body as the event carries it, and whether it is base64."""
    if not body:
        return None, False
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if any(pattern in ("*/*", kind, kind.split("/")[0] + "/*") for pattern in binary_types):
        return base64.b64encode(body).decode(), True
    return body.decode("utf-8", "replace"), False


def http_response(payload: bytes) -> web.Response:
    """Return the HTTP answer of a function's proxy response. Raises BadAnswerError."""
    answer = parse_answer(payload)
    headers, multi_value_headers = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    response = web.Response(status=answer["statusCode"], body=_body(answer))
    for name, value in headers.items():
        response.headers[name] = _header(value)
    for name, values in multi_value_headers.items():
        response.headers.popall(name, None)
        for value in values:
            response.headers.add(name, _header(value))
    response.headers.popall("Content-Length", None)
    if "Content-Type" not in headers and "Content-Type" not in multi_value_headers:
        response.headers["Content-Type"] = "application/json"
    return response


def parse_answer(payload: bytes) -> dict[str, Any]:
    """Return a function's proxy response with its `statusCode` as a number. Raises BadAnswerError."""
    try:
        answer = json.loads(payload)
    except ValueError:
        raise BadAnswerError("the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise BadAnswerError("the answer is not an object")
    try:
        status = int(answer["statusCode"])
    except (KeyError, TypeError, ValueError):
        raise BadAnswerError("the answer has no statusCode") from None
    if not 100 <= status <= 599:
        raise BadAnswerError(f"{status} is not an HTTP status")
    for name in ("headers", "multiValueHeaders"):
        if not isinstance(answer.get(name) or {}, dict):
            raise BadAnswerError(f"{name} is not an object")
    return {**answer, "statusCode": status}


def _body(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadAnswerError("the body is not text")
    if not answer.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise BadAnswerError("the body is not base64, as it says") from None


def _header(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    if "\r" in text or "\n" in text:
        raise BadAnswerError("a header's value has a line break")
    return text
