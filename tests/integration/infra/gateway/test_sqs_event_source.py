"""The queue's event source: what waits is told, and why it does."""

import asyncio
import json
import uuid
from types import SimpleNamespace
from typing import Any, cast

from infra.local.gateway.environment import Result
from infra.local.gateway.kafka_event_source import Progress
from infra.local.gateway.runtime import FunctionPool
from infra.local.gateway.sqs_event_source import QueueSource
from infra.local.template.specs import QueueSourceSpec
from tests.integration.infra.conftest import Served


class _Function:
    """A function that cannot apply messages until it is told that it can."""

    spec = SimpleNamespace(label="scoring")

    def __init__(self) -> None:
        self.works = False

    async def invoke(self, payload: bytes) -> Result:
        assert json.loads(payload)["Records"]
        if self.works:
            return Result(b'{"batchItemFailures": []}', "1")
        return Result.failure("1", "DatabaseUnavailableError", "cannot apply what Rosa Schmidt did")


def test_messages_that_are_not_applied_are_told_with_the_cause_until_they_are(served: Served) -> None:
    sqs = served.client("sqs", served.aws_url)
    name = f"queue-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    function = _Function()
    spec = QueueSourceSpec("ScoringFunction", f"arn:aws:sqs:eu-central-1:123456789012:{name}", name, 10, True)
    source = QueueSource(spec, cast("FunctionPool", function), sqs, lambda *_: None)

    async def until(wanted: Any) -> Progress:
        async with asyncio.timeout(60):
            while not wanted(source.progress):
                await asyncio.sleep(0.05)
        return source.progress

    async def story() -> None:
        running = asyncio.create_task(source.run())
        try:
            assert (await until(lambda now: now.waiting == 0)).behind_seconds == 0
            for number in range(3):
                sqs.send_message(QueueUrl=url, MessageBody=str(number))
            stands = await until(lambda now: now.waiting == 3 and now.behind_seconds > 2)
            assert stands.cause == "scoring fails with messages of the queue: DatabaseUnavailableError"
            assert stands.delivered == 0
            function.works = True
            goes_on = await until(lambda now: now.delivered == 3 and now.waiting == 0)
            assert (goes_on.behind_seconds, goes_on.cause) == (0, None)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
