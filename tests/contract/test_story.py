"""The main job through the doors that its users have: Kafka in, REST and WebSocket out."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tests.contract.conftest import Stack
from tests.support import eventually


def sweep(stack: Stack, now: datetime) -> dict[str, Any]:
    """Let the rescoring sweep run as of an instant; return what it tells."""
    client = stack.client("lambda")
    answer = client.invoke(FunctionName="rescoring", Payload=json.dumps({"time": now.isoformat()}).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    assert not answer.get("FunctionError"), result
    return result


@asynccontextmanager
async def _subscribed(stack: Stack) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stack.ws_url, params={"token": stack.token("read")}) as socket,
    ):
        await socket.send_json({"event": "subscribe_alerts", "data": {}})
        await _message(socket, "subscribed")
        yield socket


async def _message(socket: aiohttp.ClientWebSocketResponse, event: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            message = await socket.receive_json()
            if message["event"] == event:
                data: dict[str, Any] = message["data"]
                return data


def test_an_order_then_silence_then_a_failed_payment(stack: Stack) -> None:
    customer_id = f"STORY-{uuid.uuid4().hex[:8]}"

    def shows(**expected: object) -> dict[str, Any]:
        response = stack.get(f"/api/customers/{customer_id}")
        customer: dict[str, Any] = response.json if response.status == 200 else {}
        return customer if customer and all(customer[name] == value for name, value in expected.items()) else {}

    async def story() -> None:
        async with _subscribed(stack) as socket:
            now = datetime.now(UTC)
            await asyncio.to_thread(stack.publish, "order_placed", customer_id, now, order_id="o1", order_value=42.5)
            ordered = await asyncio.to_thread(eventually, lambda: shows(total_orders=1, total_spent=42.5))
            assert ordered["days_since_last_order"] < 1

            later = now + timedelta(days=60)
            swept = await asyncio.to_thread(sweep, stack, later)
            assert swept["resume_after"] is None
            silent = await asyncio.to_thread(eventually, lambda: shows(total_orders=1))
            assert 59 < silent["days_since_last_order"] < 61

            await asyncio.to_thread(stack.publish, "payment_failed", customer_id, later, order_id="o1")
            while True:
                alert = await _message(socket, "churn_alert")
                if (alert["customer_id"], alert["alert_type"]) == (customer_id, "payment_failure"):
                    break
            assert (alert["priority"], alert["status"]) == ("high", "new")
            await asyncio.to_thread(eventually, lambda: shows(payment_failures=1))

    asyncio.run(story())
    alerts = stack.get("/api/alerts?limit=100").json["alerts"]
    assert [alert["alert_type"] for alert in alerts if alert["customer_id"] == customer_id][:1] == ["payment_failure"]
