"""What the gateway is told, and what other programs of the stack share with it without its servers.

The stack and its AWS APIs import this module alone: the gateway's clients of Kafka and its web servers take a second.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from infra.local.servers.supervisor import StackError
from infra.local.side_doors import aws_credentials, with_key


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Where the gateway listens, and what stands around it. Port 0 means any free one."""

    template: str
    port: int = 0
    ws_port: int = 0
    lambda_port: int = 0
    region: str = "eu-central-1"
    aws_endpoint: str = ""
    kafka: str = ""
    concurrency: int = 2
    prewarm: bool = True
    traces: str = ""
    """Where the functions' spans are written: `console`, or the path of a file; empty for nowhere."""
    door_key: str = ""
    """What clients of the doors for programs must know; without it these doors are closed."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the configuration that `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write it for the process; only the owner may read it, for it holds secrets."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


class PortTakenError(StackError):
    """A port is used by another program; the text names the port and the variable to change."""

    def __init__(self, port: int, variable: str) -> None:
        super().__init__(f"port {port} is taken by another program: end that one, or set {variable} to a free port")


def door_variables(config: GatewayConfig, lambda_url: str) -> dict[str, str]:
    """Return the variables by which functions and commands come through the doors for programs.

    They lead to the AWS APIs and to the gateway's Lambda API, which also tells how far events are.
    """
    return {
        **aws_credentials(config.door_key),
        "AWS_ENDPOINT_URL": config.aws_endpoint,
        "AWS_ENDPOINT_URL_LAMBDA": lambda_url,
        "EVENT_SOURCE_URL": with_key(f"{lambda_url}/status", config.door_key),
    }


def log(source: str, line: str) -> None:
    """Write one line of a function's log or of the gateway's own."""
    # AWS's runtime client writes a traceback as one line, with carriage returns between its rows.
    for row in line.split("\r"):
        print(f"{source:<13}| {row}", flush=True)


def aws_client(service: Any, config: GatewayConfig) -> Any:
    """Return a boto3 client of the local AWS APIs."""
    import boto3  # noqa: PLC0415 (takes long, and is not needed where no client is made)
    from botocore.config import Config as BotoConfig  # noqa: PLC0415

    return boto3.client(
        service,
        endpoint_url=config.aws_endpoint,
        region_name=config.region,
        aws_access_key_id=config.door_key,
        aws_secret_access_key="local",  # noqa: S106
        config=BotoConfig(connect_timeout=2, read_timeout=10, retries={"max_attempts": 3}),
    )
