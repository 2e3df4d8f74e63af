"""The one place that creates clients of AWS services, and signs requests to them."""

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
    *,
    connect_timeout: float = 2,
    read_timeout: float = 10,
    attempts: int = 3,
) -> Any:
    """Return a boto3 client, created once per process; its calls end within seconds, well before a function's time-out.

    Time-outs are in seconds; `attempts` includes the first.
    """
    import boto3  # noqa: PLC0415 (takes a quarter of a second, which most invocations need not pay)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return boto3.client(service, config=limits)  # type: ignore[call-overload]


def client_for_requests(service: str) -> Any:
    """Return a client for what somebody waits for: a service that hangs costs 2 seconds at most, and no second try."""
    return client(service, connect_timeout=0.5, read_timeout=1.3, attempts=1)


def signed_headers(service: str, method: str, url: str, content: bytes) -> dict[str, str]:
    """Return the headers of a request, signed (Signature Version 4), for what a client takes too long to send.

    Raises BotoCoreError without credentials.
    """
    from botocore.auth import SigV4Auth  # noqa: PLC0415 (as in `client`)
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

    session = _session()
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest(method, url, data=content)
    # Credentials that end are renewed by this.
    SigV4Auth(credentials.get_frozen_credentials(), service, session.get_config_variable("region")).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


@lru_cache(maxsize=1)
def _session() -> Any:
    from botocore.session import get_session  # noqa: PLC0415 (as in `client`)

    return get_session()


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
