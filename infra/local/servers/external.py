"""Servers of one's own, named in DATABASE_URL, REDIS_URL and KAFKA_BOOTSTRAP_SERVERS: checked before anything starts.

What is wrong is said in one sentence, within seconds, which names the variable.
"""

import socket
import struct
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import redis
from pymysql.constants import ER
from redis.backoff import NoBackoff
from redis.retry import Retry

from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError
from infra.local.servers.supervisor import StackError

# To connect, and then for each answer: with the start of two processes the whole takes less than five.
_SECONDS = 1.5
# ApiVersions, which a broker answers before it knows who asks: the length, the API 18 in version 0, a number, no name.
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
_PROBED = "probed_by_churn"
RIGHTS = {
    "SELECT": "SELECT 1 FROM probed_by_churn",
    "INSERT": "INSERT INTO probed_by_churn VALUES ()",
    "UPDATE": "UPDATE probed_by_churn SET probed = 1",
    "DELETE": "DELETE FROM probed_by_churn",
    "CREATE": "CREATE TABLE probed_by_churn (twice INT, twice INT)",
    "ALTER": "ALTER TABLE probed_by_churn COMMENT 'probed'",
}
"""The rights that the database's user needs, each with a statement that fails: its table does not exist, or cannot.

A server looks at the right first, so that the error tells whether the user has it.
"""
_BEYOND_THE_RIGHT = {ER.NO_SUCH_TABLE, ER.DUP_FIELDNAME}


def check(database_url: str, redis_url: str, kafka: str) -> None:
    """Check the servers that are named; an empty text names none. Raises StackError."""
    if database_url:
        _check_database(database_url)
    if redis_url:
        _check_cache(redis_url)
    if kafka:
        _check_brokers(kafka)


def _check_database(url: str) -> None:
    if "secret" in parse_qs(urlsplit(url).query):
        # The password is in a secret store, which is not there yet.
        return
    try:
        database = Database(url, connect_timeout=_SECONDS, statement_timeout=_SECONDS, attempts=1)
    except ValueError:
        # Of a wrong URL any part may be the password: none is shown.
        raise StackError(
            "DATABASE_URL must look like mysql://user:password@host:3306/database, "
            "with special characters of the password in percent-encoding (%40 for @)"
        ) from None
    parts = urlsplit(url)
    place, name, user = f"{parts.hostname}:{parts.port or 3306}", parts.path.lstrip("/") or "churn", parts.username
    with closing(database):
        try:
            missing = [right for right, statement in RIGHTS.items() if not _has_right(database, statement)]
        except DatabaseUnavailableError:
            raise StackError(f"DATABASE_URL: no database server answers at {place}") from None
        except StatementRefusedError as error:
            reasons = {
                ER.ACCESS_DENIED_ERROR: f"the server at {place} refuses the user '{user}', or their password",
                ER.BAD_DB_ERROR: f"there is no database '{name}' at {place}: create it, or name another",
                ER.DBACCESS_DENIED_ERROR: f"the user '{user}' has no right in a database '{name}' at {place}, "
                "or there is none: docs/settings.md has the statements that create both",
            }
            reason = reasons.get(error.code, f"the server at {place} refuses the connection: {error}")
            raise StackError(f"DATABASE_URL: {reason}") from None
    if missing:
        raise StackError(
            f"DATABASE_URL: the user '{user}' may not {', '.join(missing)} in the database '{name}': "
            "docs/settings.md has the statement that grants it"
        )


def _has_right(database: Database, statement: str) -> bool:
    try:
        database.run(lambda transaction: transaction.execute(statement))
    except StatementRefusedError as error:
        if error.code in _BEYOND_THE_RIGHT:
            return True
        if error.code == ER.TABLEACCESS_DENIED_ERROR:
            return False
        raise
    return True


def _check_cache(url: str) -> None:
    parts = urlsplit(url)
    if "secret" in parse_qs(parts.query):
        return
    try:
        place = f"{parts.hostname}:{parts.port or 6379}"
        once = Retry(NoBackoff(), 0)
        client = redis.Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS, retry=once)
        with closing(client):
            _use(client)
    except ValueError:
        raise StackError("REDIS_URL must look like redis://:password@host:6379/0, or rediss://… for TLS") from None
    except redis.AuthenticationError:
        raise StackError(f"REDIS_URL: the server at {place} refuses the password, or wants one") from None
    except redis.ResponseError as error:
        # A right, a number of a database or a state that the server names itself.
        raise StackError(f"REDIS_URL: the server at {place} refuses what the service needs: {error}") from None
    except redis.RedisError:
        raise StackError(f"REDIS_URL: no Redis answers at {place}") from None


def _use(client: redis.Redis) -> None:
    """Send each command that the cache and the limits send, with a key that expires at once."""
    pipeline = client.pipeline(transaction=False)
    pipeline.ping()
    pipeline.get(_PROBED)
    pipeline.set(_PROBED, 0, px=1000)
    pipeline.incr(_PROBED)
    pipeline.expire(_PROBED, 1)
    pipeline.execute()


def _check_brokers(servers: str) -> None:
    if servers.startswith("arn:"):
        return
    names = servers.split(",")
    for server in names:
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _SECONDS / len(names)) as connection:
                connection.sendall(_API_VERSIONS)
                if connection.recv(1):
                    return
        except ValueError:
            raise StackError("KAFKA_BOOTSTRAP_SERVERS must look like host:port,host:port") from None
        except OSError:
            continue
    raise StackError(f"KAFKA_BOOTSTRAP_SERVERS: no broker answers at {servers}")
