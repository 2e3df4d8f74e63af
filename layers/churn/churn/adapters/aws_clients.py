"""The one place that creates clients of AWS services."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from churn.domain.errors import UnavailableError
from churn.observability import trace_headers


class InvocationError(UnavailableError):
    """A function could not be invoked."""


@lru_cache(maxsize=16)
def client(
    service: str,
    endpoint_url: str | None = None,
    *,
    connect_timeout: float = 2,
    read_timeout: float = 10,
    attempts: int = 3,
    connections: int = 10,
) -> Any:
    """Return a boto3 client, created once per process; its calls end within seconds, well before a function's time-out.

    `endpoint_url` is for services whose address is the application's own, such as `apigatewaymanagementapi`.
    Time-outs are in seconds; `attempts` includes the first; `connections` is how many threads may use it at once.
    """
    import boto3  # noqa: PLC0415 (takes a quarter of a second, which most invocations need not pay)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
    )
    return boto3.client(service, endpoint_url=endpoint_url, config=limits)  # type: ignore[call-overload]


def invoke_later(function: str) -> Callable[[Mapping[str, Any]], None]:
    """Return a callable that invokes a function, by name or ARN, with a payload and does not wait.

    It needs `lambda:InvokeFunction`, and raises InvocationError.
    """

    def invoke(payload: Mapping[str, Any]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

        try:
            lambdas = client("lambda", connect_timeout=1, read_timeout=2)
            content = json.dumps({**payload, **trace_headers()}).encode()
            lambdas.invoke(FunctionName=function, InvocationType="Event", Payload=content)
        except (BotoCoreError, ClientError) as error:
            raise InvocationError(f"{function}: {error}") from error

    return invoke
