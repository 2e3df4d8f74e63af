"""The functions' user of the database: what it may do, and how its password is rotated, on moto and a real server."""

import json
import uuid
from collections.abc import Iterator
from operator import methodcaller
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
from moto import mock_aws

from churn.adapters import aws_clients as aws
from churn.adapters import secrets_manager as secrets
from churn.adapters.mysql import Database, DatabaseOperationError
from churn.entrypoints import secret_rotation

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@pytest.fixture
def manager() -> Iterator["SecretsManagerClient"]:
    aws.client.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager")
    aws.client.cache_clear()


@pytest.fixture
def secret(manager: "SecretsManagerClient", database: Database) -> Iterator[str]:
    user = f"churn_{uuid.uuid4().hex[:8]}"
    content = json.dumps({"username": user, "password": "first"})
    yield manager.create_secret(Name="user", SecretString=content)["ARN"]
    database.run(lambda transaction: transaction.execute("DROP USER IF EXISTS %s@'%%'", (user,)))


def as_user(mysql_url: str, secret: str) -> Database:
    parts = urlsplit(mysql_url)
    return Database(f"mysql://{parts.hostname}:{parts.port}{parts.path}?secret={secret}", attempts=1)


def rotate(secret: str, owner: Database, token: str) -> None:
    """Return what Secrets Manager does, each step twice: it repeats one whose answer it has not got."""
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        for _ in range(2):
            secret_rotation.rotate({"Step": step, "SecretId": secret, "ClientRequestToken": token}, owner)


@pytest.mark.usefixtures("manager")
def test_the_user_changes_rows_and_no_tables(mysql_url: str, database: Database, secret: str) -> None:
    for _ in range(2):
        secret_rotation.make(database, secret)
    user = as_user(mysql_url, secret)
    try:
        row = ("2026-11-24 10:00:00", 1, 2, 3)
        columns = "(hour, active_customers, new_customers, churned_customers)"
        user.run(lambda t: t.execute(f"INSERT INTO hourly_stats {columns} VALUES (%s, %s, %s, %s)", row))
        user.run(lambda t: t.execute("UPDATE hourly_stats SET new_customers = 4"))
        assert user.run(lambda t: t.row("SELECT new_customers FROM hourly_stats")) == {"new_customers": 4}
        user.run(lambda t: t.execute("DELETE FROM hourly_stats"))
        for statement in (
            "DROP TABLE hourly_stats",
            "TRUNCATE hourly_stats",
            "ALTER TABLE hourly_stats ADD COLUMN more INT",
            "CREATE TABLE more (id INT)",
            "SELECT * FROM mysql.user",
            "CREATE USER other",
        ):
            with pytest.raises(DatabaseOperationError, match="denied"):
                user.run(methodcaller("execute", statement))
    finally:
        user.close()


def test_a_rotated_password_is_taken_up(
    mysql_url: str, database: Database, secret: str, manager: "SecretsManagerClient"
) -> None:
    secret_rotation.make(database, secret)
    user = as_user(mysql_url, secret)
    try:
        assert user.run(lambda t: t.row("SELECT 1 AS one")) == {"one": 1}
        user.close()
        for token in (str(uuid.uuid4()), str(uuid.uuid4())):
            before = json.loads(manager.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["SecretString"])
            rotate(secret, database, token)
            told = manager.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
            assert told["VersionId"] == token
            after = json.loads(told["SecretString"])
            assert after["username"] == before["username"]
            assert after["password"] != before["password"]
        # Twice rotated: no server lets in who has the first.
        assert secrets.members(secret)["password"] == "first"
        assert user.run(lambda t: t.row("SELECT 1 AS one")) == {"one": 1}
        assert secrets.members(secret)["password"] == after["password"]
    finally:
        user.close()


def test_a_step_that_there_is_not_is_refused(database: Database, secret: str) -> None:
    with pytest.raises(ValueError, match="eatSecret"):
        secret_rotation.rotate({"Step": "eatSecret", "SecretId": secret, "ClientRequestToken": "x" * 32}, database)
