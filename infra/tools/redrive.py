"""`make redrive`: what was given up is done after all, once its cause is gone.

Batches that the event source gave up and dead letters go through scoring, calls that failed to the function that they
were for. Whatever is taken leaves its place, whatever fails again stays in it. An event that was applied already
changes nothing.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from churn.adapters import aws_clients as aws
from infra.tools.aws_stages import StageError, outputs
from infra.tools.stack_environment import NotRunningError, use_stack

# Longer than scoring may take (60 s); a call is not asked for twice.
_INVOKE_SECONDS = 70
_HIDDEN_SECONDS = 120
# Where Lambda puts what an event source gave up.
_PREFIX = "aws/lambda/"


class FunctionFailedError(RuntimeError):
    """A function fails as it did; the text says how."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a deployment keeps what failed, and the function that scores."""

    batches: str
    calls: str
    scoring: str

    @classmethod
    def of_stage(cls, stage: str) -> "Places":
        """Those of a stage on AWS. Raises StageError."""
        told = outputs(stage)
        return cls(told["FailedBatches"], told["FailedCallsUrl"], f"{told['Stack']}-scoring:live")

    @classmethod
    def of_local_stack(cls) -> "Places":
        """Those of the running local stack. Raises NotRunningError."""
        use_stack("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA")
        return cls(
            "churn-failedbatches", aws.client("sqs").get_queue_url(QueueName="FailedCalls")["QueueUrl"], "scoring"
        )


def redrive_batches(places: Places) -> tuple[int, int]:
    """Has every batch that was given up scored; how many were, and how many fail again."""
    s3 = aws.client("s3")
    done = left = 0
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=places.batches, Prefix=_PREFIX)
    for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
        kept = json.loads(s3.get_object(Bucket=places.batches, Key=key)["Body"].read())
        payload = kept["payload"] if isinstance(kept["payload"], dict) else json.loads(kept["payload"])
        try:
            failed = _invoke(places.scoring, payload)["batchItemFailures"]
        except FunctionFailedError as error:
            failed = [str(error)]
        if failed:
            print(f"{key}: {len(failed)} still fail: {failed[0]}", file=sys.stderr)
            left += 1
        else:
            s3.delete_object(Bucket=places.batches, Key=key)
            done += 1
    return done, left


def redrive_calls(places: Places) -> int:
    """Hands every failed call to its function again, as asynchronously as before; how many there were.

    One that fails again comes back to the queue.
    """
    sqs, functions = aws.client("sqs"), _functions()
    done = 0
    for message in _messages(sqs, places.calls):
        body = json.loads(message["Body"])
        functions.invoke(
            FunctionName=body["requestContext"]["functionArn"],
            InvocationType="Event",
            Payload=json.dumps(body["requestPayload"]).encode(),
        )
        sqs.delete_message(QueueUrl=places.calls, ReceiptHandle=message["ReceiptHandle"])
        done += 1
    return done


def redrive_dead_letters(places: Places) -> tuple[int, int]:
    """Has the records that were no events read again; how many are applied, and how many are none still.

    Raises FunctionFailedError.
    """
    done = left = 0
    after: list[Any] | None = None
    while True:
        page = _invoke(places.scoring, {"redrive": after})
        done, left, after = done + page["applied"], left + page["left"], page["after"]
        if after is None:
            return done, left


def _messages(sqs: Any, queue: str) -> Iterator[dict[str, Any]]:
    # Those that are there now: one that fails again and comes back waits for the next time.
    waiting = int(
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"][
            "ApproximateNumberOfMessages"
        ]
    )
    while waiting > 0:
        messages = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=min(10, waiting), VisibilityTimeout=_HIDDEN_SECONDS, WaitTimeSeconds=1
        ).get("Messages", [])
        if not messages:
            return
        waiting -= len(messages)
        yield from messages


def _invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = _functions().invoke(FunctionName=function, Payload=json.dumps(event).encode())
    except (BotoCoreError, ClientError) as error:
        raise FunctionFailedError(str(error)) from error
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise FunctionFailedError(f"{result.get('errorType')}: {result.get('errorMessage')}")
    return result


def _functions() -> Any:
    return aws.client("lambda", read_timeout=_INVOKE_SECONDS, attempts=1)


def main(arguments: list[str]) -> int:
    """The command line's entry: 0 when nothing is left, 1 when something fails as it did."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.redrive", description=__doc__)
    parser.add_argument("--stage", help="of samconfig.toml; without it the local stack")
    given = parser.parse_args(arguments)
    try:
        places = Places.of_stage(given.stage) if given.stage else Places.of_local_stack()
        batches, batches_left = redrive_batches(places)
        print(f"batches: {batches} scored, {batches_left} still fail")
        print(f"calls: {redrive_calls(places)} handed on")
        letters, letters_left = redrive_dead_letters(places)
        print(f"dead letters: {letters} applied, {letters_left} are no events still")
    except (NotRunningError, StageError, FunctionFailedError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if batches_left or letters_left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
