"""The table of the dashboard's hourly figures."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from churn.adapters.mysql.database import Database, Transaction
from churn.adapters.mysql.totals import read
from churn.domain.customer import CustomerState
from churn.domain.risk import ACTIVE_STATUSES

_PAGE = 2000


def newest(transaction: Transaction, until: datetime) -> datetime | None:
    """The newest hour with figures that begins at `until` at the latest, None when there is none."""
    row = transaction.row("SELECT MAX(hour) AS hour FROM hourly_stats WHERE hour <= %s", (until,))
    found: datetime | None = None if row is None else row["hour"]
    return found


def measure(transaction: Transaction, hour: datetime, inactivity_days: int) -> None:
    """Writes the figures of one hour from the customers as they are now."""
    end, lapse = hour + timedelta(hours=1), timedelta(days=inactivity_days)
    counts = (
        _count(transaction, "last_order_at > %s AND last_order_at <= %s", (end - lapse, end)),
        _count(transaction, "first_seen_at >= %s AND first_seen_at < %s", (hour, end)),
        _count(transaction, "last_order_at >= %s AND last_order_at < %s", (hour - lapse, end - lapse)),
    )
    high = sum(
        count
        for name, count in read(transaction, "customers:").items()
        if name.split(":")[1] in ACTIVE_STATUSES and name.split(":")[2] in {"high", "critical"}
    )
    transaction.execute(
        "INSERT INTO hourly_stats (hour, active_customers, new_customers, churned_customers, high_risk_customers) "
        "VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE active_customers = VALUES(active_customers), "
        "new_customers = VALUES(new_customers), churned_customers = VALUES(churned_customers), "
        "high_risk_customers = VALUES(high_risk_customers)",
        (hour, *counts, high),
    )


def replace(transaction: Transaction, rows: Sequence[tuple[datetime, int, int, int]]) -> None:
    """Writes hours as (hour, active, new, churned customers); a number at high risk that is stored already stays."""
    transaction.insert_many(
        "INSERT INTO hourly_stats (hour, active_customers, new_customers, churned_customers)",
        rows,
        "ON DUPLICATE KEY UPDATE active_customers = VALUES(active_customers), "
        "new_customers = VALUES(new_customers), churned_customers = VALUES(churned_customers)",
    )


def states(database: Database) -> Iterator[CustomerState]:
    """Every customer's state, by ranges of the key."""
    after = 0
    while True:
        rows = database.run(
            lambda transaction, after=after: transaction.rows(  # type: ignore[misc]
                "SELECT customer_pk, state FROM customer_states WHERE customer_pk > %s ORDER BY customer_pk LIMIT %s",
                (after, _PAGE),
            )
        )
        if not rows:
            return
        yield from (CustomerState.from_json(row["state"]) for row in rows)
        after = rows[-1]["customer_pk"]


def _count(transaction: Transaction, condition: str, parameters: Sequence[object]) -> int:
    row = transaction.row(f"SELECT COUNT(*) AS number FROM customers WHERE deleted = 0 AND {condition}", parameters)
    return int(row["number"]) if row else 0
