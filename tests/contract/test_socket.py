"""The WebSocket contract, through the door that a browser uses."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tests.contract.conftest import Stack
from tests.support import eventually

type Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def _open(stack: Stack, query: dict[str, str] | None = None, token: str | None = None) -> AsyncIterator[Socket]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stack.ws_url, params=query, headers=headers, autoclose=False) as socket,
    ):
        yield socket


async def _ask(socket: Socket, event: str, data: object = None) -> None:
    await socket.send_json({"event": event, "data": data if data is not None else {}})


async def _hear(socket: Socket, event: str, within: float = 60) -> dict[str, Any]:
    """Return the data of the next message of an event; others are passed over."""
    async with asyncio.timeout(within):
        while True:
            message = await socket.receive_json()
            assert set(message) == {"event", "data"}
            if message["event"] == event:
                data: dict[str, Any] = message["data"]
                return data


async def _heard_until(socket: Socket, last: str) -> AsyncIterator[str]:
    """Yield the events of the messages that come, up to the first of one event."""
    async with asyncio.timeout(60):
        event = ""
        while event != last:
            event = (await socket.receive_json())["event"]
            yield event


def _talk(stack: Stack, conversation: Callable[[Socket], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _open(stack, {"token": stack.token("read")}) as socket:
            await conversation(socket)

    asyncio.run(run())


def _refusal(stack: Stack, query: dict[str, str] | None = None, token: str | None = None) -> int:
    async def run() -> int:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with _open(stack, query, token):
                pass
        return caught.value.status

    return asyncio.run(run())


def _ticket(stack: Stack) -> str:
    answer = stack.post("/api/alerts/ticket", role="read").json
    assert answer["expires_in"] == 30
    return str(answer["ticket"])


def _raise_alert(stack: Stack) -> dict[str, Any]:
    """Has an alert raised through Kafka, and returns it."""
    customer_id = f"SOCKET-{uuid.uuid4().hex[:8]}"
    stack.publish("payment_failed", customer_id, datetime.now(UTC))

    def found() -> dict[str, Any] | None:
        alerts = stack.get("/api/alerts?limit=50").json["alerts"]
        return next((alert for alert in alerts if alert["customer_id"] == customer_id), None)

    alert = eventually(found)
    assert alert is not None
    return alert


def test_a_socket_is_told_that_it_is_connected(stack: Stack) -> None:
    async def conversation(socket: Socket) -> None:
        assert await _hear(socket, "connected")

    _talk(stack, conversation)


def test_a_header_opens_a_socket_too(stack: Stack) -> None:
    async def run() -> None:
        async with _open(stack, token=stack.token("read")) as socket:
            await _ask(socket, "ping")
            await _hear(socket, "pong")

    asyncio.run(run())


def test_a_ticket_opens_one_socket(stack: Stack) -> None:
    ticket = _ticket(stack)

    async def run() -> None:
        async with _open(stack, {"ticket": ticket}) as socket:
            await _ask(socket, "ping")
            await _hear(socket, "pong")

    asyncio.run(run())
    assert _refusal(stack, {"ticket": ticket}) == 401


@pytest.mark.parametrize("query", [None, {"token": "nonsense"}, {"ticket": "nonsense"}, {"token": ""}])
def test_who_has_no_token_is_refused(stack: Stack, query: dict[str, str] | None) -> None:
    assert _refusal(stack, query) == 401


def test_an_expired_token_is_refused(stack: Stack) -> None:
    assert _refusal(stack, {"token": stack.token("read", seconds=-60)}) in {401, 403}


def test_the_dashboards_data(stack: Stack) -> None:
    async def conversation(socket: Socket) -> None:
        await _ask(socket, "request_dashboard_data")
        update = await _hear(socket, "dashboard_update")
        assert update["stats"]["total_customers"] >= 0
        assert set(update["recent_activity"]) == {"alerts", "predictions"}

    _talk(stack, conversation)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"data": {}}',
        '{"event": "subscribe_alerts", "data": {"min_priority": "loudest"}}',
        '{"event": "subscribe_alerts", "data": {"since": "long ago"}}',
        '{"event": "subscribe_alerts", "data": []}',
        '{"event": "subscribe_predictions", "data": {"min_risk": 2}}',
        '{"event": "what_is_this", "data": {}}',
    ],
)
def test_what_is_not_understood_is_answered_with_an_error_and_the_socket_goes_on(stack: Stack, text: str) -> None:
    async def conversation(socket: Socket) -> None:
        await socket.send_str(text)
        error = await _hear(socket, "error")
        assert error["message"]
        await _ask(socket, "ping")
        await _hear(socket, "pong")

    _talk(stack, conversation)


def test_who_was_away_gets_what_was_missed_in_order_and_nothing_twice(stack: Stack) -> None:
    first = _raise_alert(stack)
    missed = [_raise_alert(stack)["id"] for _ in range(3)]

    async def conversation(socket: Socket) -> None:
        await _ask(socket, "subscribe_alerts", {"since": first["id"]})
        await _hear(socket, "subscribed")
        live = asyncio.create_task(asyncio.to_thread(_raise_alert, stack))
        heard = [await _hear(socket, "churn_alert")]
        newest = (await live)["id"]
        while heard[-1]["id"] < newest:
            heard.append(await _hear(socket, "churn_alert"))
        ids = [alert["id"] for alert in heard]
        assert ids == sorted(set(ids))
        assert {*missed, newest} <= set(ids)
        assert first["id"] not in ids
        assert heard[0].keys() == first.keys()

    _talk(stack, conversation)


def test_who_follows_changes_hears_of_those_that_were_missed_and_of_each_new_one(stack: Stack) -> None:
    first, second = _raise_alert(stack), _raise_alert(stack)
    stack.post(f"/api/alerts/{first['id']}/acknowledge")

    async def conversation(socket: Socket) -> None:
        await _ask(socket, "subscribe_alerts", {"changes_since": first["change"]})
        await _hear(socket, "subscribed")
        heard = [await _hear(socket, "churn_alert") for _ in range(2)]
        assert [(alert["id"], alert["status"]) for alert in heard] == [
            (second["id"], "new"),
            (first["id"], "acknowledged"),
        ]
        await asyncio.to_thread(stack.post, f"/api/alerts/{second['id']}/resolve", {})
        changed = await _hear(socket, "churn_alert")
        assert (changed["id"], changed["status"]) == (second["id"], "resolved")

    _talk(stack, conversation)


def test_two_windows_see_what_somebody_does_with_an_alert(stack: Stack) -> None:
    alert = _raise_alert(stack)

    async def run() -> None:
        token = {"token": stack.token("read")}
        async with _open(stack, token) as subscribed, _open(stack, token) as silent:
            await _hear(silent, "connected")
            await _ask(subscribed, "subscribe_alerts")
            await _hear(subscribed, "subscribed")
            path, work = f"/api/alerts/{alert['id']}", {"status": "in_progress", "assigned_to": "me", "note": "Called."}
            changed = (await asyncio.to_thread(stack.ask, "PATCH", path, work)).json
            for window in (subscribed, silent):
                update = await _hear(window, "alert_updated")
                while update["id"] != alert["id"]:
                    update = await _hear(window, "alert_updated")
                assert update == {name: changed[name] for name in update}
                assert update["last_action"]["note"] == "Called."

    asyncio.run(run())


def test_only_alerts_of_the_wanted_priority_are_heard(stack: Stack) -> None:
    async def conversation(socket: Socket) -> None:
        await _ask(socket, "subscribe_alerts", {"min_priority": "urgent"})
        await _hear(socket, "subscribed")
        high = await asyncio.to_thread(_raise_alert, stack)
        await _ask(socket, "subscribe_alerts", {"min_priority": "low", "since": high["id"] - 1})
        while (alert := await _hear(socket, "churn_alert"))["id"] < high["id"]:
            assert alert["priority"] == "urgent"
        assert alert["id"] == high["id"]

    _talk(stack, conversation)


def test_a_prediction_is_seen_by_who_asked_for_it_as_it_is_made(stack: Stack) -> None:
    customer_id = f"SOCKET-{uuid.uuid4().hex[:8]}"

    async def run() -> None:
        token = {"token": stack.token("read")}
        async with _open(stack, token) as asks, _open(stack, token) as asks_not, _open(stack, token) as of_another:
            for socket, data in ((asks, {"customer_ids": [customer_id]}), (of_another, {"customer_ids": ["another"]})):
                await _ask(socket, "subscribe_predictions", data)
                assert (await _hear(socket, "subscribed"))["predictions"]["customer_ids"] == data["customer_ids"]
            await asyncio.to_thread(
                stack.publish, "order_placed", customer_id, datetime.now(UTC), order_id="o1", order_value=10
            )
            update = await _hear(asks, "prediction_update")
            assert update["customer_id"] == customer_id
            assert 0 <= update["churn_probability"] <= 1
            for socket in (asks_not, of_another):
                await _ask(socket, "ping")
                assert "prediction_update" not in [event async for event in _heard_until(socket, "pong")]

    asyncio.run(run())


def test_connected_is_the_first_message_on_every_socket_whoever_speaks_first(stack: Stack) -> None:
    async def speak(number: int) -> None:
        async with _open(stack, {"token": stack.token("read")}) as socket:
            if number % 2:
                await _ask(socket, "subscribe_predictions")
                await _ask(socket, "subscribe_alerts")
            async with asyncio.timeout(60):
                assert (await socket.receive_json())["event"] == "connected"

    async def run() -> None:
        await asyncio.gather(*(speak(number) for number in range(12)))

    asyncio.run(run())


def test_messages_over_the_gateways_limit_close_the_socket(stack: Stack) -> None:
    async def conversation(socket: Socket) -> None:
        await socket.send_str(json.dumps({"event": "ping", "data": "x" * 140_000}))
        async with asyncio.timeout(60):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                continue
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)

    _talk(stack, conversation)


def test_a_socket_ends_with_its_token_whether_it_speaks_or_not(stack: Stack) -> None:
    async def end(socket: Socket, *, within: float) -> list[tuple[str, int]]:
        """Return what still comes to a socket before it is closed."""
        events = []
        async with asyncio.timeout(within):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                content = message.json()
                events.append((content["event"], content["data"].get("code")))
        assert message.type is aiohttp.WSMsgType.CLOSE
        return events

    async def run() -> None:
        lasts = 10
        token = stack.token("read", seconds=lasts)
        ends = time.monotonic() + lasts
        ticket = stack.ask("POST", "/api/alerts/ticket", {}, token=token).json["ticket"]
        async with _open(stack, {"token": token}) as speaking, _open(stack, {"ticket": ticket}) as silent:
            for socket in (speaking, silent):
                await _hear(socket, "connected")
            await asyncio.sleep(ends - time.monotonic())
            await _ask(speaking, "ping")
            assert await end(speaking, within=60) == [("error", 401)]
            assert await end(silent, within=70) == []

    asyncio.run(run())
