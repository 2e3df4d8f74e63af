"""Sums that are kept as they change, so that a dashboard reads a few rows instead of counting a million.

A sum is spread over shards: each writer adds to a shard of its own choice, so that writers seldom meet in one row.

=====================================  ==============================================================================
name                                   what it sums
=====================================  ==============================================================================
``customers:STATUS:LEVEL``             customers that are not deleted, by status and risk level (``none`` unscored)
``probability``                        churn probability in millionths, over the active customers
``revenue_at_risk``                    value at risk in hundredths, over the active customers
``value_unknown``                      active customers with a churn probability and no known value at risk
``bins:NNN``                           active customers by the bin of their churn probability (`probability_bin`)
``cohorts:BY:DAY``                     customers whose first order lies in the month or week that begins on a day
``cohorts:BY:DAY:AGE``                 those of them who ordered again so many months or weeks later
``predictions:LEVEL``                  stored predictions by their risk level
``alerts:STATUS:PRIORITY``             alerts
``alerts_created:YYYY-MM-DD``          alerts by the day (UTC) that they were raised on
=====================================  ==============================================================================

Active is every status of `ACTIVE_STATUSES`.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date

from churn.adapters.mysql.database import Transaction

SHARDS = 16


def add(transaction: Transaction, changes: Mapping[str, int]) -> None:
    """Add to sums by name; call it late in a transaction, as the rows stay locked until its end."""
    shard = secrets.randbelow(SHARDS)
    # Sorted, so that two writers in one shard wait for each other instead of dead-locking.
    rows = [(name, shard, change) for name, change in sorted(changes.items()) if change]
    transaction.insert_many(
        "INSERT INTO totals (name, shard, value)", rows, "ON DUPLICATE KEY UPDATE value = value + VALUES(value)"
    )


def prune_days(transaction: Transaction, kind: str, before: date) -> None:
    """Delete the sums ``KIND:YYYY-MM-DD`` of days before a date that have come to 0."""
    rows = transaction.rows(
        "SELECT name FROM totals WHERE name >= %s AND name < %s GROUP BY name HAVING SUM(value) = 0",
        (f"{kind}:", f"{kind}:{before}"),
    )
    transaction.execute_among("DELETE FROM totals WHERE name IN ({values})", [row["name"] for row in rows])


def read(transaction: Transaction, *prefixes: str) -> Counter[str]:
    """Return the sums whose names begin with one of the prefixes; a missing one counts 0."""
    sums: Counter[str] = Counter()
    for prefix in prefixes:
        sums.update(read_from(transaction, prefix, prefix))
    return sums


def read_from(transaction: Transaction, first: str, prefix: str) -> Counter[str]:
    """Return the sums whose names begin with a prefix and are not before `first`; a missing one counts 0."""
    rows = transaction.rows(
        "SELECT name, SUM(value) AS value FROM totals WHERE name >= %s AND name < %s GROUP BY name",
        (first, prefix + "\x7f"),
    )
    return Counter({row["name"]: int(row["value"]) for row in rows})


def read_pairs(transaction: Transaction, kind: str, first: Collection[str], second: Collection[str]) -> int:
    """Return the sum of ``KIND:FIRST:SECOND`` over all names with such parts; an empty collection stands for any."""
    total = 0
    for name, number in read(transaction, f"{kind}:").items():
        _, one, other = name.split(":")
        if (not first or one in first) and (not second or other in second):
            total += number
    return total
