"""The SQS event source: receives messages of a queue, invokes the function with them, deletes what it has done."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from infra.local.gateway.environment import Log
from infra.local.gateway.kafka_event_source import Progress, failed_identifiers, kind_of_failure
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import QueueSourceSpec

# The queue is asked so often: a waiting request of the local SQS would keep a core busy.
_PAUSE_SECONDS = 0.5
# A queue without messages for a while is asked less often: the first message after that waits so much longer.
_QUIET_AFTER_SECONDS = 5.0
_QUIET_PAUSE_SECONDS = 1.0
_MOST_MESSAGES = 10
_WATCH_SECONDS = 2.0
_COUNTED = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]


class QueueSource:
    """The event source of one function: one queue. A message that fails is visible again after the queue's time-out."""

    def __init__(self, spec: QueueSourceSpec, pool: FunctionPool, sqs: Any, log: Log) -> None:
        """`sqs` is a client of the queue's service."""
        self._spec = spec
        self._pool = pool
        self._sqs = sqs
        self._log = log
        self._delivered = self._batches = 0
        self._waiting: int | None = None
        self._went_on_at = time.monotonic()
        # Since when a message has failed, by its id: the others go on.
        self._failing: dict[str, float] = {}
        self._cause: str | None = None
        self._known_url: str | None = None

    @property
    def progress(self) -> Progress:
        """What was delivered, and what waits, with the cause."""
        stood_since = [*self._failing.values(), *([self._went_on_at] if self._waiting or self._cause else [])]
        behind = time.monotonic() - min(stood_since) if stood_since else 0.0
        return Progress(self._delivered, 0, self._batches, self._waiting, round(behind, 1), self._cause)

    async def run(self) -> None:
        """Receive and deliver until the task is cancelled."""
        await asyncio.gather(self._receive(), self._watch())

    async def _receive(self) -> None:
        delivered_at = time.monotonic()
        while True:
            try:
                delivered = await self._deliver(await self._url())
            except Exception as error:  # noqa: BLE001 (whatever fails, the source goes on and tells of it)
                self._log("sqs", f"{self._spec.queue}: {error}")
                delivered = 0
            if delivered:
                delivered_at = time.monotonic()
            else:
                is_quiet = time.monotonic() - delivered_at > _QUIET_AFTER_SECONDS
                await asyncio.sleep(_QUIET_PAUSE_SECONDS if is_quiet else _PAUSE_SECONDS)

    async def _watch(self) -> None:
        """Count what waits, apart from the deliveries: it is true whatever has become of those."""
        while True:
            try:
                told = await self._call("get_queue_attributes", QueueUrl=await self._url(), AttributeNames=_COUNTED)
                self._waiting = sum(int(number) for number in told["Attributes"].values())
            except Exception as error:  # noqa: BLE001 (whatever fails, the watch goes on and tells of it)
                self._waiting, self._cause = None, f"the queue does not answer: {type(error).__name__}"
            else:
                if not self._waiting:
                    self._failing.clear()
                    self._goes_on()
            await asyncio.sleep(_WATCH_SECONDS)

    def _goes_on(self) -> None:
        self._went_on_at = time.monotonic()
        if not self._failing:
            self._cause = None

    async def _url(self) -> str:
        if self._known_url is None:
            self._known_url = str((await self._call("get_queue_url", QueueName=self._spec.queue))["QueueUrl"])
        return self._known_url

    async def _deliver(self, url: str) -> int:
        """Deliver a batch; return how many messages the function has done."""
        most = min(self._spec.batch_size, _MOST_MESSAGES)
        received = await self._call(
            "receive_message", QueueUrl=url, MaxNumberOfMessages=most, MessageAttributeNames=["All"]
        )
        messages: Sequence[dict[str, Any]] = received.get("Messages", [])
        if not messages:
            return 0
        self._batches += 1
        result = await self._pool.invoke(json.dumps(self._event(messages)).encode())
        if result.error:
            self._log("sqs", f"{self._pool.spec.label}: {len(messages)} messages failed: {result.payload[:500]!r}")
            failed = {message["MessageId"] for message in messages}
        else:
            failed = failed_identifiers(result.payload, str) if self._spec.partial_answers else set()
        done = [message for message in messages if message["MessageId"] not in failed]
        for message in done:
            await self._call("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            self._failing.pop(message["MessageId"], None)
        self._delivered += len(done)
        if done:
            self._goes_on()
        if failed:
            self._log("sqs", f"{self._pool.spec.label}: {len(failed)} messages are to be delivered again")
            for identifier in failed:
                self._failing.setdefault(identifier, time.monotonic())
            self._cause = f"{self._pool.spec.label} fails with messages of the queue: {kind_of_failure(result)}"
        return len(done)

    def _event(self, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the event that Lambda makes of messages."""
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message.get("Attributes", {}),
                    "messageAttributes": {
                        name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                        for name, value in message.get("MessageAttributes", {}).items()
                        if "StringValue" in value
                    },
                    "md5OfBody": message["MD5OfBody"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self._spec.arn,
                    "awsRegion": self._spec.arn.split(":")[3],
                }
                for message in messages
            ]
        }

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await asyncio.to_thread(getattr(self._sqs, operation), **arguments)
        return answer
