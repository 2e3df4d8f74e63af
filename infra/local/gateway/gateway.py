"""The gateway: one process that serves everything the template declares, each function in processes of its own.

Run by the supervisor as `python -m infra.local.gateway.gateway CONFIG.json`; ends by SIGTERM.
"""

import asyncio
import signal
import socket
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from infra.local.gateway import schedules
from infra.local.gateway.config import GatewayConfig, PortTakenError, aws_client, door_variables, log
from infra.local.gateway.edge import EdgeRunner
from infra.local.gateway.kafka_event_source import KafkaSource
from infra.local.gateway.lambda_api import LambdaApi
from infra.local.gateway.rest import RestApi
from infra.local.gateway.runtime import FunctionPool
from infra.local.gateway.source_files import SourceWatch
from infra.local.gateway.sqs_event_source import QueueSource
from infra.local.gateway.telemetry import Telemetry, Traces
from infra.local.gateway.websocket import Limits, WebSocketApi
from infra.local.template.reader import load
from infra.local.template.specs import Template

_HOST = "127.0.0.1"


class Gateway:
    """Everything of the template, served; an asynchronous context manager."""

    def __init__(self, config: GatewayConfig, limits: Limits | None = None) -> None:
        self.config = config
        self._limits = limits
        self._stack = AsyncExitStack()
        self.template = Template()
        self.pools: dict[str, FunctionPool] = {}
        self.sources: list[KafkaSource] = []
        self.queues: list[QueueSource] = []
        self.websocket: WebSocketApi | None = None
        self.ready = False
        self._started_at = time.monotonic()
        self.base_url = self.ws_url = self.lambda_url = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ready = False
        await self._stack.aclose()

    async def _start(self) -> None:
        config = self.config
        # The addresses are known before anything that needs them is made.
        lambda_socket = self._bind(config.lambda_port, "LAMBDA_PORT")
        rest_socket = self._bind(config.port, "PORT")
        ws_socket = self._bind(config.ws_port, "WS_PORT")
        self.lambda_url = f"http://{_HOST}:{lambda_socket.getsockname()[1]}"
        self.base_url = f"http://{_HOST}:{rest_socket.getsockname()[1]}"
        self.ws_url = f"ws://{_HOST}:{ws_socket.getsockname()[1]}"
        self.template = load(
            Path(config.template),
            config.parameters,
            region=config.region,
            aws_endpoint=config.aws_endpoint,
            socket_endpoint=self.ws_url.replace("ws:", "http:"),
        )
        environment = {
            **config.environment,
            **door_variables(config, self.lambda_url),
        }
        telemetry = self._telemetry()
        self.pools = {
            name: FunctionPool(spec, environment, config.region, config.concurrency, telemetry.log)
            for name, spec in self.template.functions.items()
        }
        for pool in self.pools.values():
            self._stack.push_async_callback(pool.stop)
        lambda_api = LambdaApi(self.template, self.pools, log, config.door_key, self.status).application()
        telemetry.add_routes(lambda_api)
        await self._serve(_runner(lambda_api), lambda_socket)
        if self.template.websocket:
            self.websocket = WebSocketApi(
                self.template.websocket, self.pools, config.region, log, config.door_key, self._limits
            )
            await self._serve(EdgeRunner(self.websocket.application()), ws_socket)
        if self.template.rest:
            rest = RestApi(self.template.rest, self.pools, config.region, log)
            await self._serve(EdgeRunner(rest.application()), rest_socket)
        # The files as they are now are those that the processes read.
        watching = asyncio.create_task(SourceWatch(self.pools.values()).run())
        self._stack.callback(watching.cancel)
        await asyncio.gather(*(pool.start(self._prewarmed(name)) for name, pool in self.pools.items()))
        await asyncio.gather(*(pool.warm() for pool in self.pools.values()))
        self._start_sources()
        self.ready = True

    def _telemetry(self) -> Telemetry:
        traces = self.config.traces
        file = None if traces in {"", "console"} else Path(traces)
        return Telemetry(log, Traces(log, file) if traces else None)

    def _prewarmed(self, name: str) -> int:
        """Return how many environments to start ahead: one of every function that clients wait for."""
        routes = [route.function for route in (self.template.rest.routes if self.template.rest else ())]
        routes += [
            route.function for route in (self.template.websocket.routes.values() if self.template.websocket else ())
        ]
        routes += [source.function for source in self.template.kafka]
        routes += [a.function for a in (self.template.rest.authorizers.values() if self.template.rest else ())]
        return int(self.config.prewarm and name in routes)

    def _start_sources(self) -> None:
        for kafka in self.template.kafka if self.config.kafka else ():
            source = KafkaSource(kafka, self.pools[kafka.function], self.config.kafka, log, self._keep_failed)
            source.start()
            self._stack.push_async_callback(source.stop)
            self.sources.append(source)
        for queue in self.template.queue_sources if self.config.aws_endpoint else ():
            sqs = aws_client("sqs", self.config)
            queue_source = QueueSource(queue, self.pools[queue.function], sqs, log)
            self.queues.append(queue_source)
            receiving = asyncio.create_task(queue_source.run())
            self._stack.callback(receiving.cancel)
        for schedule in self.template.schedules:
            schedules.parse(schedule.expression)
            task = asyncio.create_task(schedules.run(schedule, self.pools[schedule.function], self.config.region, log))
            self._stack.callback(task.cancel)

    def _keep_failed(self, bucket: str, key: str, body: str) -> None:
        aws_client("s3", self.config).put_object(Bucket=bucket, Key=key, Body=body)

    def _bind(self, port: int, variable: str) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._stack.callback(listener.close)
        try:
            listener.bind((_HOST, port))
        except OSError as error:
            raise PortTakenError(port, variable) from error
        return listener

    async def _serve(self, runner: web.AppRunner, listener: socket.socket) -> None:
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()

    def status(self) -> dict[str, Any]:
        """Return what runs, for `GET /status`."""
        return {
            "running_seconds": round(time.monotonic() - self._started_at, 1),
            "ready": self.ready and all(source.ready for source in self.sources),
            "base_url": self.base_url,
            "ws_url": self.ws_url,
            "functions": {
                pool.spec.label: {"pids": pool.pids, "last_error": pool.last_error} for pool in self.pools.values()
            },
            "kafka": [asdict(source.progress) for source in self.sources],
            "queues": [asdict(source.progress) for source in self.queues],
            "sockets": len(self.websocket.connections) if self.websocket else 0,
        }


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(app, access_log=None, shutdown_timeout=2.0)


async def serve(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with Gateway(config) as gateway:
        log("gateway", f"REST {gateway.base_url}  WebSocket {gateway.ws_url}")
        await ended.wait()


def main() -> int:
    """Run the process."""
    try:
        asyncio.run(serve(GatewayConfig.read(Path(sys.argv[1]))))
    except (PortTakenError, ValueError) as error:
        log("gateway", str(error))
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
