"""Servers of one's own: what is wrong with one ends the start with one sentence, before anything else is started."""

import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest
import redis

from churn.adapters.mysql import Database
from churn.adapters.mysql.database_url import DatabaseUrl
from churn.adapters.mysql.migrations import migrate, read_migrations
from infra.local.options import PYTHON_PATH, ROOT
from infra.local.servers import external
from infra.local.servers.databases import free_port, start_mariadb, start_redis
from infra.local.servers.supervisor import StackError

PASSWORD = "p@ss:w%rd/#?"
ENCODED = "p%40ss%3Aw%25rd%2F%23%3F"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a server whose root has no password: TEST_DATABASE_URL's, else a MariaDB of its own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield urlsplit(given).netloc.rpartition("@")[2]
        return
    started = start_mariadb(tmp_path_factory.mktemp("own"))
    try:
        yield f"127.0.0.1:{urlsplit(started.url).port}"
    finally:
        started.stop()


def as_owner(server: str, *statements: str) -> None:
    with closing(Database(f"mysql://root@{server}/churn")) as owner:
        owner.run(lambda transaction: [transaction.execute(statement.replace("%", "%%")) for statement in statements])


@pytest.fixture
def user(server: str) -> Iterator[str]:
    """Yield the URL of a user with just the documented rights, in an empty database."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (granted,) = re.findall(r"^GRANT (.+) ON churn\.\* TO churn@'%';$", text, re.MULTILINE)
    assert granted.split(", ") == list(external.RIGHTS)
    as_owner(server, "CREATE DATABASE shop")
    with closing(Database(f"mysql://root@{server}/churn")) as owner:
        owner.run(lambda transaction: transaction.execute("CREATE USER shop@'%%' IDENTIFIED BY %s", (PASSWORD,)))
    as_owner(server, f"GRANT {granted} ON shop.* TO shop@'%'")
    yield f"mysql://shop:{ENCODED}@{server}/shop"
    as_owner(server, "DROP USER shop@'%'", "DROP DATABASE shop")


def refusal(database: str = "", cache: str = "", kafka: str = "") -> str:
    """Return the sentence with which servers are refused, soon."""
    begun = time.monotonic()
    with pytest.raises(StackError) as refused:
        external.check(database, cache, kafka)
    # Three seconds of waiting, and what a busy machine takes besides.
    assert time.monotonic() - begun < 10
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert "{" not in sentence
    assert PASSWORD not in sentence
    return sentence


def test_the_documented_rights_are_enough_to_bring_the_schema_up_to_date(user: str) -> None:
    external.check(user, "", "")
    with closing(Database(user)) as database:
        migrations = read_migrations(ROOT / "infra" / "migrations")
        assert migrate(database, migrations) == [migration.name for migration in migrations]
    external.check(user, "", "")


@pytest.mark.parametrize("right", external.RIGHTS)
def test_a_missing_right_is_named(user: str, server: str, right: str) -> None:
    as_owner(server, f"REVOKE {right} ON shop.* FROM shop@'%'")
    assert refusal(user).startswith(f"DATABASE_URL: the user 'shop' may not {right} in the database 'shop'")


def test_a_wrong_password_and_a_missing_database_are_told_apart(user: str, server: str) -> None:
    assert f"the server at {server} refuses the user 'shop', their password" in refusal(user.replace("p%40", "x"))
    assert "has no right in a database 'other' at" in refusal(user.removesuffix("shop") + "other")
    assert f"there is no database 'other' at {server}: create it" in refusal(f"mysql://root@{server}/other")


def test_a_server_that_is_not_there_is_named_with_its_variable() -> None:
    place = f"127.0.0.1:{free_port()}"
    assert refusal(f"mysql://root@{place}/churn") == f"DATABASE_URL: no database server answers at {place}"
    assert refusal("", f"redis://{place}/0") == f"REDIS_URL: no Redis answers at {place}"
    assert refusal("", "", place) == f"KAFKA_BOOTSTRAP_SERVERS: no broker answers at {place}"


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        assert "no database server answers" in refusal(f"mysql://root@{place}/churn")
        assert "no Redis answers" in refusal("", f"redis://{place}/0")
        assert "no broker answers" in refusal("", "", f"{place},{place}")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[redis.Redis]:
    """Yield a client of a Redis whose default user has a password."""
    started = start_redis(tmp_path)
    try:
        with redis.Redis.from_url(started.url) as client:
            client.config_set("requirepass", "right")
            yield client
    finally:
        started.stop()


def test_what_a_redis_refuses_is_told_in_its_words(cache: redis.Redis) -> None:
    port = cache.connection_pool.connection_kwargs["port"]
    place = f"127.0.0.1:{port}"
    external.check("", f"redis://:right@{place}/0", "")
    for url in (f"redis://{place}/0", f"redis://:wrong@{place}/0", f"redis://nobody:right@{place}/0"):
        assert refusal("", url) == f"REDIS_URL: the server at {place} refuses the password, or wants one"
    refuses = f"REDIS_URL: the server at {place} refuses what the service needs: "
    assert refusal("", f"redis://:right@{place}/99").startswith(refuses + "DB index is out of range")
    cache.auth("right")
    cache.acl_setuser("reader", enabled=True, passwords=["+right"], commands=["+get", "+ping"], keys=["*"])
    assert "no permissions to run the 'set' command" in refusal("", f"redis://reader:right@{place}/0")
    cache.config_set("min-replicas-to-write", "1")
    assert refusal("", f"redis://:right@{place}/0").startswith(refuses)
    cache.config_set("min-replicas-to-write", "0")
    external.check("", f"redis://:right@{place}/0", "")
    assert refusal("", "http://host/0").startswith("REDIS_URL must look like")


@pytest.mark.parametrize(
    "url", ["shop", "postgres://a:b@c/d", f"mysql://u:{PASSWORD}@host:3306/churn", "mysql://u:p@ss/w:rd@host/churn"]
)
def test_a_url_that_is_none_is_refused_without_being_quoted(url: str) -> None:
    assert refusal(url).startswith("DATABASE_URL must look like mysql://")
    assert refusal("", url.replace("mysql", "redis")).startswith("REDIS_URL must look like redis://")
    assert refusal("", "", "localhost").startswith("KAFKA_BOOTSTRAP_SERVERS must look like")


def test_redis_has_numbers_as_databases() -> None:
    assert refusal("", "redis://localhost/abc").startswith("REDIS_URL must look like redis://")


@contextmanager
def saying(*pieces: bytes, every: float = 0.0) -> Iterator[str]:
    """Yield the place of a server that says so to whoever connects, piece by piece."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    for piece in pieces:
                        connection.sendall(piece)
                        ended.wait(every)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


def test_a_server_of_another_kind_is_told_from_the_one_that_is_meant(server: str, redis_url: str) -> None:
    assert refusal("", "", server) == f"KAFKA_BOOTSTRAP_SERVERS: no broker answers at {server}"
    place = urlsplit(redis_url).netloc
    assert refusal("", "", place) == f"KAFKA_BOOTSTRAP_SERVERS: no broker answers at {place}"
    for words in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b"x"):
        with saying(words) as place:
            assert "no broker answers" in refusal("", "", place)
            assert refusal(f"mysql://root@{place}/churn").startswith("DATABASE_URL: ")
            assert refusal("", f"redis://{place}/0").startswith("REDIS_URL: ")


def test_a_server_that_answers_drop_by_drop_is_not_waited_for() -> None:
    with saying(*[b"1"] * 100, every=0.2) as place:
        for servers in ((f"mysql://root@{place}/churn",), ("", f"redis://{place}/0"), ("", "", place)):
            assert refusal(*servers)


def test_a_server_without_a_free_connection_is_told_in_its_words(server: str, user: str) -> None:
    as_owner(server, "SET GLOBAL max_connections = 10")
    address = DatabaseUrl.parse(user)
    held = [
        pymysql.connect(host=address.host, port=address.port, user=address.user, password=address.password)
        for _ in range(10)
    ]
    try:
        assert "takes no connection now: Too many connections" in refusal(user)
    finally:
        for connection in held:
            connection.close()
        as_owner(server, "SET GLOBAL max_connections = 200")


def refused_command(command: str, state: Path, **variables: str) -> str:
    """Return the one sentence with which a command ends."""
    ports = {"PORT": "0", "WS_PORT": "0"}
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH, "CHURN_STATE_DIR": str(state), **ports, **variables}
    begun = cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # What it waits for is bounded by `refusal`; this is what it takes besides, however busy the machine is.
    assert cpu_seconds() - begun < 5
    assert done.returncode == 1
    (sentence,) = (done.stdout + done.stderr).splitlines()
    return sentence


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("command", ["up", "run"])
def test_the_command_ends_with_one_sentence(user: str, tmp_path: Path, command: str) -> None:
    sentence = refused_command(command, tmp_path, DATABASE_URL=user.replace("p%40", "x"))
    assert sentence.startswith("error: DATABASE_URL: the server at")


@pytest.mark.parametrize("command", ["up", "status"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("POWERTOOLS_LOG_LEVEL", "bad"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense"),
        ("HIGH_RISK", "7"),
    ],
)
def test_an_impossible_setting_ends_each_command(tmp_path: Path, command: str, name: str, value: str) -> None:
    assert refused_command(command, tmp_path, **{name: value}).startswith(f"error: {name} must ")


@pytest.mark.parametrize("command", ["up", "run"])
def test_the_command_ends_where_a_server_hangs(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        for variables in (
            {"DATABASE_URL": f"mysql://root@{place}/churn"},
            {"REDIS_URL": f"redis://{place}/0"},
            {"KAFKA_BOOTSTRAP_SERVERS": place},
        ):
            assert refused_command(command, tmp_path, **variables).endswith(f"answers at {place}")
