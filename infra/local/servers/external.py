"""Servers of one's own, named in DATABASE_URL, REDIS_URL and KAFKA_BOOTSTRAP_SERVERS: checked before anything starts.

What is wrong is said in one sentence, within seconds, which names the variable.
"""

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pymysql
import redis
from pymysql.constants import CR, ER
from redis.backoff import NoBackoff
from redis.retry import Retry

from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError
from churn.adapters.mysql.database_url import DatabaseUrl
from infra.local.servers.supervisor import StackError

# To connect, and then for each answer: with the start of two processes the whole takes less than five.
_SECONDS = 1.5
_MOST_SECONDS = 3.0
# ApiVersions, which a broker answers before it knows who asks: the length, the API 18 in version 0, a number, no name.
_NUMBER = 0x0C4A_11E5
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, _NUMBER, -1)
_ANSWER = struct.Struct(">iih")
_LONGEST_ANSWER = 65_536
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
    for url, variable, look in (
        (database_url, "DATABASE_URL", _check_database),
        (redis_url, "REDIS_URL", _check_cache),
        (kafka, "KAFKA_BOOTSTRAP_SERVERS", _check_brokers),
    ):
        if url:
            _in_time(variable, look, url)


def _in_time(variable: str, look: Callable[[str], None], url: str) -> None:
    """Look at a server; one that answers drop by drop is not waited for. Raises StackError."""
    refusals: list[StackError] = []

    def work() -> None:
        try:
            look(url)
        except StackError as error:
            refusals.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_MOST_SECONDS)
    if thread.is_alive():
        raise StackError(f"{variable}: the server answers too slowly to be used")
    for error in refusals:
        raise error


def _check_database(url: str) -> None:
    try:
        address = DatabaseUrl.parse(url)
        if address.secret:
            # The password is in a secret store, which is not there yet.
            return
        database = Database(url, connect_timeout=_SECONDS, statement_timeout=_SECONDS, attempts=1)
    except ValueError as error:
        raise StackError(str(error)) from None
    except OSError:
        raise StackError("DATABASE_URL: the file that ssl_ca names cannot be read, or holds no certificate") from None
    place, user, name = f"{address.host}:{address.port}", address.user, address.database
    with closing(database):
        try:
            missing = [right for right, statement in RIGHTS.items() if not _has_right(database, statement)]
        except DatabaseUnavailableError as error:
            raise StackError(f"DATABASE_URL: {_unavailable(place, error.__cause__)}") from None
        except StatementRefusedError as error:
            reasons = {
                ER.ACCESS_DENIED_ERROR: f"the server at {place} refuses the user '{user}', their password, "
                "or a connection without TLS (ssl=true)",
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


def _unavailable(place: str, cause: BaseException | None) -> str:
    """Return why a database is not available, as far as what answers says so."""
    if isinstance(cause, pymysql.err.InternalError | pymysql.err.InterfaceError):
        return f"what answers at {place} is no MySQL server"
    code = cause.args[0] if isinstance(cause, pymysql.MySQLError) and cause.args else 0
    if isinstance(code, int) and 0 < code < CR.CR_ERROR_FIRST:
        return f"the server at {place} takes no connection now: {cause.args[1] if cause else ''}"
    return f"no database server answers at {place}"


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
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"redis", "rediss"} or not parts.hostname or not re.fullmatch(r"/?\d*", parts.path):
            raise ValueError
        place = f"{parts.hostname}:{parts.port or 6379}"
        if "secret" in parse_qs(parts.query):
            return
        once = Retry(NoBackoff(), 0)
        client = redis.Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS, retry=once)
        with closing(client):
            _use(client)
    except ValueError:
        raise StackError(
            "REDIS_URL must look like redis://:password@host:6379/0, or rediss://… for TLS, "
            "with special characters of the password in percent-encoding (%40 for @)"
        ) from None
    except redis.AuthenticationError:
        raise StackError(f"REDIS_URL: the server at {place} refuses the password, or wants one") from None
    except (redis.ResponseError, redis.BusyLoadingError) as error:
        # A right, a number of a database or a state that the server names itself.
        raise StackError(f"REDIS_URL: the server at {place} refuses what the service needs: {error}") from None
    except (redis.RedisError, ssl.SSLError) as error:
        has_tls = " with TLS" if "SSL" in str(error) else ""
        raise StackError(f"REDIS_URL: no Redis answers{has_tls} at {place}") from None


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
                if _is_answer(connection.makefile("rb").read(_ANSWER.size)):
                    return
        except ValueError:
            raise StackError("KAFKA_BOOTSTRAP_SERVERS must look like host:port,host:port") from None
        except OSError:
            continue
    raise StackError(f"KAFKA_BOOTSTRAP_SERVERS: no broker answers at {servers}")


def _is_answer(head: bytes) -> bool:
    """Return whether bytes begin a broker's answer: its length, the number of the request, and no error."""
    if len(head) < _ANSWER.size:
        return False
    length, number, error = _ANSWER.unpack(head)
    return _ANSWER.size - 4 <= length <= _LONGEST_ANSWER and (number, error) == (_NUMBER, 0)
