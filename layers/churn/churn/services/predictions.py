"""Reading the stored predictions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, predictions, totals
from churn.adapters.mysql.database import Row
from churn.domain.timestamps import iso

if TYPE_CHECKING:
    from churn.domain.answers import PredictionPage, StoredPrediction


def list_predictions(
    database: Database,
    *,
    limit: int,
    risk_level: str | None = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
) -> PredictionPage:
    """Return stored predictions, the newest first. Raises DatabaseUnavailableError."""

    def work(transaction: Transaction) -> PredictionPage:
        rows, total = predictions.newest(
            transaction, limit=limit, risk_level=risk_level, date_from=date_from, date_to=date_to
        )
        if total is None:
            sums = totals.read(transaction, "predictions:")
            total = sums[f"predictions:{risk_level}"] if risk_level else sums.total()
        return {"predictions": [_prediction_json(row) for row in rows], "total": total}

    return database.read(work)


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
