"""A template of small functions, served by the gateway in processes of its own."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from churn.adapters.mysql import Database
from infra.local.gateway.config import GatewayConfig
from infra.local.options import PYTHON_PATH
from infra.local.servers import kafka_broker
from infra.local.servers.databases import free_port
from infra.local.servers.supervisor import Program, module
from infra.local.stack import gateway_status
from tests.support import eventually
from tests.support.forests import small_model
from tests.support.http import send

FIXTURE = Path(__file__).parent / "local_fixture"
TOPIC = "fixture-events"
DOOR_KEY = "only-programs-know-this"


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
    broker: Program

    def get(self, path: str, token: str | None = None, **request: Any) -> tuple[int, Mapping[str, str], bytes]:
        headers = request.pop("headers", {}) | ({"Authorization": token} if token else {})
        answer = send(self.base_url + path, headers=headers, **request)
        return answer.status, answer.headers, answer.body

    def facts(self, path: str = "/open", token: str | None = None, **request: Any) -> dict[str, Any]:
        """Return what the echo function saw."""
        facts: dict[str, Any] = json.loads(self.get(path, token, **request)[2])
        return facts

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return what a function wrote down."""
        path = self.scratch / name
        # The last line may be half written.
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []

    def client(self, service: Any, url: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name="eu-central-1",
            aws_access_key_id=DOOR_KEY,
            aws_secret_access_key="any",
        )

    def status(self) -> dict[str, Any]:
        return gateway_status(self.lambda_url, DOOR_KEY)


@pytest.fixture(scope="package")
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
        door_key=DOOR_KEY,
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
            queue,
        )
        eventually((folder / "aws" / "ready").exists)
        eventually(lambda: everything.status().get("ready"))
        yield everything


@pytest.fixture
def shop(database: Database, mysql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Set up an empty shop that the commands find through the environment, in a folder of their own."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("MODEL_BUCKET", "AWS_ENDPOINT_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    model = tmp_path / "model.npz"
    model.write_bytes(small_model().to_bytes())
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    monkeypatch.setenv("ERASURE_KEY", "only-a-test-knows-this-key-of-32-bytes")
    monkeypatch.setenv("MODEL_PATH", str(model))
    monkeypatch.setenv("CHURN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return database
