"""Table `alert_weeks`: alerts counted by week, kind, what was made of them and what became of their customers.

It is written with the totals of alerts, under the lock of the alerts' counters (`alert_counters`).
"""

from collections.abc import Mapping
from datetime import date

from churn.adapters.mysql import totals
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.outcomes import BY_WEEK


def add(transaction: Transaction, changes: Mapping[str, int]) -> None:
    """Add to the sums of alerts by name, those by week and the others."""
    by_week = {name: change for name, change in changes.items() if name.startswith(f"{BY_WEEK}:")}
    totals.add(transaction, {name: change for name, change in changes.items() if name not in by_week})
    transaction.insert_many(
        "INSERT INTO alert_weeks (week, alert_type, handling, outcome, number)",
        [(*name.split(":")[1:], change) for name, change in sorted(by_week.items()) if change],
        "ON DUPLICATE KEY UPDATE number = number + VALUES(number)",
    )


def between(transaction: Transaction, first: date, last: date) -> list[Row]:
    """Return the sums of the weeks between two Mondays, both included, the oldest first."""
    return transaction.rows(
        "SELECT week, alert_type, handling, outcome, number FROM alert_weeks WHERE week BETWEEN %s AND %s "
        "AND number <> 0 ORDER BY week, alert_type, handling, outcome",
        (first, last),
    )


def newest_known(transaction: Transaction, weeks: int) -> tuple[date, date] | None:
    """Return the first and the last of the newest `weeks` weeks in which an outcome is known, None without any."""
    row = transaction.row(
        "SELECT MIN(week) AS first, MAX(week) AS last FROM (SELECT DISTINCT week FROM alert_weeks "
        "WHERE outcome IN ('left', 'stayed') AND number <> 0 ORDER BY week DESC LIMIT %s) AS newest",
        (weeks,),
    )
    return None if row is None or row["first"] is None else (row["first"], row["last"])


def prune(transaction: Transaction, before: date) -> None:
    """Delete the sums of weeks before a date that have come to 0."""
    transaction.execute("DELETE FROM alert_weeks WHERE week < %s AND number = 0", (before,))
