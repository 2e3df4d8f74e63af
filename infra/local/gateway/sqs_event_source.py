"""The SQS event source: receives messages of a queue, invokes the function with them, deletes what it has done."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from infra.local.gateway.environment import Log
from infra.local.gateway.kafka_event_source import failed_identifiers
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import QueueSourceSpec

# The queue is asked so often: a waiting request of the local SQS would keep a core busy.
_PAUSE_SECONDS = 0.5
_MOST_MESSAGES = 10


class QueueSource:
    """The event source of one function: one queue. A message that fails is visible again after the queue's time-out."""

    def __init__(self, spec: QueueSourceSpec, pool: FunctionPool, sqs: Any, log: Log) -> None:
        """`sqs` is a client of the queue's service."""
        self._spec = spec
        self._pool = pool
        self._sqs = sqs
        self._log = log

    async def run(self) -> None:
        """Receive and deliver until the task is cancelled."""
        url = ""
        while True:
            try:
                url = url or (await self._call("get_queue_url", QueueName=self._spec.queue))["QueueUrl"]
                delivered = await self._deliver(url)
            except Exception as error:  # noqa: BLE001 (whatever fails, the source goes on and tells of it)
                self._log("sqs", f"{self._spec.queue}: {error}")
                delivered = 0
            if not delivered:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _deliver(self, url: str) -> int:
        """Deliver a batch; return how many messages the function has done."""
        most = min(self._spec.batch_size, _MOST_MESSAGES)
        received = await self._call("receive_message", QueueUrl=url, MaxNumberOfMessages=most)
        messages: Sequence[dict[str, Any]] = received.get("Messages", [])
        if not messages:
            return 0
        result = await self._pool.invoke(json.dumps(self._event(messages)).encode())
        if result.error:
            self._log("sqs", f"{self._pool.spec.label}: {len(messages)} messages failed: {result.payload[:500]!r}")
            return 0
        failed = failed_identifiers(result.payload, str) if self._spec.partial_answers else set()
        done = [message for message in messages if message["MessageId"] not in failed]
        for message in done:
            await self._call("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if failed:
            self._log("sqs", f"{self._pool.spec.label}: {len(failed)} messages are to be delivered again")
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
                    "messageAttributes": {},
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
