"""A dashboard's socket: listens for alerts, and resumes after each loss of its connection."""

import asyncio
import contextlib
import json
import threading
from typing import Any

import aiohttp

from tests.contract.chaos.load import lasting_token
from tests.contract.conftest import Stack


class Listener(threading.Thread):
    """A thread that hears every alert after the one numbered `since`."""

    def __init__(self, stack: Stack, since: int = 0) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._since = since
        self._ended = threading.Event()
        self.ids: list[int] = []
        """The alerts in the order in which they came, as new and not as raised ones."""

    @property
    def shown(self) -> list[int]:
        """What a client shows, which takes an alert whose id is not above the last one for a repetition."""
        shown: list[int] = []
        for alert in list(self.ids):
            if not shown or alert > shown[-1]:
                shown.append(alert)
        return shown

    def run(self) -> None:
        """Listen until `stop`."""
        asyncio.run(self._listen())

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join(20)

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not self._ended.is_set():
                with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                    await self._session(session)
                await asyncio.sleep(0.05)

    async def _session(self, session: aiohttp.ClientSession) -> None:
        parameters = {"token": lasting_token(self._stack, "read")}
        async with session.ws_connect(self._stack.ws_url, params=parameters, heartbeat=5) as socket:
            await self._subscribe(socket)
            while not self._ended.is_set() and not socket.closed:
                with contextlib.suppress(TimeoutError):
                    message = await socket.receive(0.2)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        return
                    content = json.loads(message.data)
                    if content.get("event", "error") != "churn_alert":
                        await self._keep_subscribed(socket, content)
                    elif not content["data"].get("raised"):
                        self.ids.append(content["data"]["id"])

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        since = self.ids[-1] if self.ids else self._since
        await socket.send_json({"event": "subscribe_alerts", "data": {"since": since}})

    async def _keep_subscribed(self, socket: aiohttp.ClientWebSocketResponse, content: dict[str, Any]) -> None:
        """Subscribe again where that could not be done, as the browser's client does."""
        if content.get("event", "error") == "error":
            await asyncio.sleep(0.2)
            await self._subscribe(socket)
