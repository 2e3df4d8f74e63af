"""What a transaction of scoring gathers on its way, and what it reads off the customers that it holds."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime

from churn.adapters.mysql.customers import Customer
from churn.domain.features import Inputs, Observed
from churn.domain.model import Estimate, Prediction, Predictor, estimate, predict
from churn.domain.risk import RiskLevel
from churn.domain.timestamps import from_millis
from churn.services.alert_raising import AlertRaising


@dataclass(slots=True)
class Work:
    """What is to be written at the end of the transaction."""

    now: datetime
    observed: Observed
    raising: AlertRaising
    stored: list[tuple[int, RiskLevel, Prediction]] = field(default_factory=list)
    explained: dict[int, Prediction] = field(default_factory=dict)
    """By key: of those whose stored reasons would no longer say the truth."""
    inputs: dict[int, Inputs] = field(default_factory=dict)
    change: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    """Events of the stream that are applied, by type."""
    moves: Counter[str] = field(default_factory=Counter)
    """Customers who were scored by another version before, and how many of them moved `up` and `down` a level."""

    def answers(self, model: Predictor, asked: Container[int]) -> dict[int, Estimate]:
        """Return the model's answers by key: predictions for those of `asked`, and estimates for the others."""
        self.explain(model, asked)
        others = [pk for pk in self.inputs if pk not in self.explained]
        estimates = estimate(model, [self.inputs[pk] for pk in others]) if others else []
        return {**self.explained, **dict(zip(others, estimates, strict=True))}

    def explain(self, model: Predictor, keys: Container[int]) -> None:
        """Predict for those of some customers who have no prediction yet."""
        missing = [pk for pk in self.inputs if pk in keys and pk not in self.explained]
        if missing:
            predictions = predict(model, [self.inputs[pk] for pk in missing])
            self.explained.update(zip(missing, predictions, strict=True))


def as_of(customer: Customer) -> datetime:
    """Return the instant that a customer is scored at: up to where the state has the events."""
    if customer.state.clock is None:
        raise ValueError(f"nothing was folded of customer {customer.pk}")
    return from_millis(customer.state.clock)


def level_of(customer: Customer) -> RiskLevel:
    """Return the risk level of a customer who has been scored."""
    level = customer.record.risk_level
    if level is None:
        raise ValueError(f"customer {customer.pk} has not been scored")
    return level
