"""Reading the stored predictions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, predictions, totals
from churn.adapters.mysql.conditions import Counted
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.predictions import Wanted
from churn.domain.timestamps import iso
from churn.services.cursors import read_prediction_cursor, write_prediction_cursor

if TYPE_CHECKING:
    from churn.domain.answers import PredictionPage, PredictionPart, StoredPrediction


@dataclass(frozen=True, slots=True)
class PredictionQuery:
    """A choice of stored predictions, and a page of them, the newest first."""

    limit: int
    risk_level: str | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    cursor: str | None = None

    @property
    def wanted(self) -> Wanted:
        """Which predictions, on whatever page."""
        return Wanted(self.risk_level, self.date_from, self.date_to)


def list_predictions(database: Database, query: PredictionQuery) -> PredictionPage:
    """Return stored predictions, the newest first. Raises InvalidCursorError, DatabaseUnavailableError."""

    def work(transaction: Transaction) -> PredictionPage:
        counted = _counted(transaction, query)
        return {
            **_part(transaction, query),
            "total": counted.number,
            "total_is_lower_bound": counted.is_lower_bound,
        }

    return database.read(work)


def part_of_predictions(database: Database, query: PredictionQuery) -> PredictionPart:
    """Return stored predictions as `list_predictions` does, and count nothing, as every part of a file would."""
    return database.read(lambda transaction: _part(transaction, query))


def _counted(transaction: Transaction, query: PredictionQuery) -> Counted:
    if query.wanted.has_time:
        return predictions.count(transaction, query.wanted)
    sums = totals.read(transaction, "predictions:")
    number = sums[f"predictions:{query.risk_level}"] if query.risk_level else sums.total()
    return Counted(number, is_lower_bound=False)


def _part(transaction: Transaction, query: PredictionQuery) -> PredictionPart:
    position = None if query.cursor is None else read_prediction_cursor(query.cursor)
    limit = query.limit
    rows = predictions.newest(transaction, query.wanted, limit=limit + 1, after=position)
    more, rows = len(rows) > limit, rows[:limit]
    return {
        "predictions": [_prediction_json(row) for row in rows],
        "next_cursor": write_prediction_cursor(rows[-1]["created_at"], rows[-1]["id"]) if more else None,
    }


def _prediction_json(row: Row) -> StoredPrediction:
    return {
        "id": row["id"],
        "customer_id": row["customer_id"],
        "churn_probability": row["churn_probability"],
        "risk_level": row["risk_level"],
        "confidence": row["confidence"],
        "model_version": row["model_version"],
        "model_kind": row["model_kind"],
        "model_source": row["model_source"],
        "created_at": iso(row["created_at"]),
    }
