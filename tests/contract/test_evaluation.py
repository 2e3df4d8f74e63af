"""Outcomes through the doors: orders on Kafka, a clock that moves past the horizon, accuracy on the dashboard."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.config import Config

from tests.contract.conftest import Stack
from tests.support import eventually

_PAST_THE_HORIZON = timedelta(days=100)


def evaluate(stack: Stack, now: datetime) -> dict[str, Any]:
    """Let the nightly evaluation run as of an instant; return what it tells."""
    config = Config(read_timeout=280, retries={"total_max_attempts": 1})
    client = stack.client("lambda", config)
    answer = client.invoke(FunctionName="evaluation", Payload=json.dumps({"time": now.isoformat()}).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    assert not answer.get("FunctionError"), result
    return result


def _basis(stack: Stack) -> str:
    return str(stack.get("/api/dashboard/stats").json["model_accuracy_basis"])


def test_accuracy_is_that_of_outcomes_when_the_horizon_has_passed(stack: Stack) -> None:
    customer_id, now = f"EVAL-{uuid.uuid4().hex[:8]}", datetime.now(UTC)
    # Of the sample, whose model the figures are of: own customers are answered by what is usual for shops.
    stack.publish_of_sample("order_placed", customer_id, now, order_id="o1", order_value=20)
    eventually(lambda: stack.get(f"/api/customers/{customer_id}").status == 200)
    stack.publish_of_sample("order_placed", customer_id, now + timedelta(days=30), order_id="o2", order_value=20)
    eventually(lambda: len(stack.get(f"/api/customers/{customer_id}/events").json["events"]) == 2)

    before = _basis(stack)
    try:
        evaluated = evaluate(stack, now + _PAST_THE_HORIZON)
        assert evaluated["weeks"] > 0
        assert evaluated["weeks_left"] == 0
        # One stayed, and others were silent.
        assert {"RealisedAUC", "RealisedBrier", "AUCShortfall"} <= evaluated["figures"].keys()
        eventually(lambda: _basis(stack) == "matured_outcomes")
        assert 0 <= stack.get("/api/dashboard/stats").json["model_accuracy"] <= 100
        current = stack.get("/api/models").json["current"]
        version = stack.get(f"/api/models/{current}").json
        assert {week["stage"] for week in version["quality"]} & {"matured", "settled"}
        # After a hundred days of silence hardly anybody has ordered lately.
        moved = {drift["column"] for drift in version["drift"] if drift["verdict"] == "drifted"}
        assert {"score", "days_since_last_order"} <= moved
    finally:
        present = evaluate(stack, datetime.now(UTC))
    assert "ExpectedAUC" in present["figures"]
    assert present["figures"]["DriftIncidents"] == 0
    weeks = stack.get(f"/api/models/{current}").json["quality"]
    assert {week["stage"] for week in weeks if week["role"] == "served"} == {"estimated"}
    eventually(lambda: _basis(stack) == before)
