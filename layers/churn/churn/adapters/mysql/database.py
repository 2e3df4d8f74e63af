"""One MySQL connection per execution environment, short transactions, and retries after a server's failures."""

import math
import random
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Self

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor, DictCursor

from churn.adapters import secrets_manager
from churn.adapters.breaker import REQUESTS, Breaker
from churn.adapters.mysql.activity import PROCESS, Activity
from churn.adapters.mysql.database_url import DatabaseUrl
from churn.adapters.mysql.row_reading import CONVERSIONS, RowConnection
from churn.adapters.mysql.server_errors import (
    DEADLOCKS,
    LOST,
    DatabaseOperationError,
    DatabaseUnavailableError,
    DataRefusedError,
    refusal_of,
)
from churn.adapters.mysql.statement_parts import CHARSET, bytes_of, in_parts, literal, naive, row_literal
from churn.adapters.request_time import REQUEST_TIME, RequestTime
from churn.adapters.secrets_manager import SecretUnavailableError
from churn.observability import span

Row = dict[str, Any]
Parameters = Sequence[object] | Mapping[str, object]

_ATTEMPTS = 5
# For a new connection: after a failure, also where it has used up the request's time, and when a request tries a server
# that did not answer.
_GREETING_SECONDS = 0.4
_LEAST_GREETING_SECONDS = 0.1
_PROBE_SECONDS = 1.0
# A request's transaction that took longer is not tried again.
_REQUEST_PATIENCE_SECONDS = 0.4
_SPAN = {"db.system.name": "mysql"}
_LITERALS_PER_STATEMENT = 1000
_BYTES_PER_STATEMENT = 4 * 1024 * 1024
# A statement of 16 KB or more pins a session of RDS Proxy to its connection, which nobody else can use from then on.
_BYTES_PER_REQUEST_STATEMENT = 15 * 1024
# Of every session. Behind RDS Proxy the connections have them (InitQuery in infra/data.yaml): a session that sets the
# lock wait by itself is pinned too.
SESSION_SETTINGS = (
    "time_zone = '+00:00', innodb_lock_wait_timeout = 10, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
)
# What a packet holds beside its statement is a few bytes.
_PACKET_MARGIN = 256


class _Kind(NamedTuple):
    """How a transaction begins."""

    isolation: str
    begin: str


_READ_COMMITTED = _Kind("READ COMMITTED", "BEGIN")
_SNAPSHOT = _Kind("REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


class Transaction:
    """Statements of one transaction. Parameters are always bound; instants go in and come out aware, in UTC."""

    def __init__(self, cursor: "DictCursor", max_packet: int, most_bytes: int) -> None:
        """`max_packet`: the most bytes that the server takes at once; `most_bytes`: of a statement with a list."""
        self._cursor = cursor
        self._max_packet = max_packet
        self._most_bytes = most_bytes
        self.has_written = False

    def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement; return how many rows it changed or found."""
        self.has_written = True
        return int(self._cursor.execute(statement, _bound(parameters)))

    def insert(self, statement: str, parameters: Parameters) -> int:
        """Insert one row; return the number that the server gave it."""
        self.execute(statement, parameters)
        return int(self._cursor.lastrowid)

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query, each by column name."""
        self._cursor.execute(statement, _bound(parameters))
        return self._fetched()

    def row(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, None without one."""
        self._cursor.execute(statement, _bound(parameters))
        row: Row | None = self._cursor.fetchone()
        return row

    def column(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """Return the first column of a query's rows, in a third of the memory of `rows`."""
        with self._cursor.connection.cursor(Cursor) as cursor:
            cursor.execute(statement, _bound(parameters))
            return [row[0] for row in cursor.fetchall()]

    def insert_many(self, head: str, rows: Iterable[Sequence[object]], tail: str = "") -> int:
        """Run inserts ``head VALUES (…), (…) tail``, as many as the rows need; return how many rows changed.

        Raises DataRefusedError for a row that is longer than the server takes.
        """
        self.has_written = True
        literals = map(row_literal, rows)
        return sum(
            int(self._cursor.execute(f"{head} VALUES {part} {tail}"))
            for part in self._parts(literals, len(head) + len(tail))
        )

    def rows_among(self, query: str, values: Iterable[object]) -> list[Row]:
        """Return all rows of a query in which ``{values}`` stands for a list; a long list is asked for in parts."""
        found: list[Row] = []
        for part in self._parts(map(literal, values), len(query)):
            self._cursor.execute(query.replace("{values}", part))
            found += self._fetched()
        return found

    def execute_among(self, statement: str, values: Iterable[object]) -> int:
        """Run a statement in which ``{values}`` stands for a list, a long list in parts; return how many it changed."""
        self.has_written = True
        return sum(
            int(self._cursor.execute(statement.replace("{values}", part)))
            for part in self._parts(map(literal, values), len(statement))
        )

    def _fetched(self) -> list[Row]:
        return [*self._cursor.fetchall()]

    def _parts(self, literals: Iterable[str], rest: int) -> Iterator[str]:
        """Yield lists of literals, each as many as go into one statement that has `rest` characters besides."""
        longest = self._max_packet - rest - _PACKET_MARGIN
        for part in in_parts(literals, _LITERALS_PER_STATEMENT, min(longest, self._most_bytes - rest)):
            if len(part) == 1 and bytes_of(part[0]) > longest:
                raise DataRefusedError("DataError", ER.NET_PACKET_TOO_LARGE, "a row is longer than max_allowed_packet")
            yield ", ".join(part)


class Database:
    """A MySQL or MariaDB database, named by a URL such as ``mysql://user:password@host:3306/churn?ssl=true``.

    With ``?secret=ARN`` user and password come from Secrets Manager, and are read again if the server refuses them.
    With ``?proxy=true`` it is RDS Proxy, whose connections have the session's settings already.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float = 5,
        statement_timeout: float = 20,
        attempts: int = _ATTEMPTS,
        statement_bytes: int = _BYTES_PER_STATEMENT,
        activity: Activity = PROCESS,
    ) -> None:
        """`activity`: where it is noted that the database was read and written, or that it failed.

        A statement with a list has `statement_bytes` at most, and is run in parts. Raises ValueError for a wrong URL,
        and OSError where its file of certificates cannot be read.
        """
        address = DatabaseUrl.parse(url)
        self._arguments: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "password": address.password,
            "database": address.database,
            "charset": CHARSET,
            "cursorclass": DictCursor,
            "conv": CONVERSIONS,
            "connect_timeout": connect_timeout,
            "read_timeout": statement_timeout,
            "write_timeout": statement_timeout,
            "autocommit": False,
        }
        self._behind_proxy = address.is_proxy
        if not self._behind_proxy:
            self._arguments["init_command"] = f"SET {SESSION_SETTINGS}"
        if address.has_tls:
            self._arguments["ssl"] = ssl.create_default_context(cafile=address.ca_file)
        self._secret = address.secret
        self._attempts = attempts
        self._patience = math.inf
        self._breaker: Breaker | None = None
        self._request_time: RequestTime | None = None
        self._activity = activity
        self._connection: RowConnection | None = None
        self._max_packet = 0
        self._statement_bytes = statement_bytes
        self._isolation = ""

    @classmethod
    def for_requests(cls, url: str, *, breaker: Breaker | None = REQUESTS, activity: Activity = PROCESS) -> Self:
        """Return a database for synchronous answers: a server that hangs costs one of them 2 seconds, others nothing.

        One in 2 seconds tries the server again, and waits a second for a connection. What is slow of one request takes
        1.8 seconds together at most (`REQUEST_TIME`). `breaker`: None to ask the server each time, without limit.
        """
        database = cls(
            url,
            connect_timeout=1,
            statement_timeout=1.4,
            attempts=2,
            statement_bytes=_BYTES_PER_REQUEST_STATEMENT,
            activity=activity,
        )
        database._patience = _REQUEST_PATIENCE_SECONDS
        database._breaker = breaker
        database._request_time = REQUEST_TIME if breaker is not None else None
        return database

    def run[T](self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and commit it.

        After a deadlock or a lost connection it is run again from its beginning, so `work` changes nothing but the
        database. Raises DatabaseUnavailableError if the server stays away, StatementRefusedError if it refuses.
        """
        with span("transaction", _SPAN):
            return self._run(work, _READ_COMMITTED)

    def read[T](self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which only reads, on one snapshot of the database: all that it reads is of the same instant.

        Raises DatabaseUnavailableError, StatementRefusedError.
        """
        with span("read", _SPAN):
            return self._run(work, _SNAPSHOT)

    def append(self, statement: str, parameters: Parameters) -> None:
        """Insert a row that depends on no other, by one statement and a commit.

        Raises DatabaseUnavailableError, StatementRefusedError.
        """
        with span("append", _SPAN):
            self._run(lambda transaction: transaction.execute(statement, parameters), None)

    def _run[T](self, work: Callable[[Transaction], T], kind: _Kind | None) -> T:
        self._ask_breaker()
        until = time.monotonic() + self._patience
        for attempt in range(1, self._attempts + 1):
            try:
                with self._transaction(kind) as transaction:
                    done = work(transaction)
            except (pymysql.MySQLError, OSError, SecretUnavailableError) as error:
                self._note(error)
                if attempt == self._attempts or time.monotonic() > until:
                    raise self._unavailable(error) from error
            except Exception:
                self._close_breaker()
                raise
            else:
                self._close_breaker()
                self._activity.succeeded(has_written=transaction.has_written)
                return done
            time.sleep(random.uniform(0.5, 1.0) * 0.05 * 2**attempt)
        raise AssertionError("unreachable")

    def _ask_breaker(self) -> None:
        """Raise DatabaseUnavailableError while the server is left alone, or if one that is tried does not greet."""
        if self._breaker is None:
            return
        is_probe = self._breaker.is_open
        if not self._breaker.admits():
            raise DatabaseUnavailableError("the database did not answer a moment ago")
        if is_probe and (error := self._connection_error(_PROBE_SECONDS, self._request_time)):
            self._breaker.open()
            self._activity.failed(error)
            raise DatabaseUnavailableError(f"the database does not answer: {error}") from error

    def _note(self, error: Exception) -> None:
        """Close a connection that a failure has ended. Raises what the server refused for good."""
        code = error.args[0] if error.args else 0
        if not isinstance(error, pymysql.MySQLError) or isinstance(error, pymysql.err.InterfaceError) or code in LOST:
            self.close()
        elif code not in DEADLOCKS:
            self._close_breaker()
            refusal = refusal_of(error)
            if isinstance(refusal, DatabaseOperationError):
                # After a fail-over the connection may still lead to the demoted server.
                self.close()
                self._activity.failed(error)
            raise refusal from error

    def _unavailable(self, error: Exception) -> DatabaseUnavailableError:
        self._activity.failed(error)
        # A statement may have waited for the lock of another: that is no reason to stop asking.
        left = _GREETING_SECONDS if self._request_time is None else self._request_time.left
        within = max(_LEAST_GREETING_SECONDS, min(_GREETING_SECONDS, left))
        if self._breaker is not None and self._connection_error(within):
            self._breaker.open()
        return DatabaseUnavailableError(f"the database does not answer: {error}")

    def _close_breaker(self) -> None:
        """Note that the server has answered, with whatever."""
        if self._breaker is not None:
            self._breaker.close()

    def _connection_error(self, within: float, request_time: RequestTime | None = None) -> Exception | None:
        """Return why the server does not take a new connection within so many seconds; None if it does."""
        try:
            self._connect(within, request_time).close()
        except (pymysql.MySQLError, OSError, SecretUnavailableError) as error:
            return error
        return None

    def pages(self, query: str, key: Mapping[str, object], size: int, **parameters: object) -> Iterator[Row]:
        """Yield the rows of a query by keyset paging, each page in a transaction of its own.

        The query refers to the columns of `key` as ``%(column)s``, which begin at the given values and then are those
        of the last row that was read, and to the page's `size` as ``%(size)s``.
        """
        while True:
            page = partial(Transaction.rows, statement=query, parameters={**parameters, **key, "size": size})
            rows = self.run(page)
            if not rows:
                return
            yield from rows
            key = {column: rows[-1][column] for column in key}

    def close(self) -> None:
        """Close the connection; the next transaction opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (pymysql.MySQLError, OSError):
                # It was lost already, which is what closing is for.
                return

    def _connect(self, within: float = math.inf, request_time: RequestTime | None = None) -> RowConnection:
        limits = {"within": within, "request_time": request_time}
        try:
            return RowConnection(**self._arguments | self._login() | limits)
        except pymysql.err.OperationalError as error:
            if not self._secret or error.args[0] != ER.ACCESS_DENIED_ERROR:
                raise
            secrets_manager.forget(self._secret)
            return RowConnection(**self._arguments | self._login() | limits)

    def _login(self) -> dict[str, str]:
        """Return the user and password of the secret, where there is one."""
        if not self._secret:
            return {}
        credentials = secrets_manager.members(self._secret)
        return {"user": credentials["username"], "password": credentials["password"]}

    @contextmanager
    def _transaction(self, kind: _Kind | None) -> Iterator[Transaction]:
        """`kind`: None for one that the first statement begins, under whatever isolation the session has."""
        if self._connection is None:
            self._connection = self._connect(request_time=self._request_time)
            self._isolation = "READ COMMITTED" if self._behind_proxy else ""
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT @@max_allowed_packet AS bytes")
                self._max_packet = int((cursor.fetchone() or {})["bytes"])
        connection = self._connection
        try:
            with connection.cursor() as cursor:
                if kind is not None:
                    self._isolate(cursor, kind.isolation)
                    cursor.execute(kind.begin)
                yield Transaction(cursor, self._max_packet, self._statement_bytes)
            connection.commit()
        except BaseException:
            try:
                connection.rollback()
            except (pymysql.MySQLError, OSError):
                self.close()
            raise

    def _isolate(self, cursor: "DictCursor", level: str) -> None:
        """Set the isolation of the session: RDS Proxy tracks that, and might send that of one transaction elsewhere."""
        if level != self._isolation:
            cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            self._isolation = level


def placeholders(values: Sized) -> str:
    """Return a placeholder for each value, with commas between them."""
    return ", ".join(["%s"] * len(values))


def _bound(parameters: Parameters) -> list[object] | dict[str, object]:
    if isinstance(parameters, Mapping):
        return {name: _naive(value) for name, value in parameters.items()}
    return [_naive(value) for value in parameters]


def _naive(value: object) -> object:
    return naive(value) if isinstance(value, datetime) else value
