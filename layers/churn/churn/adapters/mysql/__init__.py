"""The only place with SQL, one module per table; each works inside a `Transaction` of `Database`."""

from churn.adapters.mysql.database import Database, Transaction
from churn.adapters.mysql.server_errors import (
    DatabaseOperationError,
    DatabaseUnavailableError,
    DataRefusedError,
    StatementRefusedError,
)

__all__ = [
    "DataRefusedError",
    "Database",
    "DatabaseOperationError",
    "DatabaseUnavailableError",
    "StatementRefusedError",
    "Transaction",
]
