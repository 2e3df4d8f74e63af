"""What the local stack serves of a template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
FunctionName = Callable[[Any, str], str]
"""Returns the name of a function by its ARN; the second argument is the place in the template, for the error."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function: where its code is and within which limits it runs."""

    name: str
    label: str
    handler: str
    folder: Path
    layers: tuple[Path, ...]
    memory_mb: int
    timeout: float
    environment: Mapping[str, str]
    reserved_concurrency: int | None

    def arn(self, region: str) -> str:
        """Return the function's ARN in the local account."""
        return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True, slots=True)
class AuthorizerSpec:
    """A Lambda authorizer of type REQUEST; an answer is kept `ttl` seconds for the same identity."""

    function: str
    headers: tuple[str, ...] = ()
    query_strings: tuple[str, ...] = ()
    ttl: float = 300.0


@dataclass(frozen=True, slots=True)
class RestRoute:
    """One method of one REST path, with `{name}` parameters; `authorizer` is None where anyone may call."""

    method: str
    path: str
    function: str
    authorizer: str | None


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """What API Gateway itself answers with; `template` may name `$context` variables."""

    status: int | None
    headers: Mapping[str, str]
    template: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class RestApiSpec:
    """A REST API with Lambda proxy integrations."""

    api_id: str
    stage: str
    routes: tuple[RestRoute, ...]
    authorizers: Mapping[str, AuthorizerSpec]
    responses: Mapping[str, GatewayResponse]
    binary_types: tuple[str, ...]
    compression_from: int | None = None
    """The bytes from which an answer is compressed for a client that accepts it; None for no compression."""


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """The function behind one route key; `answers` when what it returns goes back over the socket."""

    function: str
    answers: bool
    timeout: float


@dataclass(frozen=True, slots=True)
class WebSocketApiSpec:
    """A WebSocket API; `selection` is the member of the message's body that names the route."""

    api_id: str
    stage: str
    selection: tuple[str, ...]
    routes: Mapping[str, WebSocketRoute]
    authorizer: AuthorizerSpec | None


@dataclass(frozen=True, slots=True)
class KafkaSourceSpec:
    """An MSK event source of a function, with AWS's defaults. Negative limits mean without end."""

    function: str
    arn: str
    topic: str
    group: str
    batch_size: int = 100
    window: float = 0.0
    from_start: bool = True
    partial_answers: bool = False
    retries: int = -1
    record_age: float = -1.0
    bisect: bool = False
    on_failure: str | None = None
    pollers: int = 1


@dataclass(frozen=True, slots=True)
class QueueSourceSpec:
    """An SQS event source of a function; `queue` is the queue's name."""

    function: str
    arn: str
    queue: str
    batch_size: int = 10
    partial_answers: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A `rate(…)` or `cron(…)` rule that invokes a function; `payload` replaces EventBridge's event when given."""

    name: str
    function: str
    expression: str
    payload: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """All that the local stack serves of one template."""

    functions: Mapping[str, FunctionSpec] = field(default_factory=dict)
    rest: RestApiSpec | None = None
    websocket: WebSocketApiSpec | None = None
    kafka: tuple[KafkaSourceSpec, ...] = ()
    queue_sources: tuple[QueueSourceSpec, ...] = ()
    schedules: tuple[ScheduleSpec, ...] = ()
    buckets: Mapping[str, bool] = field(default_factory=dict)
    queues: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    def function(self, name: str) -> FunctionSpec:
        """Return the function of that name, label or ARN. Raises KeyError when there is none."""
        last = name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]
        for spec in self.functions.values():
            if last in (spec.name, spec.label):
                return spec
        raise KeyError(name)
