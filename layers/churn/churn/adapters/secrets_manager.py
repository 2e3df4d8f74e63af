"""Secrets: a setting may hold the ARN of a secret in Secrets Manager in place of the secret itself.

A secret is read when it is first needed, and kept for a quarter of an hour, so that a rotated one is taken up without a
new deployment. While Secrets Manager does not answer, what is known stays in use.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from churn.adapters import aws_clients as aws

KEPT_SECONDS = 900.0
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:")


class SecretUnavailable(OSError):
    """Secrets Manager does not answer, or refuses, and nothing is known from before."""


@dataclass(frozen=True, slots=True)
class _Known:
    value: str
    read_at: float


_known: dict[str, _Known] = {}


def resolve(value: str, clock: Callable[[], float] = time.monotonic) -> str:
    """The secret that `value` is the ARN of, else `value` itself. Raises SecretUnavailable."""
    if not _ARN.match(value):
        return value
    known, now = _known.get(value), clock()
    if known is None or now - known.read_at > KEPT_SECONDS:
        try:
            known = _known[value] = _Known(_read(value), now)
        except SecretUnavailable:
            if known is None:
                raise
    return known.value


def members(arn: str) -> dict[str, str]:
    """The members of a secret that is a JSON object, such as `username` and `password`. Raises SecretUnavailable."""
    try:
        content = json.loads(resolve(arn))
    except ValueError:
        raise SecretUnavailable(f"the secret {arn} is not JSON") from None
    return {str(name): str(value) for name, value in dict(content).items()}


def forget(arn: str) -> None:
    """The next use reads the secret anew: it was rotated, as whoever it is for refuses what is known."""
    _known.pop(arn, None)


def _read(arn: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

    try:
        client = aws.client("secretsmanager", connect_timeout=1, read_timeout=3, attempts=2)
        return str(client.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"])
    except (BotoCoreError, ClientError) as error:
        raise SecretUnavailable(f"the secret {arn} cannot be read: {error}") from error
