"""Functions called in this process with the events that API Gateway would send."""

import importlib.util
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

from churn.adapters.breaker import QUEUE, REQUESTS
from churn.entrypoints.http.routes import ROUTES
from tests.support.http import Answer

FUNCTIONS = Path(__file__).parents[2] / "functions"
_ERASURE_KEY = "only-a-test-knows-this-key-of-32-bytes"
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a function about its invocation."""

    function_name: str = "function"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"


def load(function: str) -> ModuleType:
    """Return a fresh import of ``functions/NAME/app.py``, as in a new execution environment."""
    # What the process knows of its database is that of the environment before.
    REQUESTS.close()
    QUEUE.close()
    spec = importlib.util.spec_from_file_location(f"function_{function}", FUNCTIONS / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Every deployment has one.
    with patch.dict(os.environ, {"ERASURE_KEY": os.environ.get("ERASURE_KEY", _ERASURE_KEY)}):
        spec.loader.exec_module(module)
    return module


def ask(
    handler: Handler,
    method: str,
    target: str,
    body: object = None,
    *,
    role: str | None = "admin",
    subject: str = "tester",
    expires_in: float = 3600,
    source: str = "192.0.2.1",
    accept: str = "*/*",
    headers: Mapping[str, str] = MappingProxyType({}),
    stage: str = "",
) -> Answer:
    """Send a request past the authorizer; `body` is sent as it is where it is text, else as JSON."""
    parts = urlsplit(target)
    path, resource = _resource(method, parts.path)
    query = parse_qs(parts.query, keep_blank_values=True)
    event = {
        "resource": resource,
        "path": parts.path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Accept": accept, **headers},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": path or None,
        "stageVariables": None,
        "requestContext": {
            "path": stage + parts.path,
            "resourcePath": resource,
            "httpMethod": method,
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": source},
            "authorizer": {"sub": subject, "role": role, "exp": str(int(time.time() + expires_in))} if role else None,
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
    answer = handler(event, Context())
    return Answer(answer["statusCode"], answer["headers"], answer["body"].encode())


def server(handlers: Mapping[str, Handler], after: Callable[[Answer], Answer] = lambda answer: answer) -> HTTPServer:
    """Return a server that is to serve the functions, by their names; `after` may exchange an answer."""

    class _Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, resource = _resource("GET", urlsplit(self.path).path)
            (route,) = [route for route in ROUTES if (route.method, route.path) == ("GET", resource)]
            answer = after(ask(handlers[route.function], "GET", self.path))
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Write no log of requests."""

    return HTTPServer(("127.0.0.1", 0), _Gateway)


def _resource(method: str, path: str) -> tuple[dict[str, str], str]:
    # A constant segment wins over a parameter, as in API Gateway.
    for route in sorted(ROUTES, key=lambda route: route.path.count("{")):
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path), path)
        if found and method in {route.method, "OPTIONS"}:
            return {name: unquote(value) for name, value in found.groupdict().items()}, route.path
    raise AssertionError(f"no route for {method} {path}")
