"""What clients send over a WebSocket, typed as the requests of the routes are."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.identifiers import as_sent, canonical, stands_for_nobody
from churn.domain.prediction_filter import MAX_CUSTOMERS, PredictionFilter
from churn.domain.risk import RISK_LEVELS, RiskLevel
from churn.entrypoints.http.requests import CustomerId, Request
from churn.settings import Settings


def _risk(value: object) -> object:
    match value:
        case str() if value in RISK_LEVELS:
            return value
        case int() | float() if not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
    raise ValueError(f"must be a probability from 0 to 1, or one of {', '.join(RISK_LEVELS)}")


class PredictionsWanted(Request):
    """Which predictions a socket is to be told of: all fields that are given must hold."""

    customer_ids: Annotated[list[CustomerId], Field(min_length=1, max_length=MAX_CUSTOMERS)] | None = None
    """Only those of these customers, and then all of theirs."""
    min_risk: Annotated[float | RiskLevel, BeforeValidator(_risk)] | None = None
    """Only those with at least this churn probability, or from this risk level on."""
    segment: Annotated[str, BeforeValidator(as_sent), Field(min_length=1, max_length=200)] | None = None
    """Only those of customers who are in this segment, by its id or name, when the prediction is pushed."""

    def filter(self, settings: Settings) -> PredictionFilter:
        """Return what is asked for beside the segment.

        Raises InvalidInputError, which names its place, for an id that stands for nobody.
        """
        for place, customer_id in enumerate(self.customer_ids or ()):
            if stands_for_nobody(canonical(customer_id), settings.allowed_customer_ids):
                raise InvalidInputError(FieldError(f"customer_ids.{place}", "stands for no customer"))
        risk = self.min_risk or 0.0
        return PredictionFilter(
            None if self.customer_ids is None else tuple(dict.fromkeys(self.customer_ids)),
            settings.bands.entry(risk) if isinstance(risk, str) else risk,
        )
