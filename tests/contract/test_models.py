"""The model's life through the API of the running service: train, promote, refuse, tamper, roll back, shadow."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest

from churn.adapters.mysql import Database
from churn.ml.loading import StoredModel
from tests.contract.conftest import Stack
from tests.contract.test_rest import answered, assert_described
from tests.support import eventually

# A function looks for another version every 30 seconds.
_NOTICED_SECONDS = 40


def _published(stack: Stack, *, compared_with: str, passed: bool = True) -> StoredModel:
    """Return a version of its own name, which answers as the one in use does, with what a gate said of it."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    gate = {"passed": passed, "compared_with": compared_with, "reasons": [] if passed else ["Its AUC is lower."]}
    model = stack.registry.load(compared_with).with_metadata(trained_at=now, gate=gate)
    stack.registry.publish(model, report={"told": "by a test"}, html="<!doctype html><title>Report</title>")
    return model


def _current(stack: Stack) -> str:
    return str(answered(stack, "list_models", "/api/models")["current"])


def _predicts_with(stack: Stack) -> str:
    return str(answered(stack, "predict", "/api/churn/predict", {"days_since_last_order": 50})["model_version"])


@pytest.mark.slow
def test_promote_refuse_tamper_and_roll_back(stack: Stack) -> None:
    first = _current(stack)
    good = _published(stack, compared_with=first)
    promoted = answered(stack, "promote_model", f"/api/models/{good.version}/promote", {"reason": "a test"})
    assert promoted["change"]["by"] == "contract"

    worse = _published(stack, compared_with=good.version, passed=False)
    refused = stack.post(f"/api/models/{worse.version}/promote")
    assert refused.status == 409
    assert "Its AUC is lower." in assert_described("promote_model", refused)["detail"]
    outdated = stack.post(f"/api/models/{first}/promote")
    assert outdated.status == 409
    assert _current(stack) == good.version
    eventually(lambda: _predicts_with(stack) == good.version, within=_NOTICED_SECONDS, every=0.5)
    eventually(lambda: stack.get("/health", role=None).json["status"] == "healthy")

    insisted = answered(
        stack, "promote_model", f"/api/models/{worse.version}/promote", {"force": True, "reason": "a test insists"}
    )
    assert (insisted["change"]["forced"], insisted["change"]["reason"]) == (True, "a test insists")
    _tamper(stack, worse)
    promoted_at = time.monotonic()
    health = eventually(lambda: _degraded(stack))
    assert (health["model_loaded"], health["model_version"]) == (True, good.version)
    assert "checksum" in health["checks"]["model"]["detail"]

    back = answered(stack, "roll_back_model", "/api/models/rollback", {"reason": "tampered"})
    assert (back["current"], back["change"]["rolled_back"]) == (good.version, worse.version)
    eventually(lambda: stack.get("/health", role=None).json["status"] == "healthy")
    answered(stack, "roll_back_model", "/api/models/rollback")
    assert _current(stack) == first
    eventually(lambda: _predicts_with(stack) == first, within=_NOTICED_SECONDS, every=0.5)
    assert time.monotonic() - promoted_at < 60


def _tamper(stack: Stack, model: StoredModel) -> None:
    content = bytearray(model.to_bytes())
    content[len(content) // 2] ^= 1
    stack.s3.put_object(Bucket=stack.bucket, Key=f"models/{model.version}/model.npz", Body=bytes(content))


def _degraded(stack: Stack) -> dict[str, Any]:
    health: dict[str, Any] = stack.get("/health", role=None).json
    return health if health["status"] == "degraded" else {}


def test_a_version_and_its_report(stack: Stack) -> None:
    model = _published(stack, compared_with=_current(stack))
    path = f"/api/models/{model.version}"
    described = answered(stack, "get_model", path)
    assert (described["role"], described["gate"]["passed"]) == (None, True)
    assert answered(stack, "get_report", f"{path}/report") == {"told": "by a test"}
    page = stack.get(f"{path}/report?format=html")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.body.startswith(b"<!doctype html>")
    listed = answered(stack, "list_models", "/api/models?limit=1")
    assert [version["version"] for version in listed["versions"]] == [model.version]
    assert listed["total"] >= 2


@pytest.mark.slow
def test_a_version_is_trained_and_challenges_or_serves(stack: Stack) -> None:
    before = _current(stack)
    started = stack.post("/api/models/train")
    assert started.status == 202
    run = assert_described("train_model", started)
    assert (run["state"], run["requested_by"]) == ("queued", "contract")
    state = urljoin("/api/models/train", started.headers["Location"])
    again = stack.post("/api/models/train", {})
    assert again.status == 409
    assert run["run_id"] in assert_described("train_model", again)["detail"]
    assert again.headers["Location"] == started.headers["Location"]

    def ended() -> dict[str, Any]:
        found: dict[str, Any] = answered(stack, "get_training_run", state)
        return found if found["state"] not in {"queued", "running"} else {}

    run = eventually(ended, within=200, every=0.5)
    assert run["state"] == "succeeded", run
    assert run["progress"]
    overview = answered(stack, "list_models", "/api/models")
    assert overview["latest_run"] == run
    assert (overview["current"] if run["promoted"] else overview["challenger"]) == run["version"]
    gate = answered(stack, "get_model", f"/api/models/{run['version']}")["gate"]
    assert gate["compared_with"] == before
    assert gate["passed"] == run["promoted"]
    page = stack.get(f"/api/models/{run['version']}/report?format=html")
    assert page.status == 200
    assert b"<h1>Churn model" in page.body
    if run["promoted"]:
        answered(stack, "roll_back_model", "/api/models/rollback")


@pytest.mark.slow
def test_the_challenger_is_scored_beside_what_serves(stack: Stack) -> None:
    challenger = _published(stack, compared_with=_current(stack), passed=False)
    stack.registry.challenge(challenger.version)
    assert answered(stack, "list_models", "/api/models")["challenger"] == challenger.version
    database = Database(stack.database_url)
    # A simulated shop's model serves the sample alone.
    sampled = iter(stack.get("/api/customers?sort=customer_id&order=asc&search=CUST&limit=500").json["customers"])

    def shadowed() -> list[dict[str, Any]]:
        customer = next(sampled)
        customer_id, orders = customer["customer_id"], customer["total_orders"]
        stack.publish("order_placed", customer_id, datetime.now(UTC), order_id=uuid.uuid4().hex, order_value=20)
        eventually(lambda: stack.get(f"/api/customers/{customer_id}").json["total_orders"] > orders)
        return database.run(
            lambda transaction: transaction.rows(
                "SELECT s.model_version, s.churn_probability, p.churn_probability AS served FROM customers AS c "
                "JOIN predictions AS p ON p.customer_pk = c.id "
                "JOIN shadow_predictions AS s ON s.customer_pk = c.id AND s.created_at = p.created_at "
                "WHERE c.customer_id = %s AND s.model_version = %s",
                (customer_id, challenger.version),
            )
        )

    try:
        (row,) = eventually(shadowed, within=_NOTICED_SECONDS, every=1)
    finally:
        database.close()
    # It is the very forest that serves, under another name.
    assert row["churn_probability"] == pytest.approx(row["served"], abs=1e-12)
