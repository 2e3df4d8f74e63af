"""The only place with SQL, one module per table; each works inside a `Transaction` of `Database`."""

from churn.adapters.mysql.database import (
    Database,
    DatabaseOperationError,
    DatabaseUnavailableError,
    StatementRefusedError,
    Transaction,
)

__all__ = ["Database", "DatabaseOperationError", "DatabaseUnavailableError", "StatementRefusedError", "Transaction"]
