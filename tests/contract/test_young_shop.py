"""A shop brings its first orders, is served by its purchase process, and changes over to a forest when it has grown."""

import csv
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.options import PYTHON_PATH
from infra.tools.simulator import simulate
from tests.contract.conftest import ROOT, Stack
from tests.contract.test_rest import answered
from tests.support import eventually

_TRAINED_SECONDS = 900


def shop_orders(now: datetime) -> list[tuple[str, datetime, float]]:
    """Return the orders of a simulated shop of 1,500 customers who came in the last 420 days."""
    shop = simulate(1500, seed=3, start=now - timedelta(days=420), end=now)
    return [
        (one.customer_id, event.timestamp, event.data["order_value"])
        for one in shop
        for event in one.events
        if event.event_type == "order_placed"
    ]


def bring_in(stack: Stack, orders: list[tuple[str, datetime, float]]) -> None:
    """Write a file of orders, and import it."""
    assert stack.endpoints is not None
    state = stack.endpoints.parent
    with (state / "orders.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "timestamp", "order_value"])
        writer.writerows((customer_id, at.isoformat(), value) for customer_id, at, value in orders)
    import_file(stack, state / "orders.csv")


def import_file(stack: Stack, file: Path) -> None:
    """Import a file of orders, as `make import` does."""
    assert stack.endpoints is not None
    state = stack.endpoints.parent
    environment = {**os.environ, "CHURN_STATE_DIR": str(state), "PYTHONPATH": PYTHON_PATH}
    command = [sys.executable, "-m", "infra.tools.importer", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def train(stack: Stack) -> dict[str, Any]:
    """Let a version be trained over REST, and promoted; return the run."""
    started = stack.post("/api/models/train")
    assert started.status == 202
    path = f"/api/models/runs/{started.json['run_id']}"

    def ended() -> dict[str, Any]:
        run: dict[str, Any] = answered(stack, "get_training_run", path)
        return run if run["state"] not in {"queued", "running"} else {}

    run = eventually(ended, within=_TRAINED_SECONDS, every=0.5)
    assert (run["state"], run["promoted"]) == ("succeeded", True), run
    return run


def served_by(stack: Stack, run: dict[str, Any]) -> dict[str, Any]:
    """Return what is answered of a customer once the version that a run made serves."""
    question = {"total_orders": 3, "days_since_last_order": 30, "account_age_days": 80}

    def answer() -> dict[str, Any]:
        found: dict[str, Any] = answered(stack, "predict", "/api/churn/predict", question)
        return found if found["model_version"] == run["version"] else {}

    return eventually(answer, every=0.5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_young_shop_grows_up(own_stack: Stack) -> None:
    stack = own_stack
    now = datetime.now(UTC)
    orders = shop_orders(now)
    seen_before = {customer_id for customer_id, at, _ in orders if at < now - timedelta(days=100)}
    bring_in(stack, [order for order in orders if order[0] not in seen_before])
    begun = train(stack)
    answer = served_by(stack, begun)
    assert answer["model_kind"] == "purchase_process"
    interval = answer["probability_interval"]
    assert interval["of"] == "parameters"
    assert 0 <= interval["low"] < answer["churn_probability"] < interval["high"] <= 1

    def healthy() -> dict[str, Any]:
        # On a busy machine a check may not answer in time.
        found: dict[str, Any] = stack.get("/health", role=None).json
        return found if found["status"] == "healthy" else {}

    health = eventually(healthy, every=0.5)
    assert health["model_kind"] == "purchase_process"
    assert "no forest serves yet" in health["checks"]["model"]["detail"]

    customer_id = orders[-1][0]
    stack.publish("order_placed", customer_id, now, order_id="new", order_value=20)

    def scored() -> bool:
        listed = answered(stack, "list_customers", f"/api/customers?search={customer_id}")["customers"]
        return bool(listed) and listed[0]["model_kind"] == "purchase_process"

    eventually(scored, every=0.5)

    bring_in(stack, orders)
    grown = served_by(stack, train(stack))
    assert (grown["model_kind"], grown["probability_interval"]) == ("blend", None)
