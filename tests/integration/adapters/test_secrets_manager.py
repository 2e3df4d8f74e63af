"""Credentials from Secrets Manager, on moto and on real servers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
import redis
from moto import mock_aws

from churn.adapters import aws_clients as aws
from churn.adapters import secrets_manager as secrets
from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from infra.local.servers.databases import start_redis

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@pytest.fixture(autouse=True)
def manager() -> Iterator["SecretsManagerClient"]:
    aws.client.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager")
    aws.client.cache_clear()


def test_a_plain_value_is_the_secret_itself() -> None:
    assert secrets.resolve("a" * 40) == "a" * 40


def test_a_secret_is_read_once_and_again_when_it_is_old(manager: "SecretsManagerClient") -> None:
    arn = manager.create_secret(Name="signing", SecretString="one")["ARN"]
    assert secrets.resolve(arn, lambda: 0.0) == "one"
    manager.put_secret_value(SecretId=arn, SecretString="two")
    assert secrets.resolve(arn, lambda: secrets.KEPT_SECONDS) == "one"
    assert secrets.resolve(arn, lambda: secrets.KEPT_SECONDS + 1) == "two"
    manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert secrets.resolve(arn, lambda: 10 * secrets.KEPT_SECONDS) == "two"


def test_a_secret_that_nobody_knows_is_named() -> None:
    with pytest.raises(secrets.SecretUnavailableError, match="no-such"):
        secrets.resolve("arn:aws:secretsmanager:eu-central-1:123456789012:secret:no-such")


def test_a_secret_of_another_form_than_asked_for_is_named(manager: "SecretsManagerClient") -> None:
    arn = manager.create_secret(Name="text", SecretString="not json")["ARN"]
    with pytest.raises(secrets.SecretUnavailableError, match="not JSON"):
        secrets.members(arn)


def test_members_are_text(manager: "SecretsManagerClient") -> None:
    content = json.dumps({"username": "churn", "port": 3306})
    arn = manager.create_secret(Name="json", SecretString=content)["ARN"]
    assert secrets.members(arn) == {"username": "churn", "port": "3306"}


def test_the_database_takes_up_a_rotated_password(
    manager: "SecretsManagerClient", mysql_url: str, database: Database
) -> None:
    def rotate(password: str) -> None:
        database.run(lambda transaction: transaction.execute(f"ALTER USER rotating@'%%' IDENTIFIED BY '{password}'"))

    database.run(lambda transaction: transaction.execute("CREATE USER rotating@'%%' IDENTIFIED BY 'first'"))
    try:
        database.run(lambda transaction: transaction.execute("GRANT SELECT ON *.* TO rotating@'%%'"))
        content = {"username": "rotating", "password": "first"}
        arn = manager.create_secret(Name="database", SecretString=json.dumps(content))["ARN"]
        parts = urlsplit(mysql_url)
        rotated = Database(f"mysql://{parts.hostname}:{parts.port}{parts.path}?secret={arn}", attempts=1)
        try:
            assert rotated.run(lambda transaction: transaction.row("SELECT 1 AS one")) == {"one": 1}
            rotated.close()
            rotate("second")
            manager.put_secret_value(SecretId=arn, SecretString=json.dumps(content | {"password": "second"}))
            assert rotated.run(lambda transaction: transaction.row("SELECT 1 AS one")) == {"one": 1}
        finally:
            rotated.close()
    finally:
        database.run(lambda transaction: transaction.execute("DROP USER rotating@'%%'"))


def test_the_cache_logs_in_with_the_secret(manager: "SecretsManagerClient", tmp_path: Path) -> None:
    server = start_redis(tmp_path)
    try:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", "p/a:s@s")
        arn = manager.create_secret(Name="cache", SecretString="p/a:s@s")["ARN"]
        cache = Cache(f"{server.url}?secret={arn}")
        assert cache.ping()
        assert not Cache(server.url).ping()
        cache.close()
    finally:
        server.stop()
