"""How the local stack is made reachable, and its variables visible, for functions in SAM's containers."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn.entrypoints.kafka import decode
from infra.tools.sam_local import SamError, for_containers, local_template, main, relay_to_loopback

_BUILT = """
Globals: {Function: {Runtime: python3.13, Environment: {Variables: {A: 1, B: !Ref Database}}}}
Outputs: {Url: {Value: !Ref Api}}
Resources:
  One: {Type: AWS::Serverless::Function, Condition: Big, Properties: {CodeUri: One}}
  Two: {Type: AWS::Serverless::Function, Properties: {CodeUri: Two, Environment: {Variables: {B: own, C: own}}}}
  Api:
    Type: AWS::Serverless::Api
    Properties: {StageName: live, Auth: {Authorizers: {Token: {FunctionArn: !Ref One.Alias}}}}
  Network: {Type: AWS::Serverless::Application, Properties: {Location: infra/network.yaml}}
"""


def test_servers_of_this_machine_get_the_containers_name_for_it() -> None:
    variables_here = {
        "DATABASE_URL": "mysql://root:a@127.0.0.1:3306/churn",
        "REDIS_URL": "rediss://cache.example:6379/0",
        "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092,127.0.0.1:9093",
        "MODEL_PATH": "layers/model/model/model.npz",
        "VERSION": "10.127.0.0.1:80",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    }
    variables, ports = for_containers(variables_here)
    assert {3306, 9092, 9093} <= ports
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "", "the SDK is in a layer that is not there"
    assert variables["DATABASE_URL"] == "mysql://root:a@host.docker.internal:3306/churn"
    assert variables["KAFKA_BOOTSTRAP_SERVERS"] == "host.docker.internal:9092,host.docker.internal:9093"
    assert variables["MODEL_PATH"] == "/opt/model/model.npz"
    assert {name: variables[name] for name in ("REDIS_URL", "VERSION")} == {
        name: variables_here[name] for name in ("REDIS_URL", "VERSION")
    }


def test_every_function_sees_the_variables(tmp_path: Path) -> None:
    built = tmp_path / "template.yaml"
    built.write_text(_BUILT, encoding="utf-8")
    template = local_template(built, {"B": "here", "D": "new"})
    assert template["Globals"]["Function"]["Environment"]["Variables"] == {"A": 1, "B": "here", "D": "new"}
    assert template["Resources"].keys() == {"One", "Two", "Api"}
    assert template["Resources"]["Two"]["Properties"]["Environment"]["Variables"] == {"B": "here", "C": "own"}
    assert "Condition" not in template["Resources"]["One"]
    authorizers = template["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]
    assert authorizers == {"Token": {"FunctionArn": {"Fn::GetAtt": ["One", "Arn"]}}}


def test_without_a_build_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SamError, match="make build"):
        local_template(tmp_path / "template.yaml", {})


@pytest.mark.parametrize(
    ("stack_runs", "sentence"),
    [(False, "no local stack runs: start one with 'make up'"), (True, "no Docker engine answers")],
)
def test_what_is_missing_is_said_before_a_build(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    stack_runs: bool,
    sentence: str,
) -> None:
    monkeypatch.setenv("CHURN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if stack_runs:
        (tmp_path / "endpoints.json").write_text('{"base_url": "http://127.0.0.1:3000"}')
    assert main(["check"]) == 2
    assert sentence in capsys.readouterr().err


def test_what_is_sent_to_the_bridge_reaches_the_loopback_address_and_back() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    async def through() -> bytes:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        relay = await asyncio.start_server(relay_to_loopback(port), "127.0.0.1", 0)
        async with server, relay:
            reader, writer = await asyncio.open_connection("127.0.0.1", relay.sockets[0].getsockname()[1])
            writer.write(b"hello")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(through()) == b"HELLO"


def test_the_event_of_the_readme_is_a_batch_that_can_be_scored() -> None:
    event = json.loads((Path(__file__).parents[3] / "docs" / "msk-event.json").read_text(encoding="utf-8"))
    records = decode(event, datetime(2026, 11, 24, tzinfo=UTC))
    assert [record.event and record.event.event_type for record in records] == ["order_placed", "payment_failed"]
