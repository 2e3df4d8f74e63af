"""A customer is erased through the running stack, by the route for it."""

import uuid

from tests.contract.conftest import Stack
from tests.contract.test_rest import assert_described
from tests.support import eventually

_PATIENCE_SECONDS = 120


def test_a_customer_is_erased_by_request(stack: Stack) -> None:
    customer_id = f"erase-me-{uuid.uuid4().hex}"
    order = {"event_type": "order_placed", "customer_id": customer_id, "timestamp": "2026-01-05T10:00:00Z"}
    event = {**order, "event_id": uuid.uuid4().hex, "data": {"order_id": uuid.uuid4().hex, "total": 25}}
    assert stack.post("/api/events", event).status == 202
    path = f"/api/customers/{customer_id}"
    eventually(lambda: stack.get(path).status == 200, within=_PATIENCE_SECONDS, every=0.5)
    answer = stack.ask("DELETE", path)
    assert answer.status == 202, answer.body
    assert_described("erase_customer", answer)
    eventually(lambda: stack.get(path).status == 404, within=_PATIENCE_SECONDS, every=0.5)
    assert stack.ask("DELETE", path).status == 404
    told = stack.get(f"/api/audit?customer_id={customer_id}&action=erasure", role="admin").json["entries"]
    assert {entry["operation"] for entry in told} == {"erase_customer", "customer_deleted"}
