"""A model for tests: a plain function of the features, so that a test can say what risk a customer has."""

from collections.abc import Sequence
from typing import Any

from churn.domain.features import Features
from churn.domain.model import Estimate, Outlook, Prediction


class RecencyModel:
    """Churn probability rises by 0.01 a day since the last order, and by 0.1 a failed payment, to at most 0.99.

    Customers are expected to go on as they lived so far.
    """

    version = "recency-1"
    metadata: dict[str, Any] = {"metrics": {}}  # noqa: RUF012  (a protocol's attribute)

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        """One prediction a row."""
        self.calls += 1
        return [self._predict(row) for row in rows]

    def estimate(self, rows: Sequence[Features]) -> list[Estimate]:
        """One answer a row."""
        self.calls += 1
        return [
            Estimate(answer.churn_probability, answer.confidence, answer.model_version, outlook=answer.outlook)
            for answer in map(self._predict, rows)
        ]

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        """Return the churn probability of each row."""
        return [self._predict(row).churn_probability for row in rows]

    def _predict(self, row: Features) -> Prediction:
        recency = (row["days_since_last_order"] or 0) * 0.01
        failures = (row["payment_failures"] or 0) * 0.1
        probability = min(0.99, recency + failures)
        contributions = dict.fromkeys(row, 0.0) | {
            "days_since_last_order": recency,
            "payment_failures": probability - recency,
        }
        return Prediction(probability, 0.9, self.version, contributions, 0.0, outlook=_outlook(row))


def _outlook(row: Features) -> Outlook | None:
    """Return that a customer goes on as they lived so far, for 90 days."""
    if not row["total_orders"]:
        return None
    rate = 90 / max(row["account_age_days"] or 0.0, 30.0)
    spent = row["total_spent"]
    spend = None if spent is None else spent * rate
    return Outlook(row["total_orders"] * rate, spend, spend, None, 90 / rate / row["total_orders"], None)
