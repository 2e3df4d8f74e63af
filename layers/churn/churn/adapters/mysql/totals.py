"""Sums that are kept as they change, so that a dashboard reads a few rows instead of counting a million.

A sum is spread over shards: each writer adds to a shard of its own choice, so that writers seldom meet in one row.

=====================================  ==============================================================================
name                                   what it sums
=====================================  ==============================================================================
``customers:STATUS:LEVEL``             customers that are not deleted, by status and risk level (``none`` unscored)
``probability``                        churn probability in millionths, over the active customers
``revenue_at_risk``                    churn probability x expected spend in hundredths, over the active customers
``predictions:LEVEL``                  stored predictions by their risk level
``alerts:STATUS:PRIORITY``             alerts
``alerts_created:YYYY-MM-DD``          alerts by the day (UTC) that they were raised on
=====================================  ==============================================================================

Active is every status of `ACTIVE_STATUSES`.
"""

import secrets
from collections import Counter
from collections.abc import Mapping

from churn.adapters.mysql.database import Transaction

SHARDS = 16


def add(transaction: Transaction, changes: Mapping[str, int]) -> None:
    """Adds to sums by name; done late in a transaction, for the rows are locked until its end."""
    shard = secrets.randbelow(SHARDS)
    # Sorted, so that two writers in one shard wait for each other instead of dead-locking.
    rows = [(name, shard, change) for name, change in sorted(changes.items()) if change]
    transaction.insert_many(
        "INSERT INTO totals (name, shard, value)", rows, "ON DUPLICATE KEY UPDATE value = value + VALUES(value)"
    )


def read(transaction: Transaction, *prefixes: str) -> Counter[str]:
    """The sums whose names begin with one of the prefixes; a missing one counts 0."""
    found: Counter[str] = Counter()
    for prefix in prefixes:
        for row in transaction.rows(
            "SELECT name, SUM(value) AS value FROM totals WHERE name >= %s AND name < %s GROUP BY name",
            (prefix, prefix + "\x7f"),
        ):
            found[row["name"]] = int(row["value"])
    return found
