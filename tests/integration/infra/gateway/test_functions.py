"""Functions in their processes, as their clients see them."""

import json

import pytest

from tests.integration.infra.conftest import Served
from tests.support import eventually


def test_a_function_sees_its_own_environment_and_nothing_of_the_hosts(served: Served) -> None:
    facts = served.facts()
    seen = facts["environment"]
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "EchoFunction"
    assert seen["AWS_ENDPOINT_URL"] == served.aws_url
    assert seen["SOCKET_ENDPOINT"] == served.ws_url.replace("ws:", "http:")
    assert (seen["TZ"], seen["_HANDLER"], seen["SCRATCH"]) == ("UTC", "app.handler", str(served.scratch))
    assert not {"HOST_SECRET", "HOME", "USER"} & seen.keys()
    assert 0 < facts["left"] <= 2000
    assert facts["arn"].endswith(":function:EchoFunction")


def test_one_process_serves_one_invocation_after_the_other(served: Served) -> None:
    assert served.facts()["pid"] == served.facts()["pid"]


@pytest.mark.parametrize("misdeed", ["crash", "hang", "grow", "starve"])
def test_a_function_over_its_limits_is_ended_and_the_next_one_is_new(served: Served, misdeed: str) -> None:
    before = served.facts()["pid"]
    status, headers, body = served.get(f"/open?do={misdeed}")
    assert (status, json.loads(body)) == (502, {"message": "Internal server error"})
    assert headers["Retry-After"] == "2"
    assert served.facts()["pid"] != before


@pytest.mark.parametrize(
    ("misdeed", "kind", "text"),
    [
        ("hang", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ("grow", "Runtime.OutOfMemory", "signal: killed"),
        ("starve", "Runtime.OutOfMemory", "signal: killed"),
        ("crash", "Runtime.ExitError", "exit status 3"),
        ("raise", "ValueError", "as asked"),
    ],
)
def test_boto3_invokes_a_function_and_learns_of_its_failure(served: Served, misdeed: str, kind: str, text: str) -> None:
    client = served.client("lambda", served.lambda_url)
    answer = client.invoke(FunctionName="echo", Payload=json.dumps({"queryStringParameters": {"do": misdeed}}))
    failure = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert failure["errorType"] == kind
    assert text in failure["errorMessage"]


def test_boto3_invokes_without_waiting_and_names_what_is_not_there(served: Served) -> None:
    client = served.client("lambda", served.lambda_url)
    record = {"partition": 9, "offset": 1, "value": "YXN5bmM="}
    event = json.dumps({"records": {"direct-9": [record]}})
    assert client.invoke(FunctionName="RecordsFunction", InvocationType="Event", Payload=event)["StatusCode"] == 202
    eventually(lambda: [r for r in served.lines("records") if r["value"] == "YXN5bmM="])
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")


def test_a_change_of_the_source_is_served_without_a_restart(served: Served) -> None:
    source = served.folder / "code" / "echo" / "app.py"
    before, text = served.facts()["pid"], source.read_text()
    try:
        source.write_text(text.replace('"pid": os.getpid()', '"pid": "changed"'))
        eventually(lambda: served.facts()["pid"] == "changed")
        source.write_text("import nothing_of_that_name\n")
        eventually(lambda: served.get("/open")[0] == 502)
        assert "nothing_of_that_name" in served.status()["functions"]["echo"]["last_error"]
    finally:
        source.write_text(text)
    eventually(lambda: served.get("/open")[0] == 200)
    assert served.facts()["pid"] != before
