"""What a transaction of scoring gathers on its way, and what it reads off the customers that it holds."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
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
    models: dict[int, Predictor] = field(default_factory=dict)
    """By key: what answers for the customer."""
    change: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    """Events of the stream that are applied, by type."""
    moves: Counter[str] = field(default_factory=Counter)
    """Customers who were scored by another version before, and how many of them moved `up` and `down` a level."""

    def answers(self, asked: Container[int]) -> dict[int, Estimate]:
        """Return the models' answers by key: predictions for those of `asked`, and estimates for the others."""
        self.explain(asked)
        answers: dict[int, Estimate] = {**self.explained}
        for model, own in self._by_model([pk for pk in self.inputs if pk not in self.explained]):
            answers.update(zip(own, estimate(model, [self.inputs[pk] for pk in own]), strict=True))
        return answers

    def explain(self, keys: Container[int]) -> None:
        """Predict for those of some customers who have no prediction yet."""
        for model, own in self._by_model([pk for pk in self.inputs if pk in keys and pk not in self.explained]):
            self.explained.update(zip(own, predict(model, [self.inputs[pk] for pk in own]), strict=True))

    def _by_model(self, keys: Sequence[int]) -> Iterable[tuple[Predictor, list[int]]]:
        """Return each model that answers for some customers, with their keys."""
        groups: dict[str, tuple[Predictor, list[int]]] = {}
        for pk in keys:
            model = self.models[pk]
            groups.setdefault(model.version, (model, []))[1].append(pk)
        return groups.values()


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
