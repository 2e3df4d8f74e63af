"""The user that the functions log in to the database as: made at deploy, its password rotated by Secrets Manager."""

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from churn.adapters.mysql import Database
from churn.adapters.mysql.app_user import change_password, make_user
from churn.adapters.secrets_manager import CURRENT, PENDING, Rotation

_PASSWORD_BYTES = 30


def make(owner: Database, secret: str) -> None:
    """Create the user whose `username` and `password` the secret holds.

    Raises DatabaseUnavailableError, SecretUnavailableError.
    """
    credentials = Rotation(secret).value(CURRENT)
    make_user(owner, credentials["username"], credentials["password"])


def rotate(event: Mapping[str, Any], owner: Database) -> None:
    """Do one of the four steps in which Secrets Manager rotates a secret; each may be repeated.

    The new password is not tried by a login, because the proxy accepts only the current one. Raises
    DatabaseUnavailableError, SecretUnavailableError, and ValueError for an unknown step.
    """
    rotation, token = Rotation(event["SecretId"]), event["ClientRequestToken"]
    match event["Step"]:
        case "createSecret":
            # Its version is there, and empty, before the first try; a second finds what the first has put.
            if not rotation.has_pending(token):
                rotation.put_pending(token, rotation.value(CURRENT) | {"password": token_urlsafe(_PASSWORD_BYTES)})
        case "setSecret":
            credentials = rotation.value(PENDING)
            change_password(owner, credentials["username"], credentials["password"])
        case "testSecret":
            return
        case "finishSecret":
            rotation.make_current(token)
        case step:
            raise ValueError(f"there is no step {step!r} in a rotation")
