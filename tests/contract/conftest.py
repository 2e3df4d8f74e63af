"""The running service that the contract is held against.

CHURN_ENDPOINTS names the ``endpoints.json`` of a stack that runs already. BASE_URL (and WS_URL, for sockets) names any
other deployment, with its JWT_SECRET or a TOKEN of the role admin, and KAFKA_BOOTSTRAP_SERVERS for what begins with an
event; tests that need more of a deployment are skipped. Without either a stack is started on free ports, in a folder
that is thrown away.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from kafka import KafkaProducer

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.events import SIMULATED
from churn.entrypoints.http.tokens import issue
from infra.local.stack import gateway_status
from tests.support import eventually
from tests.support.http import Answer, send

ROOT = Path(__file__).parents[2]
_READY_SECONDS = 280
_DOWN_SECONDS = 60


@dataclass(frozen=True)
class Stack:
    """A running service: where its doors are, and the secret that signs its tokens, or else an admin's token."""

    base_url: str
    ws_url: str
    secret: str
    endpoints: Path | None = None
    admin_token: str = ""

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap servers."""
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if not servers and self.endpoints is None:
            pytest.skip("begins with an event: KAFKA_BOOTSTRAP_SERVERS is not set")
        return servers or str(self._endpoint("kafka"))

    @property
    def lambda_url(self) -> str:
        """The endpoint for boto3's client of Lambda."""
        return str(self._endpoint("lambda_endpoint"))

    @property
    def aws_url(self) -> str:
        """The endpoint for boto3's clients of S3 and SQS."""
        return str(self._endpoint("aws_endpoint"))

    @property
    def registry(self) -> S3ModelRegistry:
        """The registry of the model's versions."""
        return S3ModelRegistry(self.bucket, self.s3, signing_key=os.environ.get("MODEL_SIGNING_KEY", ""))

    @property
    def bucket(self) -> str:
        """The bucket of the registry."""
        return str(self._endpoint("model_bucket"))

    @property
    def s3(self) -> Any:
        """A client of the S3 behind the service."""
        return self.client("s3")

    def client(self, service: Any, config: Config | None = None) -> Any:
        """Return a client of one of the AWS services behind the service, Lambda among them."""
        return boto3.client(
            service,
            endpoint_url=self.lambda_url if service == "lambda" else self.aws_url,
            aws_access_key_id=self.door_key,
            aws_secret_access_key="any",
            config=config,
        )

    @property
    def door_key(self) -> str:
        """What the doors for programs want to be told."""
        return str(self._endpoint("door_key"))

    @property
    def metrics_url(self) -> str:
        """The address of the functions' metrics, with the key in it."""
        return str(self._endpoint("metrics_url"))

    def status(self) -> dict[str, Any]:
        """Return what the local gateway says of itself. Raises ConnectionError if it does not answer."""
        told = gateway_status(self.lambda_url, self.door_key)
        if not told:
            raise ConnectionError("the gateway does not answer")
        return told

    @property
    def database_url(self) -> str:
        """The database behind the service."""
        return str(self._endpoint("database_url"))

    @property
    def redis_url(self) -> str:
        """The cache behind the service."""
        return str(self._endpoint("redis_url"))

    def pids(self) -> dict[str, int]:
        """Return the processes of the stack by name, as of now."""
        pids: dict[str, int] = self._endpoint("pids")
        return pids

    def functions(self) -> dict[str, list[int]]:
        """Return the processes of every function, as of now."""
        functions: dict[str, Any] = self.status()["functions"]
        return {name: function["pids"] for name, function in functions.items()}

    @property
    def is_ready(self) -> bool:
        """Whether the gateway answers, and reads its topic."""
        try:
            return bool(self.status()["ready"])
        except OSError:
            return False

    def publish(self, event_type: str, customer_id: str, at: datetime, **data: Any) -> None:
        """Publish an event; return when Kafka has it."""
        self._publish(uuid.uuid4().hex, event_type, customer_id, at, data)

    def publish_of_sample(self, event_type: str, customer_id: str, at: datetime, **data: Any) -> None:
        """Publish an event as one of the simulated shop's; return when Kafka has it."""
        self._publish(f"{SIMULATED}{uuid.uuid4().hex}", event_type, customer_id, at, data)

    def _publish(self, event_id: str, event_type: str, customer_id: str, at: datetime, data: dict[str, Any]) -> None:
        event = {
            "event_id": event_id,
            "event_type": event_type,
            "customer_id": customer_id,
            "timestamp": at.isoformat(),
            "data": data,
        }
        producer = KafkaProducer(bootstrap_servers=self.kafka, acks="all")
        try:
            producer.send("user-events", key=customer_id.encode(), value=json.dumps(event).encode()).get(10)
        finally:
            producer.close()

    def token(self, role: str, seconds: int = 3600, subject: str = "contract") -> str:
        """Return a token of the service."""
        if self.secret:
            return issue(self.secret, subject, role, seconds)
        if role != "admin" or seconds <= 0 or subject != "contract":
            pytest.skip("needs tokens of its own: JWT_SECRET is not set")
        return self.admin_token

    def needs_customers(self, count: int, least: int) -> None:
        """Skip a test of a deployment with too few customers; the local stack always has enough."""
        if count < least and self.endpoints is None:
            pytest.skip(f"the shop has {count} customers, and {least} are needed")

    def get(self, path: str, role: str | None = "read") -> Answer:
        """Send a GET request; `role` None sends no token."""
        return self.ask("GET", path, role=role)

    def post(self, path: str, body: object = None, role: str | None = "admin") -> Answer:
        """Post a body: bytes as they are, anything else as JSON."""
        return self.ask("POST", path, body, role=role)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        role: str | None = "admin",
        token: str | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Send a request; `token` takes the place of a token of `role`."""
        headers = {"Content-Type": "application/json"}
        if if_match is not None:
            headers["If-Match"] = if_match
        if token or role:
            headers["Authorization"] = f"Bearer {token or _token(self, role or '')}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return send(self.base_url + path, method, data, headers)

    def _endpoint(self, name: str) -> Any:
        assert self.endpoints is not None, f"{name} is known of a local stack alone"
        return json.loads(self.endpoints.read_text(encoding="utf-8"))[name]


@lru_cache(maxsize=16)
def _token(stack: Stack, role: str) -> str:
    # One token a role, so that the gateway's memory of what it may is used as it is by clients.
    return stack.token(role)


@contextmanager
def running_stack(state: Path, buckets: Path, project: Path = ROOT, /, **environment: str) -> Iterator[Stack]:
    """Return a stack of one's own, with its state in a folder; ended, and waited for, at the end of the block.

    `project`: the folder of the project that it runs, this one or a copy.

    What the buckets of the first stack with a sample shop held, its model, is kept in `buckets`: others need not train.
    """
    if buckets.exists():
        shutil.copytree(buckets, state / "aws")
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "CHURN_STATE_DIR": str(state),
        "PYTHONPATH": os.pathsep.join((str(project), str(project / "layers" / "churn"))),
        "PORT": "0",
        "WS_PORT": "0",
        **environment,
    }
    log = state / "test.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # As `make up` starts it.
            [sys.executable, "-m", "infra.local", "run", "--quiet"],
            cwd=project,
            env=variables,
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: (state / "ready").exists() or process.poll() is not None, within=_READY_SECONDS, every=0.1)
        assert process.poll() is None, f"the stack did not start:\n{log.read_text(encoding='utf-8')[-4000:]}"
        # An empty shop begins with what is usual for shops, and trains no model.
        if not buckets.exists() and environment.get("SAMPLE_CUSTOMERS") != "0":
            shutil.copytree(state / "aws", buckets, ignore=shutil.ignore_patterns("ready"))
        yield _stack(state / "endpoints.json")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_DOWN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that keeps what was in the first stack's buckets."""
    return tmp_path_factory.mktemp("first") / "buckets"


@pytest.fixture
def own_stack(tmp_path: Path, buckets: Path) -> Iterator[Stack]:
    """Return an empty shop that nobody else uses, whose processes may be killed."""
    with running_stack(tmp_path, buckets, SAMPLE_CUSTOMERS="0", EVENT_RATE="0") as started:
        yield started


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, buckets: Path) -> Iterator[Stack]:
    """Return the service that the tests of this session share."""
    if os.environ.get("CHURN_ENDPOINTS"):
        yield _stack(Path(os.environ["CHURN_ENDPOINTS"]))
    elif os.environ.get("BASE_URL"):
        yield _deployment(os.environ)
    else:
        with running_stack(
            tmp_path_factory.mktemp("stack"), buckets, SAMPLE_CUSTOMERS="700", EVENT_RATE="0"
        ) as started:
            yield started


def _deployment(named: Mapping[str, str]) -> Stack:
    secret, token = named.get("JWT_SECRET", ""), named.get("TOKEN", "")
    if not secret and not token:
        pytest.exit("JWT_SECRET, or TOKEN of an admin, is needed to ask that deployment", 2)
    return Stack(named["BASE_URL"].rstrip("/"), named.get("WS_URL", ""), secret, admin_token=token)


def _stack(endpoints: Path) -> Stack:
    addresses = json.loads(endpoints.read_text(encoding="utf-8"))
    environment = json.loads((endpoints.parent / "environment.json").read_text(encoding="utf-8"))
    return Stack(addresses["base_url"], addresses["ws_url"], environment["JWT_SECRET"], endpoints)
