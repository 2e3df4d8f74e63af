"""Table `alert_budget`: how many alerts on the risk were raised on a day, by the database's clock in UTC."""

from datetime import date

from churn.adapters.mysql.database import Transaction


def raised_today(transaction: Transaction) -> int:
    """Return how many were raised on this day."""
    row = transaction.row("SELECT raised FROM alert_budget WHERE day = UTC_DATE()")
    return int(row["raised"]) if row else 0


def lock(transaction: Transaction) -> tuple[date, int]:
    """Return this day, and how many were raised on it; nobody else raises any until the transaction ends.

    Call it first in a transaction: whoever holds customers does not wait for it.
    """
    clock = transaction.row("SELECT UTC_DATE() AS day")
    if clock is None:
        raise AssertionError("a server knows the day")
    day: date = clock["day"]
    transaction.execute(
        "INSERT INTO alert_budget (day, raised) VALUES (%s, 0) ON DUPLICATE KEY UPDATE raised = raised", (day,)
    )
    row = transaction.row("SELECT raised FROM alert_budget WHERE day = %s FOR UPDATE", (day,))
    return day, int(row["raised"]) if row else 0


def take(transaction: Transaction, day: date, number: int) -> None:
    """Add to what was raised on a day, which is locked."""
    transaction.execute("UPDATE alert_budget SET raised = raised + %s WHERE day = %s", (number, day))


def prune(transaction: Transaction, before: date) -> None:
    """Delete the days before a date."""
    transaction.execute("DELETE FROM alert_budget WHERE day < %s", (before,))
