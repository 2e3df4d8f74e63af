"""Lambda's Invoke API, so that boto3's client works with this address as its endpoint, and a view of what runs."""

import asyncio
import base64
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from infra.local.gateway.environment import MAX_PAYLOAD, Log
from infra.local.gateway.runtime import FunctionPool
from infra.local.side_doors import keyed
from infra.local.template.specs import Template

_ASYNC_RETRIES = 2
_RETRY_SECONDS = 1.0


class LambdaApi:
    """`POST /2015-03-31/functions/{name}/invocations`, and `GET /status`."""

    def __init__(
        self,
        template: Template,
        pools: Mapping[str, FunctionPool],
        log: Log,
        door_key: str,
        status: Callable[[], Mapping[str, Any]] = dict,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._template = template
        self._pools = pools
        self._log = log
        self._door_key = door_key
        self._status = status
        self._retry_seconds = retry_seconds
        self._under_way: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """Return the web application to serve."""
        app = web.Application(client_max_size=MAX_PAYLOAD, middlewares=[keyed(self._door_key)])
        app.router.add_post("/2015-03-31/functions/{name}/invocations", self._invoke)
        app.router.add_get("/status", self._report)
        app.on_shutdown.append(self._shutdown)
        return app

    async def _invoke(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            pool = self._pools[self._template.function(name).name]
        except KeyError:
            return _failure(404, "ResourceNotFoundException", f"Function not found: {name}")
        try:
            payload = await request.read() or b"{}"
        except web.HTTPRequestEntityTooLarge:
            return _failure(413, "RequestTooLargeException", f"Request must be smaller than {MAX_PAYLOAD} bytes")
        request_id = str(uuid.uuid4())
        headers = {"x-amzn-RequestId": request_id}
        match request.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "DryRun":
                return web.Response(status=204, headers=headers)
            case "Event":
                task = asyncio.create_task(self._in_background(pool, payload, request_id))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                return web.Response(status=202, headers=headers)
            case _:
                result = await pool.invoke(payload, request_id)
        headers["X-Amz-Executed-Version"] = "$LATEST"
        if result.error:
            headers["X-Amz-Function-Error"] = result.error
            headers["X-Amz-Log-Result"] = base64.b64encode(result.payload[:4096]).decode()
        return web.Response(body=result.payload, content_type="application/json", headers=headers)

    async def _in_background(self, pool: FunctionPool, payload: bytes, request_id: str) -> None:
        """Invoke asynchronously, with two retries as Lambda makes them, at shorter intervals."""
        for attempt in range(1 + _ASYNC_RETRIES):
            result = await pool.invoke(payload, request_id)
            if not result.error:
                return
            self._log("lambda", f"{pool.spec.label}: {result.payload.decode('utf-8', 'replace')[:2000]}")
            if attempt < _ASYNC_RETRIES:
                await asyncio.sleep(self._retry_seconds * 2**attempt)

    async def _report(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def _shutdown(self, _app: web.Application) -> None:
        for task in self._under_way:
            task.cancel()


def _failure(status: int, kind: str, message: str) -> web.Response:
    return web.json_response({"Type": "User", "Message": message}, status=status, headers={"x-amzn-ErrorType": kind})
