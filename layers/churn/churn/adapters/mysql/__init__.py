"""MySQL: the only place with SQL. A module a concern; every one works inside a `Transaction` of `Database`."""

from churn.adapters.mysql.database import (
    Database,
    DatabaseOperationError,
    DatabaseUnavailableError,
    StatementRefusedError,
    Transaction,
)

__all__ = ["Database", "DatabaseOperationError", "DatabaseUnavailableError", "StatementRefusedError", "Transaction"]
