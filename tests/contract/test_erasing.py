"""Erasing, from outside: a customer goes through every door, is erased, and is then looked for everywhere."""

import base64
import json
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import redis
from kafka import KafkaProducer

from churn.adapters.failed_batches import PREFIX
from churn.adapters.mysql import Database
from tests.contract.conftest import Stack
from tests.support import eventually
from tests.support.personal_data import holds, tables_that_hold

_BATCHES = "churn-failedbatches"


def _invoke(stack: Stack, function: str) -> dict[str, Any]:
    client = stack.client("lambda")
    answer = client.invoke(FunctionName=function, Payload=b"{}")
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    assert not answer.get("FunctionError"), result
    return result


def _send(stack: Stack, key: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=stack.kafka, acks="all")
    for value in values:
        producer.send("user-events", key=key.encode(), value=value).get(10)
    producer.close()


def _fail_a_batch(stack: Stack, customer_id: str) -> str:
    """Put a batch where Lambda's event source leaves one that scoring could not process; return its key."""
    value = json.dumps({"customer_id": customer_id, "event_type": "login"}).encode()
    record = {"topic": "user-events", "partition": 0, "offset": 1, "value": base64.b64encode(value).decode()}
    payload = json.dumps({"eventSource": "aws:kafka", "records": {"user-events-0": [record]}})
    key = f"{PREFIX}{uuid.uuid4()}"
    stack.s3.put_object(Bucket=_BATCHES, Key=key, Body=json.dumps({"payload": payload}).encode())
    return key


def _ask_by_rest(stack: Stack, customer_id: str, name: str, email: str) -> None:
    """Ask for the customer in every way, also wrongly, and work on their alert."""
    for path in (customer_id, f"{customer_id}/events", f"{customer_id}-nobody"):
        stack.get(f"/api/customers/{path}")
    for search in (name, email):
        assert stack.get(f"/api/customers?search={quote(search)}").json["total"] == 1
    for body in ({"customer_id": customer_id}, {"customer_id": customer_id, "total_orders": name}):
        stack.post("/api/churn/predict", body)
    alerts = stack.get("/api/alerts?limit=100").json["alerts"]
    alert = next(one["id"] for one in alerts if one["customer_id"] == customer_id)
    stack.post(f"/api/alerts/{alert}/resolve", {"resolution_notes": f"called {name}"})


def _looked_through(stack: Stack) -> dict[str, bytes]:
    """Return what is in the buckets, in the cache and in the logs, by where it is."""
    assert stack.endpoints is not None
    state = stack.endpoints.parent
    logs = {
        str(path): path.read_bytes() for path in (*(state / "logs").rglob("*"), *state.glob("*.log")) if path.is_file()
    }
    assert len(logs) >= 3
    endpoints = json.loads(stack.endpoints.read_text(encoding="utf-8"))
    return _objects(stack) | _cached(endpoints["redis_url"]) | logs


def _objects(stack: Stack) -> dict[str, bytes]:
    s3 = stack.s3
    keys = [
        (bucket["Name"], item["Key"])
        for bucket in s3.list_buckets()["Buckets"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
        for item in page.get("Contents", [])
    ]
    return {f"{bucket}/{key}": s3.get_object(Bucket=bucket, Key=key)["Body"].read() for bucket, key in keys}


def _cached(url: str) -> dict[str, bytes]:
    with closing(redis.Redis.from_url(url)) as server:
        keys = list(server.scan_iter())
        return {
            key.decode(errors="replace"): key + (server.get(key) or b"") if server.type(key) == b"string" else key
            for key in keys
        }


def test_whoever_was_erased_is_found_nowhere(stack: Stack) -> None:
    if stack.endpoints is None:
        pytest.skip("looks into the stores of a local stack")
    unique = uuid.uuid4().hex[:10]
    customer_id, name, email, phone = f"KUNDE-{unique}", f"Zoë Qvist{unique}", f"{unique}@example.org", f"+45 {unique}"
    marks = (customer_id, name, email, phone)
    now = datetime.now(UTC)
    stack.publish("customer_registered", customer_id, now - timedelta(days=100), name=name, email=email, phone=phone)
    stack.publish("order_placed", customer_id, now - timedelta(days=50), order_id=f"{customer_id}-1", order_value=20)
    stack.publish("payment_failed", customer_id, now)
    bad = {"customer_id": customer_id, "event_type": "profile_updated", "timestamp": "?", "data": {"email": email}}
    _send(stack, customer_id, json.dumps(bad).encode(), f"{customer_id};{name}".encode())
    key = _fail_a_batch(stack, customer_id)

    with closing(Database(stack.database_url)) as database:
        eventually(lambda: {"alerts", "dead_letters"} <= tables_that_hold(database, marks), every=0.2)
        _ask_by_rest(stack, customer_id, name, email)
        stack.publish("customer_deleted", customer_id, now)
        eventually(lambda: stack.get(f"/api/customers/{customer_id}").status == 404, every=0.1)
        # Late ones, as Kafka may deliver them.
        stack.publish("profile_updated", customer_id, now, name=name, email=email)
        _send(stack, customer_id, json.dumps(bad).encode())
        _invoke(stack, "rescoring")
        _invoke(stack, "evaluation")
        erased = _invoke(stack, "retention")["erased"]

        assert erased["records"] == 1
        assert tables_that_hold(database, marks) == set()
        assert stack.get(f"/api/customers/{customer_id}").status == 404
    places = _looked_through(stack)
    assert f"{_BATCHES}/{key}" not in places
    assert [place for place, content in places.items() if holds(content, marks)] == []
