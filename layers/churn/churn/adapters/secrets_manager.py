"""Secrets Manager: a setting may hold the ARN of a secret in place of the secret itself.

A secret is read when it is first needed and kept for a quarter of an hour, so that a rotated one takes effect without a
new deployment. While Secrets Manager does not answer, the kept value stays in use.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from churn.adapters import aws_clients
from churn.domain.errors import UnavailableError

KEPT_SECONDS = 900.0
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:")


class SecretUnavailableError(UnavailableError):
    """Secrets Manager does not answer, or refuses, and no value has been kept."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str
    read_at: float


_kept: dict[str, _Kept] = {}


def resolve(value: str, clock: Callable[[], float] = time.monotonic) -> str:
    """Return the secret that `value` is the ARN of, else `value` itself. Raises SecretUnavailableError."""
    if not _ARN.match(value):
        return value
    kept, now = _kept.get(value), clock()
    if kept is None or now - kept.read_at > KEPT_SECONDS:
        try:
            kept = _kept[value] = _Kept(_read(value), now)
        except SecretUnavailableError:
            if kept is None:
                raise
    return kept.value


def members(arn: str) -> dict[str, str]:
    """Return the members of a secret that is a JSON object, such as `username`. Raises SecretUnavailableError."""
    try:
        content = json.loads(resolve(arn))
    except ValueError:
        raise SecretUnavailableError(f"the secret {arn} is not JSON") from None
    return {str(name): str(value) for name, value in dict(content).items()}


def forget(arn: str) -> None:
    """Have the next use read the secret again, since the value in use was refused."""
    _kept.pop(arn, None)


class Rotation:
    """The versions of a secret that Secrets Manager rotates; every method raises SecretUnavailableError."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def current_version(self) -> str:
        """Return the id of the version that is in use."""
        with _errors_of(self._arn):
            stages = self._client().describe_secret(SecretId=self._arn)["VersionIdsToStages"]
        (current,) = [version for version, names in stages.items() if CURRENT in names]
        return str(current)

    def value(self, stage: str) -> dict[str, str]:
        """Return the members of the version at a stage."""
        with _errors_of(self._arn):
            text = self._client().get_secret_value(SecretId=self._arn, VersionStage=stage)["SecretString"]
        members: dict[str, str] = json.loads(text)
        return members

    def has_pending(self, version: str) -> bool:
        """Return whether the pending version has a value yet."""
        client = self._client()
        with _errors_of(self._arn):
            try:
                client.get_secret_value(SecretId=self._arn, VersionId=version, VersionStage=PENDING)
            except client.exceptions.ResourceNotFoundException:
                return False
        return True

    def put_pending(self, version: str, members: Mapping[str, str]) -> None:
        """Store the value of the pending version."""
        with _errors_of(self._arn, "changed"):
            self._client().put_secret_value(
                SecretId=self._arn,
                ClientRequestToken=version,
                SecretString=json.dumps(members),
                VersionStages=[PENDING],
            )

    def make_current(self, version: str) -> None:
        """Put a version into use in place of the current one."""
        current = self.current_version()
        if current != version:
            with _errors_of(self._arn, "changed"):
                self._client().update_secret_version_stage(
                    SecretId=self._arn, VersionStage=CURRENT, MoveToVersionId=version, RemoveFromVersionId=current
                )

    @staticmethod
    def _client() -> Any:
        return aws_clients.client("secretsmanager")


def _read(arn: str) -> str:
    with _errors_of(arn):
        client = aws_clients.client("secretsmanager", connect_timeout=1, read_timeout=3, attempts=2)
        return str(client.get_secret_value(SecretId=arn, VersionStage=CURRENT)["SecretString"])


@contextmanager
def _errors_of(arn: str, action: str = "read") -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SecretUnavailableError(f"the secret {arn} cannot be {action}: {error}") from error
