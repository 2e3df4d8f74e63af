"""MySQL: the only place with SQL. A module a concern; every one works inside a `Transaction` of `Database`."""

from churn.adapters.mysql.database import Database, DatabaseUnavailable, Transaction

__all__ = ["Database", "DatabaseUnavailable", "Transaction"]
