"""What a database server's failures are: the service's errors, and which of the server's numbers mean which."""

import re

import pymysql
from pymysql.constants import CR, ER

from churn.domain.errors import ChurnError, UnavailableError

DEADLOCKS = frozenset({ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, 1020})  # 1020: MariaDB's record-has-changed
LOST = frozenset(
    {
        CR.CR_CONNECTION_ERROR,
        CR.CR_CONN_HOST_ERROR,
        CR.CR_SERVER_GONE_ERROR,
        CR.CR_SERVER_LOST,
        ER.SERVER_SHUTDOWN,
        ER.CON_COUNT_ERROR,
        1927,  # MariaDB: connection was killed
        0,  # pymysql: the connection was closed under it
    }
)
# The server's errors that name the data of a statement: the same data would be refused again. All others may end by
# themselves (a fail-over, a full disk, a schema that is being changed), so they are never blamed on a record.
_OF_THE_DATA = frozenset(
    {
        ER.BAD_NULL_ERROR,
        ER.DUP_ENTRY,
        ER.WARN_DATA_OUT_OF_RANGE,
        ER.WARN_DATA_TRUNCATED,
        ER.TRUNCATED_WRONG_VALUE,
        ER.INVALID_CHARACTER_STRING,
        ER.DIVISION_BY_ZERO,
        ER.TRUNCATED_WRONG_VALUE_FOR_FIELD,
        ER.DATA_TOO_LONG,
        ER.WRONG_VALUE_FOR_TYPE,
        ER.DATETIME_FUNCTION_OVERFLOW,
        1525,  # a wrong value
        1690,  # a number is out of range
        3140,  # MySQL: invalid JSON text
        3157,  # MySQL: JSON is nested too deeply
        3819,  # MySQL: a check constraint is violated
        4025,  # MariaDB: a constraint failed
    }
)
# From the first to the last sign: a value may hold one too.
_QUOTED = re.compile(r"'.*'|\".*\"", re.DOTALL)


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer, or not in time, after the retries."""

    dependency = "database"


class StatementRefusedError(ChurnError):
    """The server refused a statement.

    `code` is the server's number of the error, and `kind` the class that the driver puts it in, such as ``DataError``.
    """

    def __init__(self, kind: str, code: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code


class DataRefusedError(StatementRefusedError):
    """The server refused a statement for its data; the same data would be refused again."""


class DatabaseOperationError(StatementRefusedError, UnavailableError):
    """The server refused a statement for its own state: it is read-only, its disk is full, or its schema is old."""

    dependency = "database"


def refusal_of(error: pymysql.MySQLError) -> StatementRefusedError:
    """Return what a statement was refused for."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    # Without a number it is the driver that refuses, a value that no statement can hold, such as a number that is none.
    is_of_the_data = code in _OF_THE_DATA or (code == 0 and isinstance(error, pymysql.err.ProgrammingError))
    refused = DataRefusedError if is_of_the_data else DatabaseOperationError
    return refused(type(error).__name__, code, _without_values(" ".join(map(str, error.args[1:] or error.args))))


def _without_values(message: str) -> str:
    """Return a server's message without what it quotes, which may be a value of the statement."""
    return _QUOTED.sub("'…'", message)
