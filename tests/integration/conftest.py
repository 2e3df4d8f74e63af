"""The AWS services that tests in this process share, as moto has them, and a database to be upgraded."""

from collections.abc import Iterator
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.s3_model_registry import S3ModelRegistry
from tests.support.registry import BUCKET, bucket


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a client of S3, with an empty bucket for the registry of models."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with bucket() as s3:
        yield s3


@pytest.fixture
def registry(s3: Any) -> S3ModelRegistry:
    """Return an empty registry of models."""
    return S3ModelRegistry(BUCKET, s3)


@pytest.fixture
def empty(mysql_url: str, database: Database) -> Iterator[Database]:
    """Yield a database without any table, beside the one of the session."""
    database.run(lambda transaction: transaction.execute("CREATE DATABASE upgraded CHARACTER SET utf8mb4"))
    scratch = Database(mysql_url.rpartition("/")[0] + "/upgraded")
    yield scratch
    scratch.close()
    database.run(lambda transaction: transaction.execute("DROP DATABASE upgraded"))


@pytest.fixture
def small_packets(mysql_url: str, database: Database) -> Iterator[Database]:
    """Yield a database whose server takes 64 KB at once from connections that begin now."""
    before = database.run(lambda transaction: transaction.row("SELECT @@GLOBAL.max_allowed_packet AS bytes"))
    assert before is not None
    _set_max_packet(database, 64 * 1024)
    narrow = Database(mysql_url)
    try:
        yield narrow
    finally:
        narrow.close()
        _set_max_packet(database, before["bytes"])


def _set_max_packet(database: Database, size: int) -> None:
    database.run(lambda transaction: transaction.execute("SET GLOBAL max_allowed_packet = %s", (size,)))
