"""Table `event_counts`: how many events of the stream were applied in each minute and hour, by their type."""

import secrets
from collections.abc import Mapping
from datetime import datetime

from churn.adapters.mysql.database import Transaction
from churn.adapters.mysql.totals import SHARDS
from churn.domain.events import EVENT_TYPES
from churn.domain.timestamps import hour_of

MINUTE, HOUR = 1, 60
"""The lengths of what is counted, in minutes."""
OTHER = "other"
"""What stands for all types that the service does not know: a shop may send any."""
DAYS_OF_MINUTES = 2
"""Days that minutes are kept."""


def add(transaction: Transaction, counts: Mapping[str, int], now: datetime) -> None:
    """Count events that are applied now, by type; call it late in a transaction, as the rows stay locked."""
    shard = secrets.randbelow(SHARDS)
    known: dict[str, int] = {}
    for event_type, number in counts.items():
        name = event_type if event_type in EVENT_TYPES else OTHER
        known[name] = known.get(name, 0) + number
    began = ((MINUTE, now.replace(second=0, microsecond=0)), (HOUR, hour_of(now)))
    transaction.insert_many(
        "INSERT INTO event_counts (minutes, began_at, event_type, shard, applied)",
        [(length, at, name, shard, number) for length, at in began for name, number in sorted(known.items())],
        "ON DUPLICATE KEY UPDATE applied = applied + VALUES(applied)",
    )


def since(transaction: Transaction, minutes: int, first: datetime) -> dict[datetime, dict[str, int]]:
    """Return the counts of each minute, or hour, from an instant on, by type; what has none is left out."""
    found: dict[datetime, dict[str, int]] = {}
    for row in transaction.rows(
        "SELECT began_at, event_type, SUM(applied) AS applied FROM event_counts WHERE minutes = %s AND began_at >= %s "
        "GROUP BY began_at, event_type",
        (minutes, first),
    ):
        found.setdefault(row["began_at"], {})[row["event_type"]] = int(row["applied"])
    return found


def prune(transaction: Transaction, minutes: int, before: datetime, limit: int) -> int:
    """Delete at most `limit` counts of minutes, or hours, that began before an instant; return how many."""
    return transaction.execute(
        "DELETE FROM event_counts WHERE minutes = %s AND began_at < %s ORDER BY began_at LIMIT %s",
        (minutes, before, limit),
    )
