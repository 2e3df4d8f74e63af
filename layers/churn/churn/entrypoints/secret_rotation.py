"""The user that the functions log in to the database as: made at deploy, its password rotated by Secrets Manager."""

import json
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from churn.adapters import aws_clients as aws
from churn.adapters.mysql import Database
from churn.adapters.mysql.users import change_password, make_user

_PASSWORD_BYTES = 30
_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"


def make(owner: Database, secret: str) -> None:
    """Makes the user whose `username` and `password` the secret holds. Raises DatabaseUnavailable."""
    told = _read(secret, _CURRENT)
    make_user(owner, told["username"], told["password"])


def rotate(event: Mapping[str, Any], owner: Database) -> None:
    """One of the four steps in which Secrets Manager rotates a secret; each may be repeated.

    Nobody is logged in to try the new password: the proxy lets in who has the current one. Raises DatabaseUnavailable,
    and ValueError for a step that there is not.
    """
    client, secret, token = aws.client("secretsmanager"), event["SecretId"], event["ClientRequestToken"]
    versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    match event["Step"]:
        case "createSecret":
            # Its version is there, and empty, before the first try; a second finds what the first has put.
            if not _has_value(client, secret, token):
                told = _read(secret, _CURRENT) | {"password": token_urlsafe(_PASSWORD_BYTES)}
                client.put_secret_value(
                    SecretId=secret, ClientRequestToken=token, SecretString=json.dumps(told), VersionStages=[_PENDING]
                )
        case "setSecret":
            told = _read(secret, _PENDING)
            change_password(owner, told["username"], told["password"])
        case "testSecret":
            return
        case "finishSecret":
            (current,) = [version for version, stages in versions.items() if _CURRENT in stages]
            if current != token:
                client.update_secret_version_stage(
                    SecretId=secret, VersionStage=_CURRENT, MoveToVersionId=token, RemoveFromVersionId=current
                )
        case step:
            raise ValueError(f"there is no step {step!r} in a rotation")


def _read(secret: str, stage: str) -> dict[str, str]:
    told = aws.client("secretsmanager").get_secret_value(SecretId=secret, VersionStage=stage)
    found: dict[str, str] = json.loads(told["SecretString"])
    return found


def _has_value(client: Any, secret: str, version: str) -> bool:
    try:
        client.get_secret_value(SecretId=secret, VersionId=version, VersionStage=_PENDING)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True
