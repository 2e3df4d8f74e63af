"""The only place with SQL, one module per table; each works inside a `Transaction` of `Database`."""

from churn.adapters.mysql.database import (
    Database,
    DatabaseOperationError,
    DatabaseUnavailableError,
    DataRefusedError,
    StatementRefusedError,
    Transaction,
)

__all__ = [
    "DataRefusedError",
    "Database",
    "DatabaseOperationError",
    "DatabaseUnavailableError",
    "StatementRefusedError",
    "Transaction",
]
