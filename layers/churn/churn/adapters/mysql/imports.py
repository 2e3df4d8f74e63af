"""Table `imports`: which files were imported, when, and what became of their lines."""

from collections.abc import Mapping
from datetime import datetime

from churn.adapters.mysql.database import Row, Transaction

_LONGEST_NAME = 255


COUNTS = ("file_lines", "rejected", "events", "repeated", "too_late", "refused", "customers")
"""What is told of an import that has ended: lines, those that are no events, and what became of the events."""


def begin(transaction: Transaction, file_name: str, kind: str, started_at: datetime, digest: str | None = None) -> int:
    """Store that a file is being imported; return the key. `digest`: SHA-256 of its bytes."""
    return transaction.insert(
        "INSERT INTO imports (file_name, kind, started_at, digest) VALUES (%s, %s, %s, %s)",
        (file_name[:_LONGEST_NAME], kind, started_at, digest),
    )


def is_known(transaction: Transaction, file_name: str, lines: int, digest: str) -> bool:
    """Return whether a file was imported to its end: one with these bytes.

    Of imports before version 0033 of the schema the bytes are not known: their name and number of lines tell.
    """
    row = transaction.row(
        "SELECT 1 AS present FROM imports WHERE ended_at IS NOT NULL "
        "AND (digest = %s OR (digest IS NULL AND file_name = %s AND file_lines = %s)) LIMIT 1",
        (digest, file_name[:_LONGEST_NAME], lines),
    )
    return row is not None


def end(transaction: Transaction, key: int, counts: Mapping[str, int], now: datetime) -> None:
    """Store that an import has ended, and its counts, one for each of COUNTS."""
    columns = ", ".join(f"{name} = %({name})s" for name in COUNTS)
    transaction.execute(
        f"UPDATE imports SET ended_at = %(now)s, {columns} WHERE id = %(key)s", {**counts, "now": now, "key": key}
    )


def newest(transaction: Transaction, limit: int) -> list[Row]:
    """Return the imports that began last, the newest first."""
    return transaction.rows("SELECT * FROM imports ORDER BY id DESC LIMIT %s", (limit,))


def unfinished(transaction: Transaction, after: datetime, before: datetime) -> bool:
    """Return whether an import that began between two instants has not ended."""
    row = transaction.row(
        "SELECT 1 AS present FROM imports WHERE started_at > %s AND started_at < %s AND ended_at IS NULL LIMIT 1",
        (after, before),
    )
    return row is not None


def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Delete at most `limit` imports that began before an instant; return how many."""
    return transaction.execute(
        "DELETE FROM imports WHERE started_at < %s ORDER BY started_at LIMIT %s", (before, limit)
    )
