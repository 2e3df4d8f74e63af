"""Any message on a socket is answered, by `error` if it is none, and the socket goes on."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.conftest import Stack
from tests.support.fuzzing import cases, drawing
from tests.support.hostile import any_json

_ANSWERS = {"dashboard_update", "error", "pong", "subscribed", "unsubscribed"}
_EVENTS = ["ping", "request_dashboard_data", "subscribe_alerts", "subscribe_predictions", "unsubscribe_predictions"]
_FIELDS = ["changes_since", "customer_ids", "limit", "min_priority", "min_risk", "risk_levels", "segment", "since"]
_BUSY_TRIES = 5

_DATA = st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=5), any_json(4), max_size=3)
_MESSAGES = st.fixed_dictionaries({}, optional={"event": st.sampled_from(_EVENTS) | any_json(2), "data": _DATA})
_TEXTS = (
    (_MESSAGES | st.fixed_dictionaries({"event": st.sampled_from(_EVENTS), "data": _DATA | any_json(3)})).map(
        json.dumps
    )
    | any_json(6).map(json.dumps)
    | st.text(st.characters(codec="utf-8"), max_size=200)
    | st.integers(1, 3000).map(lambda depth: "[" * depth)
)


async def _answer(socket: aiohttp.ClientWebSocketResponse, text: str) -> dict[str, Any]:
    """Send a message and return its answer; what else comes belongs to subscriptions."""
    await socket.send_str(text)
    async with asyncio.timeout(120):
        while True:
            answer: dict[str, Any] = await socket.receive_json()
            if answer["event"] in _ANSWERS:
                return answer


async def _answer_in_time(socket: aiohttp.ClientWebSocketResponse, text: str) -> dict[str, Any]:
    """Return the answer, and ask again where a busy machine could not give one now."""
    for _ in range(_BUSY_TRIES):
        answer = await _answer(socket, text)
        if answer["data"].get("code") != 503:
            break
        await asyncio.sleep(2)
    return answer


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_message_is_answered(fuzzed: Stack) -> None:
    with asyncio.Runner() as runner:

        async def connect() -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
            session = aiohttp.ClientSession()
            token = fuzzed.token("read", seconds=4 * 3600)
            return session, await session.ws_connect(fuzzed.ws_url, params={"token": token})

        session, socket = runner.run(connect())

        @drawing(cases("messages"))
        @given(text=_TEXTS)
        def send(text: str) -> None:
            answer = runner.run(_answer_in_time(socket, text))
            if answer["event"] == "error":
                assert 400 <= answer["data"]["code"] < 500, (text, answer)
                assert answer["data"]["message"], (text, answer)

        try:
            send()
            assert runner.run(_answer(socket, '{"event": "ping"}'))["event"] == "pong"
        finally:
            runner.run(session.close())
