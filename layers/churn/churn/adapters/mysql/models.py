"""Tables `models`, the versions that have served, and `model_changes`, what came of each change of the version.

The version with the newest `loaded_at` is the one that serves: by which scores are stored. A version that was promoted
answers from its promotion on, and is loaded some seconds later. A process that holds an older promotion than that
changes nothing, so that two processes that notice a promotion at different times do not take turns.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.model import kind_of, source_of

_LEASE_SECONDS = 60
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a version was loaded that has stored no score yet."""


@dataclass(frozen=True, slots=True)
class Moves:
    """How many customers were scored by another version than before, and moved to a higher or lower risk level."""

    customers: int = 0
    up: int = 0
    down: int = 0


def record_serving(
    transaction: Transaction,
    version: str,
    metadata: Mapping[str, object],
    now: datetime,
    promoted_at: datetime | None = None,
) -> bool:
    """Record that a version serves from now on; return whether it serves for the first time.

    Nothing changes if the one that serves was promoted after `promoted_at`, where both are known.
    """
    rows = transaction.rows("SELECT version, loaded_at, promoted_at FROM models ORDER BY loaded_at DESC FOR UPDATE")
    served = [row for row in rows if row["loaded_at"] > _NEVER]
    current = served[0] if served else None
    loaded_at = now
    if current is not None:
        if current["version"] == version:
            loaded_at = current["loaded_at"]
            promoted_at = max((at for at in (promoted_at, current["promoted_at"]) if at), default=None)
        elif promoted_at and current["promoted_at"] and promoted_at < current["promoted_at"]:
            return False
        else:
            # Later than the one before, by whatever clock.
            loaded_at = max(now, current["loaded_at"] + timedelta(milliseconds=1))
            _begin_change(transaction, version, current["version"], now)
    transaction.execute(
        "INSERT INTO models (version, kind, source, metadata, loaded_at, promoted_at) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE source = VALUES(source), metadata = VALUES(metadata), loaded_at = VALUES(loaded_at), "
        "promoted_at = VALUES(promoted_at)",
        (version, kind_of(metadata), source_of(metadata), json.dumps(metadata), loaded_at, promoted_at),
    )
    return version not in {row["version"] for row in served}


def record_promotion(
    transaction: Transaction, version: str, metadata: Mapping[str, object], promoted_at: datetime
) -> None:
    """Record that a version answers since its promotion, before a process that stores scores has loaded it."""
    transaction.execute(
        "INSERT INTO models (version, kind, source, metadata, loaded_at, promoted_at) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE promoted_at = GREATEST(COALESCE(promoted_at, VALUES(promoted_at)), "
        "VALUES(promoted_at))",
        (version, kind_of(metadata), source_of(metadata), json.dumps(metadata), _NEVER, promoted_at),
    )


def record_beside(transaction: Transaction, version: str, metadata: Mapping[str, object], now: datetime) -> None:
    """Record a version that answers for some customers beside the one that serves, which stays the newest."""
    transaction.execute(
        "INSERT IGNORE INTO models (version, kind, source, metadata, loaded_at) "
        "SELECT %s, %s, %s, %s, COALESCE(MIN(loaded_at), %s) - INTERVAL 1000 MICROSECOND FROM models "
        "WHERE loaded_at > %s",
        (version, kind_of(metadata), source_of(metadata), json.dumps(metadata), now, _NEVER),
    )


def answering_now(transaction: Transaction) -> Row | None:
    """Return the model that answers now: version, metadata (JSON), source, and promoted_at, or loaded_at without one.

    That is the promoted one, as `/health` tells it, before the first score by it is stored.
    """
    return transaction.row(
        "SELECT version, metadata, source, loaded_at, promoted_at FROM models "
        "ORDER BY GREATEST(loaded_at, COALESCE(promoted_at, loaded_at)) DESC LIMIT 1"
    )


def serves(transaction: Transaction, version: str) -> bool:
    """Return whether a version is the one that serves, or none is recorded."""
    row = transaction.row("SELECT version FROM models WHERE loaded_at > %s ORDER BY loaded_at DESC LIMIT 1", (_NEVER,))
    return row is None or row["version"] == version


def count_moves(transaction: Transaction, version: str, moves: Moves) -> None:
    """Add customers who were scored by the version that serves, and by another before, to its change."""
    transaction.execute(
        "UPDATE model_changes SET customers = customers + %s, moved_up = moved_up + %s, moved_down = moved_down + %s "
        "WHERE version = %s AND ended_at IS NULL",
        (moves.customers, moves.up, moves.down, version),
    )


def open_change(transaction: Transaction, version: str) -> int | None:
    """Return the key of the change to a version that goes on, None if there is none."""
    row = transaction.row("SELECT id FROM model_changes WHERE version = %s AND ended_at IS NULL", (version,))
    return None if row is None else int(row["id"])


def end_change(transaction: Transaction, key: int, now: datetime) -> None:
    """End a change, unless it has ended: every customer has been scored by the version."""
    transaction.execute("UPDATE model_changes SET ended_at = %s WHERE id = %s AND ended_at IS NULL", (now, key))


def lease_untold(transaction: Transaction) -> list[Row]:
    """Return the changes that have ended and are to be told, for the caller alone for a while."""
    rows = transaction.rows(
        "SELECT id, version, previous_version, customers, moved_up, moved_down, ended_at FROM model_changes "
        "WHERE ended_at IS NOT NULL AND superseded = 0 AND told_at IS NULL "
        "AND (leased_until IS NULL OR leased_until < UTC_TIMESTAMP(3)) ORDER BY id FOR UPDATE"
    )
    for row in rows:
        transaction.execute(
            f"UPDATE model_changes SET leased_until = UTC_TIMESTAMP(3) + INTERVAL {_LEASE_SECONDS} SECOND "
            "WHERE id = %s",
            (row["id"],),
        )
    return rows


def mark_told(transaction: Transaction, key: int) -> None:
    """Note that a change was told."""
    transaction.execute("UPDATE model_changes SET told_at = UTC_TIMESTAMP(3) WHERE id = %s", (key,))


def every_metadata(transaction: Transaction) -> dict[str, dict[str, Any]]:
    """Return what is known of each version that has served."""
    rows = transaction.rows("SELECT version, metadata FROM models ORDER BY version")
    return {row["version"]: json.loads(row["metadata"]) for row in rows}


def horizons(transaction: Transaction) -> dict[str, int]:
    """Return the horizon in days of the versions that have served, where their metadata tells it."""
    days = {version: metadata.get("horizon_days") for version, metadata in every_metadata(transaction).items()}
    return {version: int(number) for version, number in days.items() if number}


def _begin_change(transaction: Transaction, version: str, previous: str, now: datetime) -> None:
    """Begin a change; one that goes on ends untold, as its customers are counted in the new one."""
    transaction.execute("UPDATE model_changes SET ended_at = %s, superseded = 1 WHERE ended_at IS NULL", (now,))
    transaction.execute(
        "INSERT INTO model_changes (version, previous_version, began_at) VALUES (%s, %s, %s)", (version, previous, now)
    )
