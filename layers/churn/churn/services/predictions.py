"""Reading the stored predictions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, predictions, totals
from churn.adapters.mysql.customer_pages import Position
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.predictions import Wanted
from churn.domain.timestamps import iso
from churn.services.cursors import read_prediction_cursor, write_prediction_cursor

if TYPE_CHECKING:
    from churn.domain.answers import PredictionPage, PredictionPart, StoredPrediction


def list_predictions(
    database: Database,
    *,
    limit: int,
    risk_level: str | None = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    cursor: str | None = None,
) -> PredictionPage:
    """Return stored predictions, the newest first. Raises InvalidCursorError, DatabaseUnavailableError."""
    wanted = Wanted(risk_level, date_from, date_to)
    position = None if cursor is None else read_prediction_cursor(cursor)

    def work(transaction: Transaction) -> PredictionPage:
        if wanted.has_time:
            total = predictions.count(transaction, wanted)
        else:
            sums = totals.read(transaction, "predictions:")
            total = sums[f"predictions:{risk_level}"] if risk_level else sums.total()
        return {**_part(transaction, wanted, limit, position), "total": total}

    return database.read(work)


def part_of_predictions(
    database: Database,
    *,
    limit: int,
    risk_level: str | None = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    cursor: str | None = None,
) -> PredictionPart:
    """Return stored predictions as `list_predictions` does, and count nothing, as every part of a file would."""
    wanted = Wanted(risk_level, date_from, date_to)
    position = None if cursor is None else read_prediction_cursor(cursor)
    return database.read(lambda transaction: _part(transaction, wanted, limit, position))


def _part(transaction: Transaction, wanted: Wanted, limit: int, position: Position | None) -> PredictionPart:
    rows = predictions.newest(transaction, wanted, limit=limit + 1, after=position)
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
        "created_at": iso(row["created_at"]),
    }
