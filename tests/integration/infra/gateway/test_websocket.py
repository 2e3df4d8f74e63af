"""The WebSocket API and `@connections` of the gateway, as their clients see them."""

import asyncio
import json
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import ClientError

from infra.local.gateway.config import GatewayConfig
from infra.local.gateway.gateway import Gateway
from infra.local.gateway.websocket import Limits
from infra.local.side_doors import basic
from tests.integration.infra.conftest import DOOR_KEY, FIXTURE, Served
from tests.support import eventually
from tests.support.http import send


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


def test_a_socket_lives_from_connect_to_disconnect(served: Served) -> None:
    async def talk() -> list[str]:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{served.ws_url}?token=good&n=1") as ws:
            heard = []
            for message in ('{"event": "echo"}', '{"event": "loud"}', '{"event": "fail"}'):
                await ws.send_str(message)
                heard.append(await ws.receive_str())
            return heard

    echo, loud, failed = run(talk())
    assert (echo, loud) == ('{"event": "echo"}', "answer loud")
    problem = json.loads(failed)
    assert problem["message"] == "Internal server error"
    connection = problem["connectionId"]

    def seen() -> list[dict[str, Any]]:
        return [e for e in served.lines("socket-events") if e["requestContext"]["connectionId"] == connection]

    eventually(lambda: len(seen()) == 5)
    events = seen()
    kinds = [event["requestContext"]["eventType"] for event in events]
    assert (kinds[0], kinds[-1]) == ("CONNECT", "DISCONNECT")
    assert all(event["requestContext"]["authorizer"]["role"] == "admin" for event in events)
    assert events[0]["queryStringParameters"] == {"token": "good", "n": "1"}
    assert {event["requestContext"]["routeKey"] for event in events[1:-1]} == {"$default", "loud"}
    assert events[-1]["requestContext"]["disconnectStatusCode"] == 1000


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 401),
        ("?token=poor", 403),
        ("?token=broken", 500),
        ("?token=good&status=429", 429),
        ("?token=good&status=1", 502),
        ("/whatever?token=good", 403),
        ("/live/more?token=good", 403),
        ("/live?token=good", 101),
        ("/live/?token=good", 101),
    ],
)
def test_a_refusal_is_the_status_of_the_handshake(served: Served, query: str, status: int) -> None:
    async def knock() -> int:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.ws_connect(served.ws_url + query):
                    return 101
            except aiohttp.WSServerHandshakeError as refusal:
                return refusal.status

    assert run(knock()) == status


@pytest.mark.parametrize(("frames", "code"), [([40_000], 1009), ([30_000] * 5, 1009), ([30_000] * 2, None)])
def test_frames_and_messages_have_their_limits(served: Served, frames: list[int], code: int | None) -> None:
    async def send() -> int | None:
        url = f"{served.ws_url}?token=good"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, autoclose=False) as ws:
            transport = ws.get_extra_info("socket")
            assert transport is not None
            sender: Any = ws
            for index, size in enumerate(frames):
                last = index == len(frames) - 1
                sender._writer.transport.write(_frame(1 if index == 0 else 0, b"x" * size, last=last))
            await ws.send_str('{"event": "loud"}')
            answer = await ws.receive()
            return int(answer.data) if answer.type is aiohttp.WSMsgType.CLOSE else None

    assert run(send()) == code


def _frame(opcode: int, payload: bytes, *, last: bool) -> bytes:
    """Return a masked client frame (RFC 6455, 5.2) with a mask of zeros."""
    assert 125 < len(payload) < 65_536
    return bytes([(0x80 if last else 0) | opcode, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def test_boto3_posts_to_a_socket_looks_at_it_and_closes_it(served: Served) -> None:
    client = served.client("apigatewaymanagementapi", served.ws_url.replace("ws:", "http:"))

    async def work() -> tuple[dict[str, Any], str, tuple[aiohttp.WSMsgType, int]]:
        # Without autoclose the frame itself is looked at: what became of the client's answer to it is another matter.
        url = f"{served.ws_url}?token=good"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, autoclose=False) as ws:
            await ws.send_str('{"event": "fail"}')
            connection = (await ws.receive_json())["connectionId"]
            await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=b"hello")
            heard = await ws.receive_str()
            status = await asyncio.to_thread(client.get_connection, ConnectionId=connection)
            with pytest.raises(client.exceptions.PayloadTooLargeException):
                await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=bytes(128 * 1024 + 1))
            await asyncio.to_thread(client.delete_connection, ConnectionId=connection)
            closing = await ws.receive()
            with pytest.raises(client.exceptions.GoneException):
                await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=b"late")
            return status, heard, (closing.type, closing.data)

    status, heard, frame = run(work())
    assert heard == "hello"
    assert status["Identity"]["SourceIp"] == "127.0.0.1"
    assert status["ConnectedAt"] <= status["LastActiveAt"]
    assert frame == (aiohttp.WSMsgType.CLOSE, 1000)


def test_an_unsigned_post_is_forbidden(served: Served) -> None:
    url = f"{served.ws_url.replace('ws:', 'http:')}/@connections/x"
    answer = send(url, "POST", b"x", {"Authorization": basic(DOOR_KEY)})
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "ForbiddenException")


def test_a_client_that_does_not_read_is_refused_and_holds_nobody_up(served: Served) -> None:
    client = served.client("apigatewaymanagementapi", served.ws_url.replace("ws:", "http:"))
    host, port = served.ws_url.removeprefix("ws://").split(":")
    before = len(served.lines("socket-events"))
    with socket.create_connection((host, int(port))) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            b"GET /?token=good HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert deaf.recv(12) == b"HTTP/1.1 101"
        connection = eventually(lambda: served.lines("socket-events")[before:])[0]["requestContext"]["connectionId"]

        def flood() -> None:
            for _ in range(200):
                client.post_to_connection(ConnectionId=connection, Data=b"x" * 100_000)

        with pytest.raises(ClientError) as refusal:
            flood()
    assert refusal.value.response["Error"]["Code"] == "LimitExceededException"


def test_idle_and_old_sockets_are_closed(tmp_path: Path) -> None:
    async def closed_with(limits: Limits, *, chatty: bool) -> int | None:
        config = GatewayConfig(
            template=str(FIXTURE / "template.yaml"),
            aws_endpoint="http://127.0.0.1:1",
            parameters={"Scratch": str(tmp_path)},
            prewarm=False,
        )
        async with (
            Gateway(config, limits) as gateway,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{gateway.ws_url}?token=good") as ws,
        ):
            while True:
                if chatty and not ws.closed:
                    await ws.send_str('{"event": "loud"}')
                message = await ws.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return ws.close_code

    assert run(closed_with(Limits(idle=0.3), chatty=False)) == 1001
    assert run(closed_with(Limits(idle=5.0, lifetime=1.0), chatty=True)) == 1001
