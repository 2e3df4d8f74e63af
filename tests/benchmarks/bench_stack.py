"""The local stack: its first and second start, idle, requests over REST, and an alert that 1,000 sockets see."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from churn.adapters.api_gateway_push import ApiGatewayPush
from churn.adapters.mysql import Database
from churn.adapters.mysql.websocket_connections import reachable
from churn.domain.features import FEATURE_NAMES
from churn.domain.timestamps import parse_timestamp
from churn.services.alert_delivery import message
from infra.local.servers.databases import free_port
from infra.local.side_doors import aws_credentials
from infra.local.stack import REGION
from tests.benchmarks.frame import Bench, Row, Spread, one
from tests.benchmarks.idle_stack import processor_seconds
from tests.contract.conftest import Stack, running_stack
from tests.support import eventually

_SAMPLE = int(os.environ.get("SAMPLE_CUSTOMERS", "5000"))
_SOCKETS = int(os.environ.get("SOCKETS", "1000"))
_A_SUBJECT = 50
_IDLE_SECONDS = 30.0
_ASKED_SECONDS = 5.0
_PATIENCE_SECONDS = 400
"""For what takes a second on a quiet machine, and minutes on one that is busy with other things."""
_ALERTS = 5
_ALERTS_OF_PEER = 2
_BODY = json.dumps(dict.fromkeys(FEATURE_NAMES, 1) | {"email_engagement": 0.5, "discount_usage": 0.5})


def measure(_: Bench) -> Iterator[Row]:
    """Yield what was measured of two runs of the stack."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / "state"
        state.mkdir()
        begun = time.monotonic()
        environment = {"EVENT_RATE": "0", "SAMPLE_CUSTOMERS": str(_SAMPLE)}
        with running_stack(state, folder / "first", **environment):
            yield Row(f"first start, sample shop of {_SAMPLE:,}", "s", one(time.monotonic() - begun), at_most=45)
        begun = time.monotonic()
        with running_stack(state, folder / "second", **environment) as stack:
            yield Row("second start", "s", one(time.monotonic() - begun), at_most=8)
            yield from _rest(stack)
            yield from _sockets(stack)
            yield _idle()


def _idle() -> Row:
    # What starting, and closing the sockets, left to do is over by then.
    time.sleep(10)
    before, begun = processor_seconds(os.getpid()), time.monotonic()
    time.sleep(_IDLE_SECONDS)
    used, took = Counter(processor_seconds(os.getpid())), time.monotonic() - begun
    used.subtract(before)
    # Processes that have ended meanwhile count no more.
    share = 100 * sum(seconds for seconds in used.values() if seconds > 0) / took
    return Row("the local stack, idle: of a processor", "%", one(share), at_most=2)


def _rest(stack: Stack) -> Iterator[Row]:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.rival", str(port)], stderr=subprocess.DEVNULL
    ) as flask:
        try:
            eventually(lambda: _answers(f"http://127.0.0.1:{port}"), within=_PATIENCE_SECONDS)
            headers = {"Authorization": f"Bearer {stack.token('predict')}", "Content-Type": "application/json"}
            own = _asked(stack.base_url, "POST", "/api/churn/predict", headers)
            of_flask = _asked(f"http://127.0.0.1:{port}", "POST", "/predict", headers)
        finally:
            flask.terminate()
    yield Row(
        "predict over REST, two clients: a request", "ms", Spread.of(own), "Flask, scikit-learn, two workers",
        Spread.of(of_flask), times=8,
    )  # fmt: skip
    yield Row(
        "GET /health over REST",
        "ms",
        Spread.of(_asked(stack.base_url, "GET", "/health", {}, 1)),
        at_most=10,
    )


def _answers(url: str) -> bool:
    address = urlsplit(url)
    try:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
        connection.request("POST", "/predict", _BODY, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False


def _asked(url: str, method: str, path: str, headers: dict[str, str], clients: int = 2) -> list[float]:
    """Ask for a while by some clients at once; return the milliseconds of each request, divided by the clients."""
    address = urlsplit(url)
    taken: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_PATIENCE_SECONDS)
        until = time.perf_counter() + _ASKED_SECONDS
        while time.perf_counter() < until:
            begun = time.perf_counter()
            connection.request(method, path, _BODY if method == "POST" else None, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            taken.append((time.perf_counter() - begun) * 1000 / clients)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def _sockets(stack: Stack) -> Iterator[Row]:
    seen, of_peer = asyncio.run(_seen(stack))
    yield Row(
        f"an alert stored → seen by {_SOCKETS:,} sockets", "ms", Spread.of(seen), "one post after another",
        Spread.of(of_peer), at_most=1000, is_of_95th=True, times=5,
    )  # fmt: skip


async def _seen(stack: Stack) -> tuple[list[float], list[float]]:
    """Return the milliseconds from when alerts were stored until each socket had them, and the same of the peer."""
    tokens = [stack.token("read", subject=f"bench-{number}") for number in range(-(-_SOCKETS // _A_SUBJECT))]
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(_PATIENCE_SECONDS)
            )
        )
        sockets = []
        for number in range(_SOCKETS):
            query = {"token": tokens[number // _A_SUBJECT]}
            socket = await opened.enter_async_context(session.ws_connect(stack.ws_url, params=query))
            await socket.send_json({"event": "subscribe_alerts", "data": {}})
            sockets.append(socket)
        for socket in sockets:
            await _heard(socket, "subscribed")
        taken, of_peer = [], []
        for _ in range(_ALERTS):
            customer = f"BENCH-{uuid.uuid4().hex[:8]}"
            await asyncio.to_thread(stack.publish, "payment_failed", customer, datetime.now(UTC))
            taken += await asyncio.gather(*(_heard(socket, "churn_alert") for socket in sockets))
        for _ in range(_ALERTS_OF_PEER):
            posting = asyncio.create_task(asyncio.to_thread(_post_one_by_one, stack))
            of_peer += await asyncio.gather(*(_heard(socket, "churn_alert") for socket in sockets))
            await posting
        return taken, of_peer


def _post_one_by_one(stack: Stack) -> None:
    """Post to each open socket once the one before has it, by the same client of the same doors."""
    assert stack.endpoints
    endpoint = json.loads(stack.endpoints.read_text(encoding="utf-8"))["socket_endpoint"]
    os.environ |= aws_credentials(stack.door_key) | {"AWS_DEFAULT_REGION": REGION}
    push = ApiGatewayPush(endpoint)
    with closing(Database(stack.database_url)) as database:
        connections = database.run(reachable)
    text = message("churn_alert", {"created_at": datetime.now(UTC).isoformat()})
    for connection in connections:
        push.post(connection, text)


async def _heard(socket: aiohttp.ClientWebSocketResponse, event: str) -> float:
    """Wait for the next message of an event; return how many milliseconds ago what it tells of was created."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            message = await socket.receive_json()
            if message["event"] == event:
                created = message["data"].get("created_at")
                age = datetime.now(UTC) - parse_timestamp(created) if created else None
                return 0.0 if age is None else age.total_seconds() * 1000
