"""Predictions on request, also for customers that are other than they are: nothing of it is stored."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from churn.explain import drivers
from churn.features import FEATURE_NAMES, Features
from churn.risk import Prediction, RiskBands, recommend


class Model(Protocol):
    """What predicts."""

    def predict(self, rows: Sequence[Features]) -> list[Prediction]: ...


class UnknownCustomer(Exception):
    """There is no customer with this id."""


class NothingKnown(Exception):
    """Neither a customer nor a single feature is given."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a prediction is wanted for: `given` features, in the place of those of the customer where one is named."""

    customer_id: str | None
    given: Mapping[str, float | None]

    @property
    def needs_customer(self) -> bool:
        """Whether what is stored of the customer is needed."""
        return self.customer_id is not None and not self.given.keys() >= set(FEATURE_NAMES)


def resolve(question: Question, stored: Mapping[str, Features]) -> Features:
    """The features that a question is about. Raises UnknownCustomer, NothingKnown."""
    known: Mapping[str, float | None] = {}
    if question.needs_customer and question.customer_id is not None:
        if question.customer_id not in stored:
            raise UnknownCustomer(question.customer_id)
        known = stored[question.customer_id]
    features = {name: question.given.get(name, known.get(name)) for name in FEATURE_NAMES}
    if all(value is None for value in features.values()):
        raise NothingKnown
    return features


def stored_features(
    questions: Collection[Question], load: Callable[[set[str]], Mapping[str, Features]]
) -> Mapping[str, Features]:
    """The stored features that the questions need, by customer id; `load` is not called when they need none."""
    wanted = {question.customer_id for question in questions if question.needs_customer and question.customer_id}
    return load(wanted) if wanted else {}


def predict(model: Model, asked: Sequence[tuple[Question, Features]], bands: RiskBands) -> list[dict[str, Any]]:
    """An answer for each question with its features, by one call of the model."""
    if not asked:
        return []
    predictions = model.predict([features for _, features in asked])
    return [
        _answer(question, features, prediction, bands)
        for (question, features), prediction in zip(asked, predictions, strict=True)
    ]


def _answer(question: Question, features: Features, prediction: Prediction, bands: RiskBands) -> dict[str, Any]:
    answer: dict[str, Any] = {} if question.customer_id is None else {"customer_id": question.customer_id}
    return answer | {
        "churn_probability": prediction.churn_probability,
        "risk_level": bands.level(prediction.churn_probability),
        "recommendations": recommend(features, prediction.churn_probability, bands),
        "confidence": prediction.confidence,
        "model_version": prediction.model_version,
        "drivers": [
            {
                "feature": driver.feature,
                "value": driver.value,
                "contribution": driver.contribution,
                "sentence": driver.sentence,
            }
            for driver in drivers(prediction, features)
        ],
    }
