"""The supervisor behind `make run`: starts all that the service needs on one machine, keeps it running and ends it.

What it starts, in order: database, cache, broker and AWS APIs; schema and model; the gateway; the sample shop and the
stream of simulated events. A program that dies is restarted on its old port.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from churn.adapters.mysql import Database, customers
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.features import is_outdated
from churn.domain.model import BrokenModelError
from churn.domain.model_versions import RegistryUnavailableError, VersionNotFoundError
from churn.entrypoints.http.tokens import issue, sign_in_address
from infra.local import page_build
from infra.local.gateway.config import GatewayConfig, PortTakenError, aws_client, door_variables, log
from infra.local.gateway.runtime import FunctionPool
from infra.local.options import PYTHON_PATH, ROOT, TRACES_FILE, Options
from infra.local.private_files import make_private, write_private
from infra.local.servers import kafka_broker
from infra.local.servers.databases import free_port, is_free, mariadb_url, redis_url, start_mariadb, start_redis
from infra.local.servers.own_server import OwnServer
from infra.local.servers.supervisor import Program, StackError, Supervisor, inherited, module, progress, say, wait_until
from infra.local.side_doors import aws_credentials, basic, with_key
from infra.local.template.reader import load
from infra.local.template.specs import ACCOUNT, Template

REGION = "eu-central-1"
_TOKEN_SECONDS = 30 * 86_400
# Customers of the simulated shop that the first model is trained on.
_TRAINED_ON = 5000
_HOW_TO_SIGN = "start without the key, sign what is there (MODEL_SIGNING_KEY=… make sign-models), then start with it"


class Stack:
    """One local stack; `run` returns when it was asked to end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = options.state
        self._logs = self._state / "logs"
        self._ended = False
        self._supervisor = Supervisor()
        self._lock: IO[str] | None = None
        self._aws_port = free_port()
        self._aws_endpoint = f"http://127.0.0.1:{self._aws_port}"
        self._door_key = secrets.token_hex(24)
        self._config_file = self._state / "gateway.json"
        self._config = GatewayConfig(template="")
        self._template = Template()
        self._urls: dict[str, str] = {}

    def run(self, *, shows_tokens: bool) -> None:
        """Start everything, watch it, and end it. Raises StackError if it cannot start.

        `shows_tokens`: whether it says how to sign in; a file that keeps what it says is no place for that.
        """
        begun = time.monotonic()
        self._claim()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            with self._supervisor:
                page = page_build.start(self._logs / "dashboard.log")
                self._start_servers()
                self._prepare()
                self._start_gateway()
                self._publish()
                self._fill()
                page_build.finish(page, self._logs / "dashboard.log")
                self._announce(time.monotonic() - begun, shows_tokens=shows_tokens)
                self._watch()
        except _Ended:
            pass
        finally:
            self._unpublish()
        say("stopped")

    def _end(self, *_: object) -> None:
        if not self._ended:
            self._ended = True
            raise _Ended

    # -- what stands before

    def _claim(self) -> None:
        """Make sure that nobody else has the folder or the ports. Raises StackError."""
        make_private(self._state)
        self._logs.mkdir(exist_ok=True)
        self._lock = (self._state / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"a local stack already runs from {self._state}: 'make down' ends it, "
                "and CHURN_STATE_DIR gives another one a folder of its own"
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        shutil.rmtree(self._state / "tmp", ignore_errors=True)
        options = self._options
        ports = (("PORT", options.port), ("WS_PORT", options.ws_port), ("METRICS_PORT", options.metrics_port))
        for variable, port in ports:
            if port and not is_free(port):
                raise PortTakenError(port, variable)
        self._unpublish()

    def _secret(self, name: str = "jwt-secret") -> str:
        path = self._state / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48))
        return path.read_text(encoding="ascii")

    # -- servers

    def _start_servers(self) -> None:
        options, start = self._options, self._supervisor.start
        broker_port, database_port, redis_port = free_port(), free_port(), free_port()
        self._urls = {
            "kafka": options.kafka or f"127.0.0.1:{broker_port}",
            "database_url": options.database_url or mariadb_url(database_port),
            "redis_url": options.redis_url or redis_url(redis_port),
        }
        self._configure()
        if not options.kafka:
            environment = inherited(TMPDIR=self._temporary("broker"))
            start(Program("broker", kafka_broker.command(broker_port), environment, self._logs / "broker.log"))
        aws_folder = self._state / "aws"
        aws = Program(
            "aws",
            module("infra.local.servers.aws_apis", str(self._config_file), str(self._aws_port), str(aws_folder)),
            self._tools_environment("aws"),
            self._logs / "aws.log",
            prepare=lambda: (aws_folder / "ready").unlink(missing_ok=True),
        )
        start(aws)
        if not options.database_url:
            start(OwnServer("database", start_mariadb, self._state / "mariadb", database_port))
        if not options.redis_url:
            start(OwnServer("cache", start_redis, self._state / "redis", redis_port))
        if not options.kafka:
            wait_until(
                lambda: kafka_broker.answers(broker_port), "the broker", lambda: True, 20, self._logs / "broker.log"
            )
        # The AWS APIs, which take the longest, import their code meanwhile.
        with progress("bringing the schema up to date"):
            self._migrate()
        with progress("starting the local AWS APIs"):
            wait_until((aws_folder / "ready").exists, "the local AWS APIs", lambda: aws.alive, 60, aws.log)

    def _configure(self) -> None:
        """Choose the ports, and write what the gateway and the AWS APIs read."""
        options = self._options
        lambda_port = options.metrics_port or free_port()
        own_traces = {"OtlpEndpoint": f"http://127.0.0.1:{lambda_port}"} if options.traces else {}
        # Another address for spans is not told the key.
        own_trace_headers = {"OTEL_EXPORTER_OTLP_HEADERS": f"Authorization={quote(basic(self._door_key))}"}
        self._config = GatewayConfig(
            template=str(ROOT / "template.yaml"),
            port=options.port or free_port(),
            ws_port=options.ws_port or free_port(),
            lambda_port=lambda_port,
            region=REGION,
            aws_endpoint=self._aws_endpoint,
            door_key=self._door_key,
            kafka=self._urls["kafka"],
            concurrency=options.concurrency,
            traces=str(self._logs / TRACES_FILE) if options.traces == "file" else options.traces,
            parameters={
                "DatabaseUrl": self._urls["database_url"],
                "RedisUrl": self._urls["redis_url"],
                "JwtSecret": self._secret(),
                "ErasureKey": self._secret("erasure-key"),
                "ModelSigningKey": os.environ.get("MODEL_SIGNING_KEY", ""),
                "KafkaClusterArn": f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/local/00000000-0",
                "KafkaBootstrapServers": self._urls["kafka"],
                **options.parameters,
                **own_traces,
            },
            # The migration runs before the gateway is there, which sets these for all functions.
            environment={
                "TMPDIR": self._temporary("functions"),
                **aws_credentials(self._door_key),
                **(own_trace_headers if options.traces else {}),
            },
        )
        self._config.write(self._config_file)
        self._template = load(
            Path(self._config.template),
            self._config.parameters,
            region=REGION,
            aws_endpoint=self._aws_endpoint,
            socket_endpoint=f"http://127.0.0.1:{self._config.ws_port}",
        )

    def _function_environment(self) -> dict[str, str]:
        """Return what the commands need to reach the same database, model and topic as the functions."""
        return {
            # What a queue or a bucket is named is set for the function alone that uses it.
            **self._template.function("events").environment,
            **self._template.function("retention").environment,
            **self._template.function("scoring").environment,
            **door_variables(self._config, self._lambda_url),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def _temporary(self, name: str) -> str:
        """Create a program's own folder for temporary files and return its path."""
        folder = (self._state / "tmp" / name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def _tools_environment(self, name: str = "tools") -> dict[str, str]:
        return inherited(
            **self._function_environment(),
            TMPDIR=self._temporary(name),
            CHURN_STATE_DIR=str(self._state),
            PYTHONPATH=PYTHON_PATH,
        )

    # -- model, gateway

    def _prepare(self) -> None:
        if not self._has_model() and not self._options.sample_customers:
            self._tool("first model", "infra.tools.train", "--prior")
        elif not self._has_model():
            say("training a first model, on a simulated shop; it is kept for the next start")
            self._tool("training", "infra.tools.train", "--quick", "--simulate", str(_TRAINED_ON))

    def _migrate(self) -> None:
        spec = self._template.function("migration")
        pool = FunctionPool(spec, self._config.environment, REGION, 1, log)

        async def once() -> bytes:
            try:
                result = await pool.invoke(b"{}")
            finally:
                await pool.stop()
            if result.error:
                raise StackError(f"the schema could not be brought up to date: {result.message}")
            return result.payload

        asyncio.run(once())

    def _has_model(self) -> bool:
        """Return whether a model serves; one of a simulated shop that learned from older features does not count."""
        bucket = self._template.function("scoring").environment["MODEL_BUCKET"]
        key = os.environ.get("MODEL_SIGNING_KEY", "")
        registry = S3ModelRegistry(bucket, aws_client("s3", self._config), signing_key=key)
        try:
            state = registry.promotion_state()
            if state.refused:
                raise StackError(f"{state.refused}; {_HOW_TO_SIGN}")
            version = state.version
            metadata = registry.describe(version) if version else {}
        except (RegistryUnavailableError, BrokenModelError, VersionNotFoundError):
            return False
        return version is not None and not (metadata.get("source") == "sample" and is_outdated(metadata))

    def _tool(self, what: str, name: str, *arguments: str) -> None:
        """Run one of the project's commands to its end. Raises StackError when it fails."""
        tool = Program(what, module(name, *arguments), self._tools_environment())
        try:
            tool.start()
            with progress(what):
                while tool.alive:
                    time.sleep(0.05)
        finally:
            tool.stop()
        if tool.code:
            raise StackError(f"{what} failed: see the lines above")

    def _start_gateway(self) -> None:
        gateway = Program(
            "gateway", module("infra.local.gateway.gateway", str(self._config_file)), self._gateway_environment()
        )
        self._supervisor.start(gateway)
        with progress("starting the functions"):
            wait_until(lambda: bool(self._status().get("ready")), "the gateway", lambda: gateway.alive, 120, None)

    def _gateway_environment(self) -> dict[str, str]:
        return inherited(PYTHONPATH=PYTHON_PATH, TMPDIR=self._temporary("gateway"))

    def _status(self) -> dict[str, Any]:
        return gateway_status(self._lambda_url, self._door_key)

    @property
    def _lambda_url(self) -> str:
        return f"http://127.0.0.1:{self._config.lambda_port}"

    # -- shop and stream

    def _fill(self) -> None:
        options = self._options
        done = self._state / "sample-done"
        # An imported shop stays as it is; a sample shop that was interrupted is completed.
        unfinished = (self._state / "sample.json").exists() and not done.exists()
        if options.sample_customers and (unfinished or not self._has_customers()):
            say(f"filling a sample shop of {options.sample_customers:,} customers")
            self._tool("sample shop", "infra.tools.sample_shop", "--customers", str(options.sample_customers))
            done.touch()
        if options.event_rate:
            command = module("infra.tools.publish_events", "--rate", f"{options.event_rate:g}")
            self._supervisor.start(Program("stream", command, self._tools_environment(), self._logs / "stream.log"))

    def _has_customers(self) -> bool:
        with contextlib.closing(Database(self._urls["database_url"])) as database:
            return database.run(customers.exist)

    # -- watching

    def _watch(self) -> None:
        while True:
            time.sleep(0.2)
            if self._supervisor.restart_dead():
                self._publish()

    def _publish(self) -> None:
        """Write `endpoints.json` and `environment.json`, for people, commands and tests."""
        environment = self._function_environment()
        endpoints = {
            "base_url": f"http://127.0.0.1:{self._config.port}",
            "ws_url": f"ws://127.0.0.1:{self._config.ws_port}",
            **self._urls,
            "token": self.token,
            "door_key": self._door_key,
            "lambda_endpoint": self._lambda_url,
            "metrics_url": with_key(f"{self._lambda_url}/metrics", self._door_key),
            "aws_endpoint": self._aws_endpoint,
            "socket_endpoint": environment["SOCKET_ENDPOINT"],
            "model_bucket": environment["MODEL_BUCKET"],
            "model_path": environment["MODEL_PATH"],
            "pids": {"supervisor": os.getpid(), **self._supervisor.pids},
        }
        write_private(self._state / "environment.json", json.dumps(environment, indent=2) + "\n")
        write_private(self._state / "endpoints.json", json.dumps(endpoints, indent=2) + "\n")

    def _unpublish(self) -> None:
        """Remove what tells that this stack is ready, and where: nobody takes an ended one for a running one."""
        for name in ("endpoints.json", "ready"):
            (self._state / name).unlink(missing_ok=True)

    @property
    def token(self) -> str:
        """An administrator's token for this stack."""
        return issue(self._secret(), "local", "admin", _TOKEN_SECONDS)

    def _announce(self, seconds: float, *, shows_tokens: bool) -> None:
        base, token = f"http://127.0.0.1:{self._config.port}", self.token
        say(f"\nready in {seconds:.1f} s\n")
        welcome = (
            f"  REST       {base}\n"
            f"  WebSocket  ws://127.0.0.1:{self._config.ws_port}\n"
            f"  Kafka      {self._urls['kafka']}{'' if self._options.kafka else '  (in memory)'}\n"
            f"  metrics    {with_key(self._lambda_url, self._door_key)}/metrics\n"
            f"  token      {token}\n"
            "\n"
            "sign in with this address, once, within a minute ('make sign-in' prints another):\n"
            f"  {sign_in_address(base, self._secret(), 'local', 'admin')}\n\n"
            "try:\n"
            f"  curl {base}/health\n"
            f"  curl -H 'Authorization: Bearer {token}' '{base}/api/customers?limit=3'\n"
            f"  curl -H 'Authorization: Bearer {token}' {base}/api/dashboard/stats\n"
        )
        write_private(self._state / "ready", welcome)
        if shows_tokens:
            say(welcome)


class _Ended(BaseException):
    """Somebody asked the stack to end; not an Exception, so that nothing on the way takes it for an error."""


def gateway_status(lambda_endpoint: str, door_key: str) -> dict[str, Any]:
    """Return what the gateway says of itself; empty when it does not answer."""
    try:
        request = urllib.request.Request(  # noqa: S310  (our own)
            f"{lambda_endpoint}/status", headers={"Authorization": basic(door_key)}
        )
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
            status: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return {}
    return status
