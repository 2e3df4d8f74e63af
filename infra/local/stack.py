"""The supervisor behind `make run`: starts all that the service needs on one machine, keeps it running, ends it.

What it starts, in order: database, cache, broker and AWS APIs; schema and model; the gateway; the sample shop and the
stream of simulated events. A program that dies is started anew on its old port.
"""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self

import jwt
import pymysql
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.gateway.gateway import GatewayConfig, aws_client, log
from infra.local.gateway.runtime import FunctionPool
from infra.local.servers import kafka_broker
from infra.local.servers.databases import Server, ServerError, free_port, start_mariadb, start_redis
from infra.local.servers.supervisor import Program, StackError, Supervisor, inherited, module, progress, say, wait_until
from infra.local.template.reader import ACCOUNT, Template, load

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"
_TOKEN_DAYS = 30
# Customers of the simulated shop that the first model is trained on.
_TRAINED_ON = 5000
# What a person may set for the functions; the README's table explains each.
_SETTINGS = (
    "ALLOWED_ORIGIN",
    "ALERT_COOLDOWN_HOURS",
    "ALERT_FROM_RISK",
    "CRITICAL_RISK",
    "HIGH_RISK",
    "HORIZON_DAYS",
    "EMBARGO_DAYS",
    "INACTIVITY_DAYS",
    "MEDIUM_RISK",
    "POWERTOOLS_LOG_LEVEL",
    "RATE_LIMIT_ANONYMOUS",
    "RATE_LIMIT_AUTHENTICATED",
    "RATE_LIMIT_PREDICTIONS",
    "RISK_HYSTERESIS",
    "SERVICE_VERSION",
    "SOCKET_LIMIT",
    "SWEEP_AFTER_HOURS",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the environment says about the local stack."""

    state: Path
    port: int
    ws_port: int
    sample_customers: int
    event_rate: float
    concurrency: int
    database_url: str
    redis_url: str
    kafka: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The options, with their defaults. Raises StackError naming a variable that makes no sense."""

        def number(name: str, default: str) -> float:
            text = environment.get(name) or default
            try:
                value = float(text)
            except ValueError:
                raise StackError(f"{name} must be a number, not {text!r}") from None
            if value < 0:
                raise StackError(f"{name} must not be negative")
            return value

        return cls(
            state=state_folder(environment),
            port=int(number("PORT", "3000")),
            ws_port=int(number("WS_PORT", "3001")),
            sample_customers=int(number("SAMPLE_CUSTOMERS", "5000")),
            event_rate=number("EVENT_RATE", "2"),
            concurrency=max(1, int(number("LOCAL_CONCURRENCY", "2"))),
            database_url=environment.get("DATABASE_URL", ""),
            redis_url=environment.get("REDIS_URL", ""),
            kafka=environment.get("KAFKA_BOOTSTRAP_SERVERS", ""),
            settings={name: environment[name] for name in _SETTINGS if environment.get(name)},
        )


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where the stack keeps all that outlives it: CHURN_STATE_DIR, or `.local` in the checkout."""
    return Path(environment.get("CHURN_STATE_DIR") or ROOT / ".local").resolve()


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
        self._config_file = self._state / "gateway.json"
        self._config = GatewayConfig(template="")
        self._template = Template()
        self._urls: dict[str, str] = {}

    def run(self) -> None:
        """Starts everything, watches it, and ends it. Raises StackError when it cannot start."""
        begun = time.monotonic()
        self._claim()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            with self._supervisor:
                self._start_servers()
                self._prepare()
                self._start_gateway()
                self._publish()
                self._fill()
                self._announce(time.monotonic() - begun)
                self._watch()
        except _Ended:
            pass
        finally:
            (self._state / "endpoints.json").unlink(missing_ok=True)
        say("stopped")

    def _end(self, *_: object) -> None:
        if not self._ended:
            self._ended = True
            raise _Ended

    # -- what stands before

    def _claim(self) -> None:
        """Makes sure that nobody else has the folder or the ports. Raises StackError."""
        self._logs.mkdir(parents=True, exist_ok=True)
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
        for variable, port in (("PORT", self._options.port), ("WS_PORT", self._options.ws_port)):
            if port and not _is_free(port):
                raise StackError(
                    f"port {port} is taken by another program: end that one, or set {variable} to a free port"
                )
        (self._state / "endpoints.json").unlink(missing_ok=True)

    def _secret(self) -> str:
        path = self._state / "jwt-secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(48), encoding="ascii")
        return path.read_text(encoding="ascii")

    # -- servers

    def _start_servers(self) -> None:
        options, start = self._options, self._supervisor.start
        broker_port, database_port, redis_port = free_port(), free_port(), free_port()
        self._urls = {
            "kafka": options.kafka or f"127.0.0.1:{broker_port}",
            "database_url": options.database_url or f"mysql://root@127.0.0.1:{database_port}/churn",
            "redis_url": options.redis_url or f"redis://127.0.0.1:{redis_port}/0",
        }
        self._configure()
        if not options.kafka:
            start(Program("broker", kafka_broker.command(broker_port), inherited(), self._logs / "broker.log"))
        aws_folder = self._state / "aws"
        aws = Program(
            "aws",
            module("infra.local.servers.aws_apis", str(self._config_file), str(self._aws_port), str(aws_folder)),
            self._tools_environment(),
            self._logs / "aws.log",
            prepare=lambda: (aws_folder / "ready").unlink(missing_ok=True),
        )
        start(aws)
        if not options.database_url:
            start(_OwnServer("database", start_mariadb, self._state / "mariadb", database_port))
        if not options.redis_url:
            start(_OwnServer("cache", start_redis, self._state / "redis", redis_port))
        with progress("starting the local AWS APIs"):
            wait_until((aws_folder / "ready").exists, "the local AWS APIs", lambda: aws.alive, 60, aws.log)
        if not options.kafka:
            wait_until(
                lambda: kafka_broker.answers(broker_port), "the broker", lambda: True, 20, self._logs / "broker.log"
            )

    def _configure(self) -> None:
        """Settles the ports, and writes what the gateway and the AWS APIs read."""
        options = self._options
        self._config = GatewayConfig(
            template=str(ROOT / "template.yaml"),
            port=options.port or free_port(),
            ws_port=options.ws_port or free_port(),
            lambda_port=free_port(),
            region=REGION,
            aws_endpoint=self._aws_endpoint,
            kafka=self._urls["kafka"],
            concurrency=options.concurrency,
            parameters={
                "DatabaseUrl": self._urls["database_url"],
                "RedisUrl": self._urls["redis_url"],
                "JwtSecret": self._secret(),
                "KafkaClusterArn": f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/local/00000000-0",
                "KafkaBootstrapServers": self._urls["kafka"],
                "EventsTopic": os.environ.get("EVENTS_TOPIC") or "user-events",
                "OutputTopic": os.environ.get("OUTPUT_TOPIC", ""),
                "RateLimitMultiplier": os.environ.get("RATE_LIMIT_MULTIPLIER") or "100",
            },
            environment={**options.settings, "POWERTOOLS_TRACE_DISABLED": "true"},
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
        """What the commands need to reach the same database, model and topic as the functions."""
        return {
            **self._config.environment,
            **self._template.function("scoring").environment,
            "AWS_ENDPOINT_URL": self._aws_endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{self._config.lambda_port}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def _tools_environment(self) -> dict[str, str]:
        return inherited(
            **self._function_environment(),
            CHURN_STATE_DIR=str(self._state),
            PYTHONPATH=os.pathsep.join((str(ROOT), str(ROOT / "layers" / "churn"))),
        )

    # -- schema, model, gateway

    def _prepare(self) -> None:
        with progress("bringing the schema up to date"):
            self._migrate()
        if not self._has_model():
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
                raise StackError(f"the schema could not be brought up to date: {result.payload.decode()}")
            return result.payload

        asyncio.run(once())

    def _has_model(self) -> bool:
        client = aws_client("s3", self._aws_endpoint, REGION)
        bucket = self._template.function("scoring").environment["MODEL_BUCKET"]
        try:
            client.head_object(Bucket=bucket, Key="current.json")
        except (ClientError, BotoCoreError):
            return False
        return True

    def _tool(self, what: str, name: str, *arguments: str) -> None:
        """Runs one of the project's commands to its end. Raises StackError when it fails."""
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
        return inherited(PYTHONPATH=str(ROOT))

    def _status(self) -> dict[str, Any]:
        return gateway_status(f"http://127.0.0.1:{self._config.lambda_port}")

    # -- shop and stream

    def _fill(self) -> None:
        options = self._options
        done = self._state / "sample-done"
        # Whoever brought a shop of their own keeps it as it is; a sample that was cut short is gone on with.
        unfinished = (self._state / "sample.json").exists() and not done.exists()
        if options.sample_customers and (unfinished or not self._has_customers()):
            say(f"filling a sample shop of {options.sample_customers:,} customers")
            self._tool("sample shop", "infra.tools.sample_shop", "--customers", str(options.sample_customers))
            done.touch()
        if options.event_rate:
            command = module("infra.tools.publish_events", "--rate", f"{options.event_rate:g}")
            self._supervisor.start(Program("stream", command, self._tools_environment(), self._logs / "stream.log"))

    def _has_customers(self) -> bool:
        with connect(self._urls["database_url"]) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM customers LIMIT 1")
            return cursor.fetchone() is not None

    # -- watching

    def _watch(self) -> None:
        while True:
            time.sleep(0.2)
            if self._supervisor.heal():
                self._publish()

    def _publish(self) -> None:
        """Writes `endpoints.json` and `environment.json`, for people, commands and tests."""
        environment = self._function_environment()
        told = {
            "base_url": f"http://127.0.0.1:{self._config.port}",
            "ws_url": f"ws://127.0.0.1:{self._config.ws_port}",
            **self._urls,
            "token": self.token,
            "lambda_endpoint": environment["AWS_ENDPOINT_URL_LAMBDA"],
            "aws_endpoint": self._aws_endpoint,
            "socket_endpoint": environment["SOCKET_ENDPOINT"],
            "model_bucket": environment["MODEL_BUCKET"],
            "model_path": environment["MODEL_PATH"],
            "pids": {"supervisor": os.getpid(), **self._supervisor.pids},
        }
        _write_private(self._state / "environment.json", environment)
        _write_private(self._state / "endpoints.json", told)

    @property
    def token(self) -> str:
        """An administrator's token for this stack."""
        now = datetime.now(UTC)
        claims = {"sub": "local", "role": "admin", "iat": now, "exp": now + timedelta(days=_TOKEN_DAYS)}
        return jwt.encode(claims, self._secret(), algorithm="HS256")

    def _announce(self, seconds: float) -> None:
        base, token = f"http://127.0.0.1:{self._config.port}", self.token
        (self._state / "ready").write_text(str(os.getpid()), encoding="ascii")
        say(
            f"\nready in {seconds:.1f} s\n\n"
            f"  REST       {base}\n"
            f"  WebSocket  ws://127.0.0.1:{self._config.ws_port}\n"
            f"  Kafka      {self._urls['kafka']}\n"
            f"  token      {token}\n\n"
            "try:\n"
            f"  curl {base}/health\n"
            f"  curl -H 'Authorization: Bearer {token}' '{base}/api/customers?limit=3'\n"
            f"  curl -H 'Authorization: Bearer {token}' {base}/api/dashboard/stats\n"
        )


class _Ended(BaseException):
    """Somebody asked the stack to end; not an Exception, so that nothing on the way takes it for an error."""


class _OwnServer:
    """A server that the stack starts for itself, on the same port and data after each death."""

    def __init__(self, name: str, begin: Callable[[Path, int], Server], folder: Path, port: int) -> None:
        self.name = name
        self._begin = begin
        self._folder = folder
        self._port = port
        self._server: Server | None = None

    @property
    def pid(self) -> int | None:
        """The id of its process."""
        return self._server.process.pid if self._server else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._server is not None and self._server.process.poll() is None

    def start(self) -> None:
        """Starts it. Raises StackError."""
        try:
            with progress(f"starting the {self.name}"):
                self._server = self._begin(self._folder, self._port)
        except ServerError as error:
            raise StackError(str(error)) from error

    def stop(self) -> None:
        """Ends it."""
        if self._server:
            self._server.stop()


def connect(url: str) -> Any:
    """A connection to the database that a `mysql://` URL names."""
    parts = urllib.parse.urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=urllib.parse.unquote(parts.username or "root"),
        password=urllib.parse.unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        connect_timeout=5,
        read_timeout=30,
    )


def gateway_status(lambda_endpoint: str) -> dict[str, Any]:
    """What the gateway says of itself; empty when it does not answer."""
    try:
        with urllib.request.urlopen(f"{lambda_endpoint}/status", timeout=2) as answer:  # noqa: S310  (our own)
            found: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return {}
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
