"""`make redrive`: dead letters, failed batches and failed invocations are reprocessed.

Failed batches of the event source and dead letters go through scoring, failed invocations to their own function. An
item is removed when it succeeds, and stays when it fails again. An event that was applied before changes nothing.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from churn.adapters import aws_clients
from churn.adapters.failed_batches import PREFIX
from churn.domain.errors import ChurnError
from churn.settings import Settings
from infra import console
from infra.tools.aws_stages import StageError, outputs
from infra.tools.command_audit import note
from infra.tools.stack_environment import NotRunningError, use_stack

# Longer than scoring may take (60 s); an invocation is not repeated.
_INVOKE_SECONDS = 70
_HIDDEN_SECONDS = 120


class FunctionFailedError(RuntimeError):
    """A function that fails again; the text says how."""


@dataclass(frozen=True, slots=True)
class Locations:
    """A deployment's bucket of failed batches, queue of failed invocations, and scoring function."""

    batches: str
    calls: str
    scoring: str

    @classmethod
    def of_stage(cls, stage: str) -> "Locations":
        """Return those of a stage on AWS.

        Raises StageError if it is unknown or not deployed.
        """
        stack = outputs(stage)
        return cls(stack["FailedBatches"], stack["FailedCallsUrl"], f"{stack['Stack']}-scoring:live")

    @classmethod
    def of_local_stack(cls) -> "Locations":
        """Return those of the running local stack.

        Raises NotRunningError if none runs.
        """
        use_stack("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA")
        return cls(
            "churn-failedbatches",
            aws_clients.client("sqs").get_queue_url(QueueName="FailedCalls")["QueueUrl"],
            "scoring",
        )


def redrive_batches(locations: Locations) -> tuple[int, int]:
    """Score the failed batches; return how many succeeded, and how many failed again."""
    s3 = aws_clients.client("s3")
    succeeded = failed = 0
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=locations.batches, Prefix=PREFIX)
    for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
        payload = json.loads(s3.get_object(Bucket=locations.batches, Key=key)["Body"].read())["payload"]
        batch = payload if isinstance(payload, dict) else json.loads(payload)
        try:
            failures = _invoke(locations.scoring, batch)["batchItemFailures"]
        except FunctionFailedError as error:
            failures = [str(error)]
        if failures:
            print(f"{key}: {len(failures)} still fail: {failures[0]}", file=sys.stderr)
            failed += 1
        else:
            s3.delete_object(Bucket=locations.batches, Key=key)
            succeeded += 1
    return succeeded, failed


def redrive_calls(locations: Locations) -> int:
    """Invoke the functions of failed invocations again, asynchronously as before; return how many there were.

    An invocation that fails again returns to the queue.
    """
    sqs, functions = aws_clients.client("sqs"), _functions()
    invoked = 0
    for message in _messages(sqs, locations.calls):
        body = json.loads(message["Body"])
        functions.invoke(
            FunctionName=body["requestContext"]["functionArn"],
            InvocationType="Event",
            Payload=json.dumps(body["requestPayload"]).encode(),
        )
        sqs.delete_message(QueueUrl=locations.calls, ReceiptHandle=message["ReceiptHandle"])
        invoked += 1
    return invoked


def redrive_dead_letters(locations: Locations) -> tuple[int, int]:
    """Read the dead letters again; return how many were applied, and how many are still no events.

    Raises FunctionFailedError.
    """
    applied = left = 0
    after: list[Any] | None = None
    while True:
        page = _invoke(locations.scoring, {"redrive": after})
        applied, left, after = applied + page["applied"], left + page["left"], page["after"]
        if after is None:
            return applied, left


def _messages(sqs: Any, queue: str) -> Iterator[dict[str, Any]]:
    # The messages of now: an invocation that fails again and returns waits for the next redrive.
    counter = "ApproximateNumberOfMessages"
    waiting = int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[counter])["Attributes"][counter])
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
        response = _functions().invoke(FunctionName=function, Payload=json.dumps(event).encode())
    except (BotoCoreError, ClientError) as error:
        raise FunctionFailedError(str(error)) from error
    result: dict[str, Any] = json.loads(response["Payload"].read())
    if response.get("FunctionError"):
        raise FunctionFailedError(f"{result.get('errorType')}: {result.get('errorMessage')}")
    return result


def _functions() -> Any:
    return aws_clients.client("lambda", read_timeout=_INVOKE_SECONDS, attempts=1)


def main(arguments: list[str]) -> int:
    """Reprocess all that failed; return 0 if nothing is left, and 1 if something failed again."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.redrive", description=__doc__)
    parser.add_argument("--stage", help="as in samconfig.toml; by default the local stack")
    options = parser.parse_args(arguments)
    try:
        locations = Locations.of_stage(options.stage) if options.stage else Locations.of_local_stack()
        note(Settings.from_environment(os.environ), "redrive", options.stage)
        batches, batches_left = redrive_batches(locations)
        print(f"batches: {batches} scored, {batches_left} still fail")
        print(f"calls: {redrive_calls(locations)} handed on")
        letters, letters_left = redrive_dead_letters(locations)
        print(f"dead letters: {letters} applied, {letters_left} are no events still")
    except (ChurnError, NotRunningError, StageError, FunctionFailedError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if batches_left or letters_left else 0


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
