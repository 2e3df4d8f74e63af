"""`make redrive` on a running local stack: what was given up is done after all."""

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from churn.adapters.mysql import Database, dead_letters
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.tombstones import Tombstones
from infra.local.gateway.kafka_event_source import msk_event
from infra.local.options import PYTHON_PATH
from tests.contract.conftest import ROOT, Stack
from tests.support import eventually

_TOMBSTONES = Tombstones(lambda: "only-a-test-knows-this-key-of-32-bytes")


def _redrive(stack: Stack) -> str:
    assert stack.endpoints
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "infra.tools.redrive"],
        cwd=ROOT,
        env={**variables, "CHURN_STATE_DIR": str(stack.endpoints.parent), "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr.startswith("error:"), done.stderr
    assert done.returncode == (1 if "still fail:" in done.stderr else 0) or " 0 are no events" not in done.stdout
    return done.stdout


def _event(customer_id: str) -> bytes:
    order = {"order_id": "o1", "order_value": 20}
    now = datetime.now(UTC).isoformat()
    return json.dumps(
        {"event_type": "order_placed", "customer_id": customer_id, "timestamp": now, "data": order}
    ).encode()


class _Record:
    """A Kafka record, as the local event source reads them."""

    topic, partition, offset, timestamp, timestamp_type, headers = "user-events", 0, 10**9, 0, 0, ()

    def __init__(self, customer_id: str) -> None:
        self.key, self.value = customer_id.encode(), _event(customer_id)


@pytest.fixture
def customer_id() -> str:
    return f"REDRIVEN-{uuid.uuid4().hex[:8]}"


def test_a_batch_that_was_given_up_is_scored_and_leaves_its_place(stack: Stack, customer_id: str) -> None:
    s3 = stack.client("s3")
    batch = msk_event([_Record(customer_id)], "arn:aws:kafka:eu-central-1:123456789012:cluster/shop/0", "localhost")
    kept = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": json.dumps(batch)}
    place = {"Bucket": "churn-failedbatches", "Key": f"aws/lambda/stream/user-events-0/{customer_id}"}
    s3.put_object(**place, Body=json.dumps(kept))
    assert "batches: 1 scored, 0 still fail" in _redrive(stack)
    assert stack.get(f"/api/customers/{customer_id}").json["total_orders"] == 1
    assert s3.list_objects_v2(Bucket=place["Bucket"])["KeyCount"] == 0


def test_a_batch_that_fails_again_stays(stack: Stack, customer_id: str) -> None:
    s3 = stack.client("s3")
    broken = {"records": {"user-events-0": [{"topic": "user-events", "value": "e30="}]}}
    place = {"Bucket": "churn-failedbatches", "Key": f"aws/lambda/stream/user-events-0/{customer_id}"}
    s3.put_object(**place, Body=json.dumps({"payload": broken}))
    try:
        assert "batches: 0 scored, 1 still fail" in _redrive(stack)
        assert s3.head_object(**place)
    finally:
        s3.delete_object(**place)


def test_a_call_that_failed_is_made_again(stack: Stack, customer_id: str) -> None:
    sqs = stack.client("sqs")
    queue = sqs.get_queue_url(QueueName="FailedCalls")["QueueUrl"]
    event = msk_event([_Record(customer_id)], "arn:aws:kafka:eu-central-1:123456789012:cluster/shop/0", "localhost")
    function = "arn:aws:lambda:eu-central-1:123456789012:function:churn-scoring:live"
    body = {"requestContext": {"functionArn": function}, "requestPayload": event}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body))
    assert "calls: 1 handed on" in _redrive(stack)
    eventually(lambda: stack.get(f"/api/customers/{customer_id}").status == 200)
    assert "calls: 0 handed on" in _redrive(stack)


def test_a_dead_letter_is_read_again(stack: Stack, customer_id: str) -> None:
    database = Database(stack.database_url)
    try:
        value = _event(customer_id)
        letter = DeadLetter(customer_id, 0, 1, None, value, "an older version did not know it")
        database.run(lambda transaction: dead_letters.add(transaction, [letter], datetime.now(UTC), _TOMBSTONES))
    finally:
        database.close()
    assert stack.get("/api/ingestion").json["dead_letters"]["waiting"] >= 1
    assert "dead letters: 1 applied" in _redrive(stack)
    assert stack.get(f"/api/customers/{customer_id}").json["total_orders"] == 1
    assert "dead letters: 0 applied" in _redrive(stack)


def test_a_dead_letter_is_redriven_over_rest_by_an_admin(stack: Stack, customer_id: str) -> None:
    database = Database(stack.database_url)
    try:
        letter = DeadLetter(customer_id, 0, 2, None, _event(customer_id), "an older version did not know it")
        database.run(lambda transaction: dead_letters.add(transaction, [letter], datetime.now(UTC), _TOMBSTONES))
    finally:
        database.close()

    def listed(role: str) -> Any:
        return stack.get("/api/dead-letters?state=waiting&limit=500", role).json["dead_letters"]

    (shown,) = [letter for letter in listed("admin") if letter["topic"] == customer_id]
    (hidden,) = [letter for letter in listed("read") if letter["topic"] == customer_id]
    assert (json.loads(shown["value"])["customer_id"], shown["customer_id"]) == (customer_id, customer_id)
    assert (hidden["value"], hidden["customer_id"], hidden["reason"]) == (None, None, shown["reason"])
    assert stack.post("/api/dead-letters/redrive", role="act").status == 403
    answer = stack.post("/api/dead-letters/redrive")
    assert (answer.status, answer.json["status"]) == (202, "started")
    eventually(lambda: stack.get(f"/api/customers/{customer_id}").status == 200)
    eventually(lambda: not [letter for letter in listed("admin") if letter["topic"] == customer_id])
