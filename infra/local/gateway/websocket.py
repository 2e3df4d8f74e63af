"""The template's WebSocket API and its `@connections` management API, with API Gateway's limits.

`$connect` is settled before the upgrade is answered, so a refusal is the status of the handshake.
"""

import asyncio
import base64
import contextlib
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from infra.local.gateway.authorizer import AccessDeniedError, Authorizer, AuthorizerFailedError, UnauthorizedError
from infra.local.gateway.edge import as_problems, expectation
from infra.local.gateway.environment import Log
from infra.local.gateway.frame_limit import limit_frames
from infra.local.gateway.proxy import BadAnswerError, last, lists, parse_answer
from infra.local.gateway.runtime import FunctionPool
from infra.local.side_doors import refused
from infra.local.template.specs import ACCOUNT, WebSocketApiSpec, WebSocketRoute

# How long a post waits to learn that its socket is gone.
_SEND_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """API Gateway's limits of a WebSocket connection, in bytes and seconds.

    `backlog` has no counterpart in AWS's documents: what may wait for a client that does not read, before a post to it
    is refused with LimitExceededException.
    """

    frame: int = 32 * 1024
    message: int = 128 * 1024
    idle: float = 600.0
    lifetime: float = 7200.0
    backlog: int = 1024 * 1024
    concurrent: int = 10


@dataclass(slots=True)
class Connection:
    """One open socket."""

    id: str
    socket: web.WebSocketResponse
    source_ip: str
    user_agent: str | None
    authorizer: Mapping[str, Any] | None
    connected_at: float
    active_at: float = field(default_factory=time.time)
    active_clock: float = field(default_factory=time.monotonic)
    transport: asyncio.Transport | None = None
    closing: asyncio.Future[None] | None = None

    def touch(self) -> None:
        """Note that a message went over the socket."""
        self.active_at = time.time()
        self.active_clock = time.monotonic()


class WebSocketApi:
    """The WebSocket API: sockets in, `@connections` out."""

    def __init__(
        self,
        spec: WebSocketApiSpec,
        pools: Mapping[str, FunctionPool],
        region: str,
        log: Log,
        door_key: str,
        limits: Limits | None = None,
    ) -> None:
        self._spec = spec
        self._pools = pools
        self._region = region
        self._log = log
        self._door_key = door_key
        self._limits = limits or Limits()
        self._authorizer = Authorizer(spec.authorizer, pools[spec.authorizer.function]) if spec.authorizer else None
        self._connections: dict[str, Connection] = {}

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The open sockets, by connection id."""
        return self._connections

    def application(self) -> web.Application:
        """Return the web application to serve."""
        app = web.Application(client_max_size=4 * 1024 * 1024, middlewares=[as_problems])
        for prefix in ("", "/{stage}"):
            path = f"{prefix}/@connections/{{connection_id}}"
            app.router.add_post(path, self._post, expect_handler=expectation)
            app.router.add_get(path, self._get, allow_head=False, expect_handler=expectation)
            app.router.add_delete(path, self._delete, expect_handler=expectation)
        app.router.add_get("/{path:[^@]*}", self._connect, allow_head=False, expect_handler=expectation)
        app.on_shutdown.append(self._shutdown)
        return app

    # -- sockets -------------------------------------------------------------------------------------------------------

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        # The stage's own path, or that of a domain that leads to the stage; on AWS too all others are forbidden.
        is_stage = request.path.strip("/") in {"", self._spec.stage}
        if not is_stage or request.headers.get("Upgrade", "").lower() != "websocket":
            return _failure(403, "ForbiddenException", "Forbidden")
        connection_id = base64.b64encode(secrets.token_bytes(11)).decode().replace("+", "A").replace("/", "B")
        socket = web.WebSocketResponse(max_msg_size=self._limits.message + 1, compress=False, timeout=2.0)
        connection = Connection(
            connection_id,
            socket,
            request.remote or "127.0.0.1",
            request.headers.get("User-Agent"),
            None,
            time.time(),
        )
        refusal = await self._admit(request, connection)
        if refusal is not None:
            return refusal
        await socket.prepare(request)
        limit_frames(request.protocol, socket, self._limits.frame)
        connection.transport = request.transport
        connection.touch()
        self._connections[connection_id] = connection
        try:
            await self._serve(connection)
        finally:
            self._connections.pop(connection_id, None)
            await asyncio.shield(self._disconnected(connection))
        return socket

    async def _admit(  # noqa: PLR0911  (one answer a reason)
        self, request: web.Request, connection: Connection
    ) -> web.Response | None:
        """Run the authorizer and `$connect`; return the answer that refuses the handshake, or None."""
        headers, query = lists(request.headers.items()), lists(request.query.items())
        event: dict[str, Any] = {
            "headers": last(headers),
            "multiValueHeaders": headers,
            "queryStringParameters": last(query),
            "multiValueQueryStringParameters": query or None,
            "stageVariables": None,
            "isBase64Encoded": False,
        }
        event["requestContext"] = self._context(connection, "$connect", "CONNECT")
        if self._authorizer:
            arn = f"arn:aws:execute-api:{self._region}:{ACCOUNT}:{self._spec.api_id}/{self._spec.stage}/$connect"
            try:
                connection.authorizer = await self._authorizer.authorize(event, arn)
            except UnauthorizedError:
                return self._refuse(connection, event, 401, "Unauthorized")
            except AccessDeniedError as refusal:
                return self._refuse(connection, event, 403, str(refusal))
            except AuthorizerFailedError as failure:
                self._log("gateway", f"$connect: {failure}")
                return self._refuse(connection, event, 500, "Internal server error")
        route = self._spec.routes.get("$connect")
        if route is None:
            return None
        event["requestContext"] = self._context(connection, "$connect", "CONNECT")
        try:
            answer = await self._invoke(route, event)
        except BadAnswerError as problem:
            self._log("gateway", f"$connect: {problem}")
            return self._refuse(connection, event, 502, "Internal server error")
        status = answer["statusCode"]
        if 200 <= status < 300:
            return None
        return web.Response(
            status=status, text=str(answer.get("body") or ""), headers=_texts(answer.get("headers")) or None
        )

    async def _serve(self, connection: Connection) -> None:
        limits, socket = self._limits, connection.socket
        started = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        while True:
            idle_left = connection.active_clock + limits.idle - time.monotonic()
            life_left = started + limits.lifetime - time.monotonic()
            if min(idle_left, life_left) <= 0:
                await self._close(connection, WSCloseCode.GOING_AWAY, b"Going away")
                return
            try:
                message = await socket.receive(timeout=min(idle_left, life_left))
            except TimeoutError:
                continue
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                # A close from this side is finished only when its frame has been sent.
                if connection.closing:
                    await connection.closing
                return
            connection.touch()
            while len(under_way) >= limits.concurrent:
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._message(connection, message))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    async def _message(self, connection: Connection, message: WSMessage) -> None:
        binary = message.type is WSMsgType.BINARY
        body = base64.b64encode(message.data).decode() if binary else str(message.data)
        key = "$default" if binary else self._route_key(body)
        route = self._spec.routes.get(key)
        context = self._context(connection, key, "MESSAGE")
        if route is None:
            await self._send(connection, json.dumps(self._problem(connection, context, "Forbidden")))
            return
        try:
            answer = await self._invoke(
                route, {"requestContext": context, "body": body, "isBase64Encoded": binary}, strict=route.answers
            )
        except BadAnswerError as problem:
            self._log("gateway", f"{key}: {problem}")
            await self._send(connection, json.dumps(self._problem(connection, context, "Internal server error")))
            return
        if route.answers and answer.get("body"):
            await self._send(connection, str(answer["body"]))

    async def _disconnected(self, connection: Connection) -> None:
        route = self._spec.routes.get("$disconnect")
        if route is None:
            return
        context = self._context(connection, "$disconnect", "DISCONNECT")
        context["disconnectStatusCode"] = connection.socket.close_code or 1006
        context["disconnectReason"] = "" if connection.socket.close_code else "Client-side close frame status not set"
        with contextlib.suppress(BadAnswerError):
            await self._invoke(route, {"requestContext": context, "isBase64Encoded": False}, strict=False)

    async def _invoke(self, route: WebSocketRoute, event: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
        """Return the function's answer. Raises BadAnswerError when it failed, was too slow or answered nonsense."""
        invocation = asyncio.ensure_future(self._pools[route.function].invoke(json.dumps(event).encode()))
        done, _ = await asyncio.wait([invocation], timeout=route.timeout)
        if not done:
            raise BadAnswerError(f"no answer from {route.function} within {route.timeout:g} s")
        result = invocation.result()
        if result.error:
            raise BadAnswerError(f"{route.function} failed: {result.payload.decode('utf-8', 'replace')[:2000]}")
        return parse_answer(result.payload) if strict else {}

    def _route_key(self, body: str) -> str:
        try:
            value: Any = json.loads(body)
            for name in self._spec.selection:
                value = value[name]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return "$default"
        return value if isinstance(value, str) and value in self._spec.routes else "$default"

    def _context(self, connection: Connection, route_key: str, event_type: str) -> dict[str, Any]:
        now = time.time()
        context: dict[str, Any] = {
            "apiId": self._spec.api_id,
            "connectedAt": int(connection.connected_at * 1000),
            "connectionId": connection.id,
            "domainName": "localhost",
            "eventType": event_type,
            "extendedRequestId": uuid.uuid4().hex,
            "identity": {"sourceIp": connection.source_ip, "userAgent": connection.user_agent},
            "messageDirection": "IN",
            "requestId": str(uuid.uuid4()),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "routeKey": route_key,
            "stage": self._spec.stage,
        }
        if event_type == "MESSAGE":
            context["messageId"] = uuid.uuid4().hex
        if connection.authorizer is not None:
            context["authorizer"] = dict(connection.authorizer)
        return context

    @staticmethod
    def _problem(connection: Connection, context: Mapping[str, Any], message: str) -> dict[str, str]:
        return {"message": message, "connectionId": connection.id, "requestId": context["requestId"]}

    def _refuse(self, connection: Connection, event: Mapping[str, Any], status: int, message: str) -> web.Response:
        return web.json_response(self._problem(connection, event["requestContext"], message), status=status)

    @staticmethod
    async def _send(connection: Connection, text: str) -> None:
        with contextlib.suppress(ConnectionError):
            await connection.socket.send_str(text)
            connection.touch()

    @staticmethod
    def _close(connection: Connection, code: int, reason: bytes) -> asyncio.Future[None]:
        async def close() -> None:
            with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
                await connection.socket.close(code=code, message=reason)

        connection.closing = connection.closing or asyncio.ensure_future(close())
        return connection.closing

    async def _shutdown(self, _app: web.Application) -> None:
        await asyncio.gather(
            *(self._close(c, WSCloseCode.GOING_AWAY, b"Going away") for c in list(self._connections.values()))
        )

    # -- @connections --------------------------------------------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.Response:
        connection = self._known(request)
        if isinstance(connection, web.Response):
            return connection
        body = await request.read()
        if len(body) > self._limits.message:
            return _failure(413, "PayloadTooLargeException", "Message too long")
        waiting = connection.transport.get_write_buffer_size() if connection.transport else 0
        if waiting > self._limits.backlog:
            return _failure(429, "LimitExceededException", "The client does not keep up with what is sent to it")
        # A client that does not read must not hold up the one who posts: bytes wait in the transport's buffer.
        sending = asyncio.ensure_future(_deliver(connection, body))
        sending.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait([sending], timeout=_SEND_SECONDS)
        if done and sending.exception():
            return _failure(410, "GoneException", "The connection is gone")
        connection.touch()
        return web.Response(status=200)

    async def _get(self, request: web.Request) -> web.Response:
        connection = self._known(request)
        if isinstance(connection, web.Response):
            return connection
        return web.json_response(
            {
                "connectedAt": _iso(connection.connected_at),
                "identity": {"sourceIp": connection.source_ip, "userAgent": connection.user_agent or ""},
                "lastActiveAt": _iso(connection.active_at),
            }
        )

    async def _delete(self, request: web.Request) -> web.Response:
        connection = self._known(request)
        if isinstance(connection, web.Response):
            return connection
        self._close(connection, WSCloseCode.OK, b"Connection Closed Normally")
        return web.Response(status=204)

    def _known(self, request: web.Request) -> Connection | web.Response:
        refusal = refused(request, self._door_key)
        if refusal is not None:
            return refusal
        if not request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            return _failure(403, "ForbiddenException", "The request is not signed")
        connection = self._connections.get(request.match_info["connection_id"])
        if connection is None or connection.socket.closed:
            return _failure(410, "GoneException", "The connection is gone")
        return connection


async def _deliver(connection: Connection, body: bytes) -> None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        await connection.socket.send_bytes(body)
    else:
        await connection.socket.send_str(text)


def _failure(status: int, kind: str, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status, headers={"x-amzn-ErrorType": kind})


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z"


def _texts(headers: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in (headers or {}).items()}
