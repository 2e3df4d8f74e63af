"""What a database holds, for tests: rows, a customer, and the kept sums beside a recount."""

from collections import Counter

from churn.adapters.mysql import Database, totals
from churn.adapters.mysql.database import Row
from churn.domain.customer_record import CustomerRecord


def rows(database: Database, query: str) -> list[Row]:
    """Return the rows of a query."""
    return database.run(lambda transaction: transaction.rows(query))


def customer(database: Database, customer_id: str = "CUST-001") -> Row:
    """Return a customer's row."""
    (row,) = rows(database, f"SELECT * FROM customers WHERE customer_id = '{customer_id}'")
    return row


def kept_and_counted(database: Database) -> tuple[Counter[str], Counter[str]]:
    """Return the kept sums, and the same sums counted again from the tables."""
    kept = database.run(
        lambda transaction: totals.read(transaction, "customers:", "probability", "revenue", "alerts:", "predictions:")
    )
    counted: Counter[str] = Counter()
    for row in rows(database, "SELECT * FROM customers"):
        counted.update(CustomerRecord.from_row(row).share_of_totals())
    counted.update(f"alerts:{row['status']}:{row['priority']}" for row in rows(database, "SELECT * FROM alerts"))
    counted.update(f"predictions:{row['risk_level']}" for row in rows(database, "SELECT * FROM predictions"))
    return +kept, +counted
