"""Table `models`: the versions that have served."""

import json
from collections.abc import Mapping
from datetime import datetime

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.model import kind_of


def record_serving(transaction: Transaction, version: str, metadata: Mapping[str, object], now: datetime) -> bool:
    """Record that a version serves from now on; return whether it serves for the first time."""
    changed = transaction.execute(
        "INSERT INTO models (version, kind, metadata, loaded_at) VALUES (%s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE metadata = VALUES(metadata), loaded_at = VALUES(loaded_at)",
        (version, kind_of(metadata), json.dumps(metadata), now),
    )
    # MySQL counts a new row as one and an updated row as two.
    return changed == 1


def newest(transaction: Transaction) -> Row | None:
    """Return the model that was loaded last: version, metadata (JSON), loaded_at."""
    return transaction.row("SELECT version, metadata, loaded_at FROM models ORDER BY loaded_at DESC LIMIT 1")


def horizons(transaction: Transaction) -> dict[str, int]:
    """Return the horizon in days of the versions that have served, where their metadata tells it."""
    days = {
        row["version"]: json.loads(row["metadata"]).get("horizon_days")
        for row in transaction.rows("SELECT version, metadata FROM models")
    }
    return {version: int(number) for version, number in days.items() if number}
