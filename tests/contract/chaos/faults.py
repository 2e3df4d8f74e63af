"""Faults of what the service depends on: each begins, is held for a while, and ends."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pymysql
import pytest
import redis
from kafka import KafkaConsumer

from tests.contract.chaos.fault import NOTHING, Fault
from tests.contract.chaos.load import Load
from tests.contract.chaos.processes import kill, repeated, stopped
from tests.contract.chaos.shop import Shop

_NEEDS_DATABASE = frozenset({"customers", "stats", "alerts", "events"})


# -- MySQL


@contextmanager
def _mysql_killed(shop: Shop, _: Load) -> Iterator[None]:
    shop.mysql.kill()
    try:
        yield
    finally:
        shop.mysql.start()


def _mysql_stopped(shop: Shop, _: Load) -> AbstractContextManager[None]:
    return stopped(lambda: [shop.mysql.server.process.pid])


@contextmanager
def _mysql_flapping(shop: Shop, _: Load) -> Iterator[None]:
    state = {"refuses": False}

    def flip() -> None:
        state["refuses"] = not state["refuses"]
        shop.proxy.refuse(refuses=state["refuses"])
        shop.proxy.cut()

    try:
        with repeated(flip, 0.7):
            yield
    finally:
        shop.proxy.refuse(refuses=False)


@contextmanager
def _mysql_read_only(shop: Shop, _: Load) -> Iterator[None]:
    shop.mysql.execute("SET GLOBAL read_only = ON")
    try:
        yield
    finally:
        shop.mysql.execute("SET GLOBAL read_only = OFF")


@contextmanager
def _disk_full(shop: Shop, _: Load) -> Iterator[None]:
    if shop.disk is None:
        pytest.skip("no small file system can be mounted here, which would be filled")
    filler = shop.disk / "filler"
    with filler.open("wb") as file, suppress(OSError):
        while file.write(b"0" * 65536):
            file.flush()
    try:
        yield
    finally:
        filler.unlink()


def _connections_cut(shop: Shop, _: Load) -> AbstractContextManager[None]:
    return repeated(shop.proxy.cut, 0.3)


@contextmanager
def _mysql_slow(shop: Shop, _: Load) -> Iterator[None]:
    shop.proxy.delay(0.05)
    try:
        yield
    finally:
        shop.proxy.delay(0)


@contextmanager
def _deadlocks(shop: Shop, load: Load) -> Iterator[None]:
    """Lock the customers who get events, one by one, in the opposite order."""
    with pymysql.connect(host="127.0.0.1", port=shop.mysql.port, user="root", database="churn") as connection:

        def lock() -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT id FROM customers WHERE customer_id LIKE %s ORDER BY id DESC", (f"{load.name}%",)
                )
                for (key,) in cursor.fetchall():
                    cursor.execute("SELECT id FROM customers WHERE id = %s FOR UPDATE", (key,))
            connection.rollback()

        with repeated(lock, 0.05):
            yield


# -- Redis


def _redis(shop: Shop) -> redis.Redis:
    return redis.Redis.from_url(shop.stack.redis_url, socket_timeout=2)


@contextmanager
def _redis_killed(shop: Shop, _: Load) -> Iterator[None]:
    kill([shop.stack.pids()["cache"]])
    yield


def _redis_stopped(shop: Shop, _: Load) -> AbstractContextManager[None]:
    return stopped(lambda: [shop.stack.pids()["cache"]])


@contextmanager
def _redis_full(shop: Shop, _: Load) -> Iterator[None]:
    with _redis(shop) as server:
        before = server.config_get("maxmemory*")
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", "1")
        try:
            yield
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                server.config_set(name, before[name])


@contextmanager
def _redis_poisoned(shop: Shop, _: Load) -> Iterator[None]:
    with _redis(shop) as server:

        def poison() -> None:
            for number, key in enumerate(server.scan_iter()):
                if number % 2:
                    server.set(key, b"\xff{not json", px=60_000)
                else:
                    server.delete(key)
                    server.rpush(key, "a list")

        with repeated(poison, 0.2):
            yield


# -- Kafka


@contextmanager
def _stranger_joins(shop: Shop, _: Load) -> Iterator[None]:
    """Let another consumer join the group, read, commit nothing and leave: partitions move to it and back."""
    consumer = KafkaConsumer(
        "user-events", bootstrap_servers=shop.stack.kafka, group_id="churn-scoring", enable_auto_commit=False
    )
    try:
        with repeated(lambda: consumer.poll(100), 0.1):
            yield
    finally:
        consumer.close()


@contextmanager
def _broker_killed(shop: Shop, load: Load) -> Iterator[None]:
    """Kill the broker, which has its records in memory: what it had taken is published again, as from an outbox."""
    load.publishes_again = True
    kill([shop.stack.pids()["broker"]])
    yield


def _broker_stopped(shop: Shop, _: Load) -> AbstractContextManager[None]:
    return stopped(lambda: [shop.stack.pids()["broker"]])


# -- The registry


def _registry_away(shop: Shop, _: Load) -> AbstractContextManager[None]:
    return stopped(lambda: [shop.stack.pids()["aws"]])


OF_DEPENDENCIES = (
    Fault("MySQL killed", _mysql_killed, _NEEDS_DATABASE, "reads"),
    Fault("MySQL stopped", _mysql_stopped, _NEEDS_DATABASE, "reads", 60),
    Fault("MySQL flapping", _mysql_flapping, _NEEDS_DATABASE, None, 6),
    Fault("MySQL read-only", _mysql_read_only, NOTHING, "writes", 12),
    # MariaDB looks again for space once a minute.
    Fault("MySQL's disk full", _disk_full, _NEEDS_DATABASE, None, 12, recovers=75),
    Fault("connections to MySQL cut", _connections_cut, _NEEDS_DATABASE),
    Fault("MySQL slow", _mysql_slow, _NEEDS_DATABASE),
    Fault("deadlocks", _deadlocks),
    Fault("Redis killed", _redis_killed),
    Fault("Redis stopped", _redis_stopped, NOTHING, "cache"),
    Fault("Redis full", _redis_full),
    Fault("Redis poisoned", _redis_poisoned),
    Fault("broker killed", _broker_killed),
    Fault("broker stopped", _broker_stopped),
    Fault("partitions re-assigned", _stranger_joins),
    Fault("registry away", _registry_away, frozenset({"events"}), "model"),
)
