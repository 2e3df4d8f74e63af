"""Fixtures that need real servers: each is started once a session, on free ports, in a folder that is thrown away."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import migrate, read_migrations
from infra.local.servers import kafka_broker
from infra.local.servers.child_process import start_child, stop_child
from infra.local.servers.databases import free_port, start_mariadb, start_redis
from tests.support import eventually

MIGRATIONS = Path(__file__).parents[1] / "infra" / "migrations"

# A shell starts what it puts into the background with Ctrl-C ignored, and all processes of tests would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Nothing of the machine's AWS account is ever used by a test.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="eu-central-1",
    AWS_REGION="eu-central-1",
)

# How long an example takes says more about the machine than about the code. CI draws the same examples each time.
hypothesis.settings.register_profile("untimed", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def mysql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a migrated database: TEST_DATABASE_URL's if that is set, else a MariaDB of the session's."""
    external_url = os.environ.get("TEST_DATABASE_URL")
    if external_url:
        _migrate(external_url)
        yield external_url
        return
    server = start_mariadb(tmp_path_factory.mktemp("mariadb"))
    try:
        _migrate(server.url)
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Redis of the session's."""
    server = start_redis(tmp_path_factory.mktemp("redis"))
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a broker of the session's."""
    port, folder = free_port(), tmp_path_factory.mktemp("broker")
    broker = start_child(kafka_broker.command(port), os.environ | {"TMPDIR": str(folder)}, folder / "broker.log")
    try:
        eventually(lambda: kafka_broker.answers(port))
        yield f"127.0.0.1:{port}"
    finally:
        stop_child(broker)


@pytest.fixture
def database(mysql_url: str) -> Iterator[Database]:
    """Yield a database whose tables are empty."""
    database = Database(mysql_url)
    tables = database.run(
        lambda transaction: transaction.rows(
            "SELECT table_name AS name FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name NOT IN ('schema_migrations', 'counters')"
        )
    )
    database.run(lambda transaction: [transaction.execute(f"DELETE FROM `{row['name']}`") for row in tables])
    database.run(lambda transaction: transaction.execute("UPDATE counters SET value = 0"))
    database.run(lambda transaction: transaction.execute("DELETE FROM counters WHERE name LIKE 'hours_changed_%%'"))
    try:
        yield database
    finally:
        database.close()


def _migrate(url: str) -> None:
    database = Database(url)
    try:
        migrate(database, read_migrations(MIGRATIONS))
    finally:
        database.close()
