"""Table `hourly_stats`: the dashboard's figures hour by hour."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from churn.adapters.mysql import customers, totals
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.risk import ACTIVE_STATUSES, HIGH_RISK_LEVELS


def newest(transaction: Transaction, until: datetime) -> datetime | None:
    """Return the newest hour with figures that begins at `until` at the latest, None without any."""
    row = transaction.row("SELECT MAX(hour) AS hour FROM hourly_stats WHERE hour <= %s", (until,))
    hour: datetime | None = None if row is None else row["hour"]
    return hour


def between(transaction: Transaction, first: datetime, last: datetime) -> list[Row]:
    """Return the hours between two instants, the oldest first."""
    return transaction.rows("SELECT * FROM hourly_stats WHERE hour >= %s AND hour <= %s ORDER BY hour", (first, last))


def active_at(transaction: Transaction, instant: datetime) -> int | None:
    """Return how many customers were active in the newest stored hour that began no later; None without any."""
    row = transaction.row(
        "SELECT active_customers FROM hourly_stats WHERE hour <= %s ORDER BY hour DESC LIMIT 1", (instant,)
    )
    return None if row is None else int(row["active_customers"])


def measure(transaction: Transaction, hour: datetime, inactivity_days: int) -> None:
    """Store the figures of one hour from the customers as they are now."""
    end, lapse = hour + timedelta(hours=1), timedelta(days=inactivity_days)
    active = customers.lapsed_between(transaction, end - lapse, end)
    new = customers.count(transaction, "first_seen_at >= %s AND first_seen_at < %s", hour, end)
    churned = customers.count(transaction, "last_order_at >= %s AND last_order_at < %s", hour - lapse, end - lapse)
    high = sum(
        number
        for name, number in totals.read(transaction, "customers:").items()
        if name.split(":")[1] in ACTIVE_STATUSES and name.split(":")[2] in HIGH_RISK_LEVELS
    )
    transaction.execute(
        "INSERT INTO hourly_stats (hour, active_customers, new_customers, churned_customers, high_risk_customers) "
        "VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE active_customers = VALUES(active_customers), "
        "new_customers = VALUES(new_customers), churned_customers = VALUES(churned_customers), "
        "high_risk_customers = VALUES(high_risk_customers)",
        (hour, active, new, churned, high),
    )


def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Delete the figures of at most `limit` hours that began before an instant; return how many."""
    return transaction.execute("DELETE FROM hourly_stats WHERE hour < %s ORDER BY hour LIMIT %s", (before, limit))


def replace(transaction: Transaction, rows: Sequence[tuple[datetime, int, int, int]]) -> None:
    """Store hours as (hour, active, new, churned customers); a number at high risk that is stored already stays."""
    transaction.insert_many(
        "INSERT INTO hourly_stats (hour, active_customers, new_customers, churned_customers)",
        rows,
        "ON DUPLICATE KEY UPDATE active_customers = VALUES(active_customers), "
        "new_customers = VALUES(new_customers), churned_customers = VALUES(churned_customers)",
    )
