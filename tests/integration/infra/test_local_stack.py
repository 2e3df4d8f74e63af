"""The gateway as its clients see it: functions in their processes, REST, WebSocket, `@connections`, Kafka, S3."""

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import pytest
from botocore.exceptions import ClientError
from kafka import KafkaProducer

from infra.local.gateway.gateway import Gateway, GatewayConfig
from infra.local.gateway.websocket import Limits
from infra.local.options import PYTHON_PATH
from infra.local.servers import kafka_broker
from infra.local.servers.databases import free_port
from infra.local.servers.supervisor import Program, module
from infra.local.stack import gateway_status
from tests.support import eventually
from tests.support.http import send

FIXTURE = Path(__file__).parent / "local_fixture"
TOPIC = "fixture-events"


@dataclass
class Served:
    """The fixture's template, served."""

    folder: Path
    scratch: Path
    base_url: str
    ws_url: str
    lambda_url: str
    aws_url: str
    kafka: str
    gateway: Program
    aws: Program

    def get(self, path: str, token: str | None = None, **request: Any) -> tuple[int, Mapping[str, str], bytes]:
        headers = request.pop("headers", {}) | ({"Authorization": token} if token else {})
        answer = send(self.base_url + path, headers=headers, **request)
        return answer.status, answer.headers, answer.body

    def facts(self, path: str = "/open", token: str | None = None, **request: Any) -> dict[str, Any]:
        """Return what the echo function saw."""
        found: dict[str, Any] = json.loads(self.get(path, token, **request)[2])
        return found

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return what a function wrote down."""
        path = self.scratch / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def client(self, service: Any, url: str) -> Any:
        return boto3.client(service, endpoint_url=url, region_name="eu-central-1")

    def status(self) -> dict[str, Any]:
        return gateway_status(self.lambda_url)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("local")
    scratch = folder / "scratch"
    scratch.mkdir()
    shutil.copytree(FIXTURE, folder / "code", ignore=shutil.ignore_patterns("__pycache__"))
    ports = {name: free_port() for name in ("rest", "ws", "lambda", "aws", "kafka")}
    aws_url, kafka = f"http://127.0.0.1:{ports['aws']}", f"127.0.0.1:{ports['kafka']}"
    config = GatewayConfig(
        template=str(folder / "code" / "template.yaml"),
        port=ports["rest"],
        ws_port=ports["ws"],
        lambda_port=ports["lambda"],
        aws_endpoint=aws_url,
        kafka=kafka,
        parameters={"Scratch": str(scratch)},
    )
    config.write(folder / "gateway.json")
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH, "HOST_SECRET": "hidden"}
    aws = Program(
        "aws",
        module("infra.local.servers.aws_apis", str(folder / "gateway.json"), str(ports["aws"]), str(folder / "aws")),
        environment,
        folder / "aws.log",
        prepare=lambda: (folder / "aws" / "ready").unlink(missing_ok=True),
    )
    gateway = Program(
        "gateway",
        module("infra.local.gateway.gateway", str(folder / "gateway.json")),
        environment,
        folder / "gateway.log",
    )
    queue = Program("broker", kafka_broker.command(ports["kafka"]), environment, folder / "kafka_broker.log")
    with ExitStack() as stack:
        for program in (queue, aws, gateway):
            program.start()
            stack.callback(program.stop)
        everything = Served(
            folder,
            scratch,
            f"http://127.0.0.1:{ports['rest']}",
            f"ws://127.0.0.1:{ports['ws']}",
            f"http://127.0.0.1:{ports['lambda']}",
            aws_url,
            kafka,
            gateway,
            aws,
        )
        eventually((folder / "aws" / "ready").exists, within=60)
        eventually(lambda: everything.status().get("ready"), within=60)
        yield everything


# Functions in their processes


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


@pytest.mark.parametrize("misdeed", ["crash", "hang", "grow"])
def test_a_function_over_its_limits_is_ended_and_the_next_one_is_new(served: Served, misdeed: str) -> None:
    before = served.facts()["pid"]
    status, _, body = served.get(f"/open?do={misdeed}")
    assert (status, json.loads(body)) == (502, {"message": "Internal server error"})
    assert served.facts()["pid"] != before


@pytest.mark.parametrize(
    ("misdeed", "kind", "text"),
    [
        ("hang", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ("grow", "Runtime.OutOfMemory", "signal: killed"),
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
    eventually(lambda: [r for r in served.lines("records") if r["value"] == "YXN5bmM="], within=10)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")


def test_a_change_of_the_source_is_served_without_a_restart(served: Served) -> None:
    source = served.folder / "code" / "echo" / "app.py"
    before, text = served.facts()["pid"], source.read_text()
    try:
        source.write_text(text.replace('"pid": os.getpid()', '"pid": "changed"'))
        eventually(lambda: served.facts()["pid"] == "changed", within=10)
        source.write_text("import nothing_of_that_name\n")
        eventually(lambda: served.get("/open")[0] == 502, within=10)
        assert "nothing_of_that_name" in served.status()["functions"]["echo"]["last_error"]
    finally:
        source.write_text(text)
    eventually(lambda: served.get("/open")[0] == 200, within=10)
    assert served.facts()["pid"] != before


# REST


def test_the_event_is_that_of_a_rest_apis_proxy_integration(served: Served) -> None:
    event = served.facts("/items/a%2Fb?x=1&x=2&y=%20", "good", method="POST", body=b'{"k": 1}')["event"]
    assert (event["resource"], event["httpMethod"]) == ("/items/{id}", "POST")
    assert event["pathParameters"] == {"id": "a/b"}
    assert event["queryStringParameters"] == {"x": "2", "y": " "}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [" "]}
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": 1}', False)
    context = event["requestContext"]
    assert context["resourcePath"] == "/items/{id}"
    assert context["stage"] == "live"
    assert context["authorizer"] == {"principalId": "good", "role": "admin", "level": "3", "whole": "true"}
    assert context["identity"]["sourceIp"] == "127.0.0.1"


def test_a_constant_segment_wins_over_a_parameter(served: Served) -> None:
    assert served.facts("/items/mine", "good")["event"]["resource"] == "/items/mine"


def test_binary_bodies_pass_both_ways(served: Served) -> None:
    binary = {"Content-Type": "application/octet-stream"}
    event = served.facts("/items/1", "good", method="POST", body=b"\x00\xff", headers=binary)["event"]
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    status, headers, body = served.get("/open?do=binary")
    assert (status, headers["Content-Type"], body) == (200, "image/x", b"\x00\x01\x02")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/items/1", None, 401),
        ("/items/1", "who?", 401),
        ("/items/1", "poor", 403),
        ("/secret", "good", 403),
        ("/items/1", "broken", 500),
        ("/nowhere", "good", 403),
        ("/open?do=raise", None, 502),
        ("/open?do=nonsense", None, 502),
    ],
)
def test_what_the_gateway_itself_answers(served: Served, path: str, token: str | None, status: int) -> None:
    assert served.get(path, token)[0] == status


def test_a_gateway_response_of_the_template_is_filled_in(served: Served) -> None:
    status, headers, body = served.get("/items/1")
    assert (status, headers["Content-Type"]) == (401, "application/problem+json")
    problem = json.loads(body)
    assert problem == {"status": 401, "detail": "Unauthorized", "instance": headers["x-amzn-RequestId"]}


def test_an_authorizers_answer_is_kept_for_the_same_identity(served: Served) -> None:
    served.get("/items/1", "good")
    calls = len((served.scratch / "authorizer-calls").read_text())
    assert served.get("/items/2", "good")[0] == 200
    assert len((served.scratch / "authorizer-calls").read_text()) == calls


def test_a_preflight_is_answered_without_a_token(served: Served) -> None:
    status, headers, _ = served.get("/items/1", method="OPTIONS")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert headers["Access-Control-Allow-Methods"] == "GET,OPTIONS,POST"


def test_a_body_over_ten_megabytes_is_refused(served: Served) -> None:
    assert served.get("/items/1", "good", method="POST", body=bytes(10 * 1024 * 1024 + 1))[0] == 413


# WebSocket


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


def test_a_socket_lives_from_connect_to_disconnect(served: Served) -> None:
    async def talk() -> list[str]:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{served.ws_url}?token=good&n=1") as ws:
            heard = []
            for message in ('{"event": "echo"}', '{"event": "loud"}', '{"event": "fail"}'):
                await ws.send_str(message)
                heard.append(await ws.receive_str())
            return heard

    echo, loud, failed = run(talk())
    assert (echo, loud) == ('{"event": "echo"}', "answer loud")
    problem = json.loads(failed)
    assert problem["message"] == "Internal server error"
    connection = problem["connectionId"]

    def seen() -> list[dict[str, Any]]:
        return [e for e in served.lines("socket-events") if e["requestContext"]["connectionId"] == connection]

    eventually(lambda: len(seen()) == 5, within=10)
    events = seen()
    kinds = [event["requestContext"]["eventType"] for event in events]
    assert (kinds[0], kinds[-1]) == ("CONNECT", "DISCONNECT")
    assert all(event["requestContext"]["authorizer"]["role"] == "admin" for event in events)
    assert events[0]["queryStringParameters"] == {"token": "good", "n": "1"}
    assert {event["requestContext"]["routeKey"] for event in events[1:-1]} == {"$default", "loud"}
    assert events[-1]["requestContext"]["disconnectStatusCode"] == 1000


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 401),
        ("?token=poor", 403),
        ("?token=broken", 500),
        ("?token=good&status=429", 429),
        ("?token=good&status=1", 502),
    ],
)
def test_a_refusal_is_the_status_of_the_handshake(served: Served, query: str, status: int) -> None:
    async def knock() -> int:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.ws_connect(served.ws_url + query):
                    return 101
            except aiohttp.WSServerHandshakeError as refusal:
                return refusal.status

    assert run(knock()) == status


@pytest.mark.parametrize(("frames", "code"), [([40_000], 1009), ([30_000] * 5, 1009), ([30_000] * 2, None)])
def test_frames_and_messages_have_their_limits(served: Served, frames: list[int], code: int | None) -> None:
    async def send() -> int | None:
        url = f"{served.ws_url}?token=good"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, autoclose=False) as ws:
            transport = ws.get_extra_info("socket")
            assert transport is not None
            sender: Any = ws
            for index, size in enumerate(frames):
                last = index == len(frames) - 1
                sender._writer.transport.write(_frame(1 if index == 0 else 0, b"x" * size, last=last))
            await ws.send_str('{"event": "loud"}')
            answer = await ws.receive()
            return int(answer.data) if answer.type is aiohttp.WSMsgType.CLOSE else None

    assert run(send()) == code


def _frame(opcode: int, payload: bytes, *, last: bool) -> bytes:
    """Return a masked client frame (RFC 6455, 5.2) with a mask of zeros."""
    assert 125 < len(payload) < 65_536
    return bytes([(0x80 if last else 0) | opcode, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def test_boto3_posts_to_a_socket_looks_at_it_and_closes_it(served: Served) -> None:
    client = served.client("apigatewaymanagementapi", served.ws_url.replace("ws:", "http:"))

    async def work() -> tuple[dict[str, Any], str, tuple[aiohttp.WSMsgType, int]]:
        # Without autoclose the frame itself is looked at: what became of the client's answer to it is another matter.
        url = f"{served.ws_url}?token=good"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, autoclose=False) as ws:
            await ws.send_str('{"event": "fail"}')
            connection = (await ws.receive_json())["connectionId"]
            await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=b"hello")
            heard = await ws.receive_str()
            found = await asyncio.to_thread(client.get_connection, ConnectionId=connection)
            with pytest.raises(client.exceptions.PayloadTooLargeException):
                await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=bytes(128 * 1024 + 1))
            await asyncio.to_thread(client.delete_connection, ConnectionId=connection)
            closing = await ws.receive()
            with pytest.raises(client.exceptions.GoneException):
                await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=b"late")
            return found, heard, (closing.type, closing.data)

    found, heard, frame = run(work())
    assert heard == "hello"
    assert found["Identity"]["SourceIp"] == "127.0.0.1"
    assert found["ConnectedAt"] <= found["LastActiveAt"]
    assert frame == (aiohttp.WSMsgType.CLOSE, 1000)


def test_an_unsigned_post_is_forbidden(served: Served) -> None:
    url = f"{served.ws_url.replace('ws:', 'http:')}/@connections/x"
    answer = send(url, "POST", b"x")
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "ForbiddenException")


def test_a_client_that_does_not_read_is_refused_and_holds_nobody_up(served: Served) -> None:
    client = served.client("apigatewaymanagementapi", served.ws_url.replace("ws:", "http:"))
    host, port = served.ws_url.removeprefix("ws://").split(":")
    before = len(served.lines("socket-events"))
    with socket.create_connection((host, int(port))) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            b"GET /?token=good HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert deaf.recv(12) == b"HTTP/1.1 101"
        connection = eventually(lambda: served.lines("socket-events")[before:], within=10)[0]["requestContext"][
            "connectionId"
        ]

        def flood() -> None:
            for _ in range(200):
                client.post_to_connection(ConnectionId=connection, Data=b"x" * 100_000)

        with pytest.raises(ClientError) as refusal:
            flood()
    assert refusal.value.response["Error"]["Code"] == "LimitExceededException"


# Kafka


def publish(served: Served, *values: str, key: bytes = b"k", partition: int | None = None) -> None:
    producer = KafkaProducer(bootstrap_servers=served.kafka)
    try:
        for value in values:
            producer.send(TOPIC, key=key, value=value.encode(), partition=partition)
        producer.flush(10)
    finally:
        producer.close()


def kept(served: Served, *values: str) -> list[str]:
    """Those of the values that the function kept, in the order in which it did."""
    found = [base64.b64decode(record["value"]).decode() for record in served.lines("records")]
    return [value for value in found if value in values]


def test_records_arrive_in_order_with_msks_event_shape(served: Served) -> None:
    values = [f"order-{number}" for number in range(50)]
    publish(served, *values)
    eventually(lambda: len(kept(served, *values)) == 50, within=20)
    assert kept(served, *values) == values
    record = next(record for record in served.lines("records") if record.get("topic") == TOPIC)
    assert record["name"] == f"{TOPIC}-{record['partition']}"
    assert record["timestampType"] in ("CREATE_TIME", "LOG_APPEND_TIME")


def test_only_what_failed_is_asked_for_again(served: Served) -> None:
    publish(served, "one", "late", "two")
    eventually(lambda: len(kept(served, "one", "late", "two")) == 3, within=20)
    assert kept(served, "one", "two") == ["one", "two"]


def test_a_crash_gives_the_batch_again(served: Served) -> None:
    publish(served, "before", "exit-once", "after")
    eventually(lambda: {"before", "exit-once", "after"} <= set(kept(served, "before", "exit-once", "after")), within=20)


def test_what_cannot_be_handled_is_kept_whole_and_holds_nobody_up(served: Served) -> None:
    s3 = served.client("s3", served.aws_url)
    publish(served, "bad", "exit", "fine-after-bad", partition=3)
    eventually(lambda: kept(served, "fine-after-bad"), within=30)
    bodies: list[dict[str, Any]] = []

    def both() -> bool:
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="dead").get("Contents", [])]
        bodies[:] = [json.loads(s3.get_object(Bucket="dead", Key=key)["Body"].read()) for key in keys]
        batches = [json.loads(body["payload"])["records"] for body in bodies]
        return {"YmFk", "ZXhpdA=="} <= {r["value"] for batch in batches for rs in batch.values() for r in rs}

    eventually(both, within=20)
    assert {body["requestContext"]["condition"] for body in bodies} == {"RetryAttemptsExhausted"}


def test_a_killed_gateway_goes_on_where_it_was(served: Served) -> None:
    values = [f"kill-{number}" for number in range(300)]
    pid = served.gateway.pid
    assert pid
    children = [p for function in served.status()["functions"].values() for p in function["pids"]]
    publish(served, *values)
    eventually(lambda: kept(served, *values), within=10)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not served.gateway.alive, within=5)
    # Its functions die with it, and the same ports serve again.
    eventually(lambda: not any(_runs(child) for child in children), within=5)
    served.gateway.start()
    eventually(lambda: set(kept(served, *values)) == set(values), within=30)
    eventually(lambda: served.get("/open")[0] == 200, within=10)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# AWS APIs


def test_what_is_put_into_a_bucket_outlives_the_aws_process(served: Served) -> None:
    s3 = served.client("s3", served.aws_url)
    bucket = "churn-kept"
    s3.put_object(Bucket=bucket, Key="models/1/m.npz", Body=b"\x00forest", Metadata={"sha": "1"}, ContentType="a/b")
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    served.aws.stop()
    served.aws.start()
    eventually((served.folder / "aws" / "ready").exists, within=60)
    found = s3.get_object(Bucket=bucket, Key="models/1/m.npz")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"\x00forest", {"sha": "1"}, "a/b")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["models/1/m.npz"]


# A gateway of its own, with short limits


def test_idle_and_old_sockets_are_closed(tmp_path: Path) -> None:
    async def closed_with(limits: Limits, *, chatty: bool) -> int | None:
        config = GatewayConfig(
            template=str(FIXTURE / "template.yaml"),
            aws_endpoint="http://127.0.0.1:1",
            parameters={"Scratch": str(tmp_path)},
            prewarm=False,
        )
        async with (
            Gateway(config, limits) as gateway,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{gateway.ws_url}?token=good") as ws,
        ):
            while True:
                if chatty and not ws.closed:
                    await ws.send_str('{"event": "loud"}')
                message = await ws.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return ws.close_code

    assert run(closed_with(Limits(idle=0.3), chatty=False)) == 1001
    assert run(closed_with(Limits(idle=5.0, lifetime=1.0), chatty=True)) == 1001


def test_a_taken_port_is_named_with_the_variable_to_change(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        program = Program(
            "stack",
            [sys.executable, "-m", "infra.local", "run"],
            {
                **os.environ,
                "PYTHONPATH": PYTHON_PATH,
                "CHURN_STATE_DIR": str(tmp_path),
                "PORT": str(port),
                "WS_PORT": "0",
            },
            tmp_path / "log",
        )
        program.start()
        eventually(lambda: not program.alive, within=30)
    said = (tmp_path / "log").read_text()
    assert f"port {port} is taken" in said
    assert "set PORT to a free port" in said
    assert program.code == 1
