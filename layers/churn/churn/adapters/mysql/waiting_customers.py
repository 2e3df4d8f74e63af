"""Table `customers`: those whose risk has risen and whose alert is held back."""

from datetime import datetime

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Transaction, placeholders
from churn.domain.risk import RISK_LEVELS

_LEVELS = placeholders(RISK_LEVELS)


def most_valuable(
    transaction: Transaction,
    least: float,
    alerted_before: datetime,
    after: tuple[float, int] | None,
    limit: int,
) -> list[tuple[float, int]]:
    """Return value at risk and key of customers whose alerts wait, the most valuable first.

    Of those with at least `least` at risk whose newest alert on the risk, if any, is older than `alerted_before` or of
    a lower level; of them at most `limit` after those that are named.
    """
    conditions = Conditions(["waiting_value >= %s"], [least])
    conditions.add(
        "(alerted_at IS NULL OR alerted_at <= %s "
        f"OR FIELD(pending_level, {_LEVELS}) > FIELD(alerted_level, {_LEVELS}))",
        alerted_before,
        *RISK_LEVELS * 2,
    )
    if after is not None:
        value, key = after
        conditions.add("waiting_value <= %s AND (waiting_value < %s OR id < %s)", value, value, key)
    rows = transaction.rows(
        f"SELECT waiting_value, id FROM customers FORCE INDEX (customers_by_waiting_value) {conditions.where()} "
        "ORDER BY waiting_value DESC, id DESC LIMIT %s",
        [*conditions.values, limit],
    )
    return [(float(row["waiting_value"]), row["id"]) for row in rows]
