"""The template's REST API: routes, authorizers, gateway responses and limits as API Gateway has them."""

import asyncio
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError

from infra.local.gateway.authorizer import AccessDeniedError, Authorizer, AuthorizerFailedError, UnauthorizedError
from infra.local.gateway.edge import as_problems, expectation
from infra.local.gateway.environment import MAX_PAYLOAD, Log
from infra.local.gateway.proxy import BadAnswerError, http_response, request_event
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import ACCOUNT, RestApiSpec, RestRoute

MAX_BODY = 10 * 1024 * 1024
_INTEGRATION_SECONDS = 29.0
_CONTEXT = re.compile(r"\$context\.([A-Za-z.]*[A-Za-z])")
_CODINGS = (web.ContentCoding.gzip, web.ContentCoding.deflate)

# API Gateway's own answers: status, message. https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
_ANSWERS = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource"),
    "AUTHORIZER_FAILURE": (500, "Internal server error"),
    "BAD_REQUEST_BODY": (400, "Invalid request body"),
    "INTEGRATION_FAILURE": (502, "Internal server error"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "UNAUTHORIZED": (401, "Unauthorized"),
}


class RestApi:
    """An aiohttp handler for every path of the API."""

    def __init__(
        self,
        spec: RestApiSpec,
        pools: Mapping[str, FunctionPool],
        region: str,
        log: Log,
        integration_seconds: float = _INTEGRATION_SECONDS,
    ) -> None:
        self._spec = spec
        self._pools = pools
        self._region = region
        self._log = log
        self._seconds = integration_seconds
        self._authorizers = {
            name: Authorizer(authorizer, pools[authorizer.function]) for name, authorizer in spec.authorizers.items()
        }
        # A constant segment wins over a parameter, as in API Gateway.
        self._resources = sorted(
            {(_pattern(route.path), route.path) for route in spec.routes},
            key=lambda item: [segment.startswith("{") for segment in item[1].split("/")],
        )
        self._routes = {(route.method, route.path): route for route in spec.routes}

    def application(self) -> web.Application:
        """Return the web application to serve."""
        # The limit is checked here, so that the answer is API Gateway's.
        app = web.Application(client_max_size=MAX_BODY + 1024 * 1024, middlewares=[as_problems])
        # A path may hold anything, also a line break.
        app.router.add_route("*", r"/{path:[\s\S]*}", self.handle, expect_handler=expectation)
        return app

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, compressed if the client accepts that and the answer is as long as the API says."""
        response = await self._routed(request)
        body, smallest = response.body, self._spec.compression_from
        if smallest is not None and isinstance(body, bytes) and len(body) >= max(1, smallest):
            accepted = _accepted(request.headers.get("Accept-Encoding", ""))
            coding = next((coding for coding in _CODINGS if coding.value in accepted), None)
            if coding:
                response.enable_compression(coding)
        return response

    async def _routed(self, request: web.Request) -> web.Response:
        """Answer one request, from its route on."""
        matched = self._match(request.raw_path.split("?", 1)[0])
        resource, parameters = matched or (None, {})
        route = (
            self._routes.get((request.method, resource)) or self._routes.get(("ANY", resource)) if resource else None
        )
        if route is None:
            return self._answer("MISSING_AUTHENTICATION_TOKEN", str(uuid.uuid4()))
        try:
            body = await self._body(request)
        except web.HTTPRequestEntityTooLarge:
            return self._answer("REQUEST_TOO_LARGE", str(uuid.uuid4()))
        except (ContentEncodingError, web.RequestPayloadError):
            return self._answer("BAD_REQUEST_BODY", str(uuid.uuid4()))
        event = request_event(
            request,
            body,
            api_id=self._spec.api_id,
            stage=self._spec.stage,
            resource=route.path,
            path_parameters=parameters,
            binary_types=self._spec.binary_types,
        )
        return await self._authorized(route, event)

    async def _body(self, request: web.Request) -> bytes:
        if (request.content_length or 0) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
        body = await request.read()
        if len(body) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
        return body

    async def _authorized(self, route: RestRoute, event: dict[str, Any]) -> web.Response:
        context = event["requestContext"]
        request_id: str = context["requestId"]
        if route.authorizer is not None:
            arn = (
                f"arn:aws:execute-api:{self._region}:{ACCOUNT}:{self._spec.api_id}/{self._spec.stage}"
                f"/{event['httpMethod']}{event['path']}"
            )
            authorizer_event = {key: value for key, value in event.items() if key not in ("body", "isBase64Encoded")}
            try:
                context["authorizer"] = await self._authorizers[route.authorizer].authorize(authorizer_event, arn)
            except UnauthorizedError:
                return self._answer("UNAUTHORIZED", request_id)
            except AccessDeniedError as refusal:
                return self._answer("ACCESS_DENIED", request_id, str(refusal))
            except AuthorizerFailedError as failure:
                # By the route: a path may hold a customer's id.
                self._log("gateway", f"{event['httpMethod']} {event['resource']}: {failure}")
                return self._answer("AUTHORIZER_FAILURE", request_id)
        return await self._integrate(route, event, request_id)

    async def _integrate(self, route: RestRoute, event: dict[str, Any], request_id: str) -> web.Response:
        where = f"{event['httpMethod']} {event['resource']}"
        payload = json.dumps(event).encode()
        if len(payload) > MAX_PAYLOAD and _size(event) > MAX_PAYLOAD:
            # Lambda refuses it, and API Gateway says so in the words that it has for a body of its own limit.
            return self._answer("REQUEST_TOO_LARGE", request_id)
        # What runs longer than API Gateway waits goes on in the function all the same.
        invocation = asyncio.ensure_future(self._pools[route.function].invoke(payload))
        done, _ = await asyncio.wait([invocation], timeout=self._seconds)
        if not done:
            self._log("gateway", f"{where}: no answer from {route.function} within {self._seconds:g} s")
            return self._answer("INTEGRATION_TIMEOUT", request_id)
        result = invocation.result()
        try:
            if result.error:
                raise BadAnswerError(f"{route.function} failed: {result.payload.decode('utf-8', 'replace')[:2000]}")
            response = http_response(result.payload)
        except BadAnswerError as problem:
            self._log("gateway", f"{where}: {problem}")
            return self._answer("INTEGRATION_FAILURE", request_id)
        response.headers.setdefault("x-amzn-RequestId", request_id)
        return response

    def _match(self, path: str) -> tuple[str, dict[str, str]] | None:
        for pattern, resource in self._resources:
            matched = pattern.fullmatch(path)
            if matched:
                return resource, {name: unquote(value) for name, value in matched.groupdict().items()}
        return None

    def _answer(self, kind: str, request_id: str, message: str | None = None) -> web.Response:
        """Return API Gateway's own answer of that kind, as the template's GatewayResponses write it."""
        status, text = _ANSWERS[kind]
        message = message or text
        default = "DEFAULT_4XX" if status < 500 else "DEFAULT_5XX"
        own = self._spec.responses.get(kind) or self._spec.responses.get(default)
        headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": f"{kind.title().replace('_', '')}Exception"}
        body, content_type = json.dumps({"message": message}), "application/json"
        if own:
            status = own.status or status
            headers |= own.headers
            if own.template:
                content_type, template = own.template
                values = {
                    "requestId": request_id,
                    "error.message": message,
                    "error.messageString": json.dumps(message),
                    "error.responseType": kind,
                }
                body = _CONTEXT.sub(lambda variable: values.get(variable[1], ""), template)
        headers.setdefault("Content-Type", content_type)
        return web.Response(status=status, body=body.encode(), headers=headers)


def _size(event: Mapping[str, Any]) -> int:
    """Return how many bytes an event has on its way to Lambda: its text stays UTF-8."""
    return len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _accepted(header: str) -> set[str]:
    """Return the content codings that an `Accept-Encoding` takes: those that it does not name with a weight of 0."""
    named = (re.sub(r"\s", "", one).lower().partition(";") for one in header.split(","))
    return {coding for coding, _, weight in named if not re.fullmatch(r"q=0(\.0*)?", weight)}


def _pattern(path: str) -> re.Pattern[str]:
    parts = []
    for segment in path.strip("/").split("/"):
        if segment.startswith("{") and segment.endswith("+}"):
            parts.append(f"(?P<{segment[1:-2]}>.+)")
        elif segment.startswith("{") and segment.endswith("}"):
            parts.append(f"(?P<{segment[1:-1]}>[^/]+)")
        else:
            parts.append(re.escape(segment))
    return re.compile("/" + "/".join(parts) + "/?")
