"""What stays closed to pages in a browser, and what nobody finds in the logs of a running stack."""

import json
import stat
import uuid

import pytest

from infra.local.side_doors import basic
from tests.contract.conftest import Stack
from tests.support.http import send


@pytest.mark.parametrize(
    "headers", [{"Host": "attacker.example"}, {"Origin": "https://attacker.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_the_doors_for_programs_are_closed_to_pages(stack: Stack, headers: dict[str, str]) -> None:
    for method, url in _doors(stack):
        assert send(url, method, headers=headers | {"Authorization": basic(stack.door_key)}).status == 403, url


@pytest.mark.parametrize("authorization", [None, basic("local"), "AWS4-HMAC-SHA256 Credential=local/2026/r/s3/aws4"])
def test_the_doors_for_programs_want_the_key_of_this_start(stack: Stack, authorization: str | None) -> None:
    for method, url in _doors(stack):
        answer = send(url, method, headers={"Authorization": authorization} if authorization else {})
        assert (answer.status, answer.headers["X-Content-Type-Options"]) == (401, "nosniff"), url


def test_who_knows_the_key_comes_in(stack: Stack) -> None:
    assert stack.status()["ready"]
    assert stack.s3.list_objects_v2(Bucket=stack.bucket)["KeyCount"] >= 1
    assert stack.client("lambda").invoke(FunctionName="health", InvocationType="DryRun")["StatusCode"] == 204
    # As the start prints it.
    url = stack.metrics_url
    assert send(url).status == 200
    assert send(url.replace(stack.door_key, "wrong")).status == 401


def _doors(stack: Stack) -> list[tuple[str, str]]:
    websocket = stack.ws_url.replace("ws", "http", 1).rstrip("/")
    return [
        ("POST", f"{stack.lambda_url}/2015-03-31/functions/retention/invocations"),
        ("GET", f"{stack.lambda_url}/status"),
        ("GET", f"{stack.lambda_url}/metrics"),
        ("GET", f"{stack.aws_url}/{stack.bucket}"),
        ("POST", f"{websocket}/@connections/x"),
    ]


def test_no_log_holds_a_token_and_nobody_else_may_read_one(stack: Stack) -> None:
    if stack.endpoints is None:
        pytest.skip("looks at the logs of a local stack")
    name = f"somebody-{uuid.uuid4().hex}"
    good, wrong = stack.token("read", subject=name), f"wrong-{uuid.uuid4().hex}"
    assert stack.ask("GET", "/api/customers?limit=1", token=good).status == 200
    assert stack.ask("GET", f"/api/customers?limit=1&token={good}", token=wrong).status == 401
    assert stack.ask("GET", f"/api/customers?access={good}", token=good).status == 400
    own = json.loads(stack.endpoints.read_text(encoding="utf-8"))
    logs = [path for path in stack.endpoints.parent.rglob("*.log*") if path.is_file() and "data" not in path.parts]
    assert logs
    assert stat.S_IMODE(stack.endpoints.parent.stat().st_mode) == 0o700, "models, failed batches and data lie there"
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        assert good.rsplit(".", 1)[1] not in text, log
        assert wrong not in text, log
        assert own["token"].rsplit(".", 1)[1] not in text, log
        assert own["door_key"] not in text, log
        assert "#code=" not in text, log
        # What this suite writes of the stack's output is its own.
        assert log.name == "test.log" or stat.S_IMODE(log.stat().st_mode) == 0o600, log
