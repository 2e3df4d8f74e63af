"""Predictions on request, also for customers that are other than they are: nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churn.domain.errors import CustomerNotFoundError, CustomerUnreadableError, FieldError, InvalidInputError
from churn.domain.explanations import drivers, interval_json
from churn.domain.features import FEATURE_NAMES, Features, overridden
from churn.domain.model import Prediction, Predictor
from churn.domain.recommendations import recommend
from churn.domain.risk import RiskBands

if TYPE_CHECKING:
    from churn.domain.answers import PredictionAnswer, WhatIf


class NothingKnownError(InvalidInputError):
    """Neither a customer nor a single feature is given."""

    def __init__(self) -> None:
        sentence = f"Give a customer_id or at least one of the features: {', '.join(FEATURE_NAMES)}."
        super().__init__(FieldError("", sentence))


@dataclass(frozen=True, slots=True)
class Question:
    """What a prediction is wanted for: `given` features, in the place of those of the customer where one is named."""

    customer_id: str | None
    given: Mapping[str, float | None]

    @property
    def needs_customer(self) -> bool:
        """Whether what is stored of the customer is needed."""
        return self.customer_id is not None and not self.given.keys() >= set(FEATURE_NAMES)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The features that a question is about, and those that the customer really has, where it changes any."""

    customer_id: str | None
    features: Features
    stored: Features | None

    @property
    def changes(self) -> list[str]:
        """The features that are other than stored, in the model's order."""
        stored = self.stored
        return [] if stored is None else [name for name in FEATURE_NAMES if self.features[name] != stored[name]]


Stored = Mapping[str, Features | CustomerUnreadableError]
"""The stored features of customers by their ids, without the unknown; an error in place of what cannot be read."""


def resolve(question: Question, stored: Stored) -> Scenario:
    """Return what a question is about.

    Raises CustomerNotFoundError, CustomerUnreadableError, NothingKnownError.
    """
    own: Features | None = None
    if question.needs_customer and question.customer_id is not None:
        if question.customer_id not in stored:
            raise CustomerNotFoundError(question.customer_id)
        found = stored[question.customer_id]
        if isinstance(found, CustomerUnreadableError):
            raise found
        own = found
    features = overridden(own or {}, question.given)
    if all(value is None for value in features.values()):
        raise NothingKnownError
    return Scenario(question.customer_id, features, own if question.given else None)


def stored_features(questions: Collection[Question], load: Callable[[set[str]], Stored]) -> Stored:
    """Return the stored features that the questions need, by customer id; `load` is not called when they need none."""
    wanted = {question.customer_id for question in questions if question.needs_customer and question.customer_id}
    return load(wanted) if wanted else {}


def predict(
    model: Predictor, scenarios: Sequence[Scenario], *, bands: RiskBands, horizon_days: int
) -> list[PredictionAnswer]:
    """Return an answer for each scenario, by one call of the model, and another where features were changed."""
    if not scenarios:
        return []
    predictions = model.predict([scenario.features for scenario in scenarios])
    answers = [
        _answer(scenario, prediction, bands, horizon_days)
        for scenario, prediction in zip(scenarios, predictions, strict=True)
    ]
    for answer, comparison in zip(answers, compare(model, scenarios), strict=True):
        if comparison is not None:
            answer["what_if"] = comparison
    return answers


def compare(model: Predictor, scenarios: Sequence[Scenario]) -> list[WhatIf | None]:
    """Return for each scenario the probability without its changes, and what each did; None where nothing is stored.

    The effects add up to the whole change. Each is what the change does when it is made after some of the others, on
    average over their orders: all of them for up to three changes, which makes it the Shapley value; for more the
    rotations of one order, forwards and backwards.
    """
    orders = [_orders(scenario.changes) if scenario.stored is not None else None for scenario in scenarios]
    steps = {
        (number, frozenset(order[:made]))
        for number, of_scenario in enumerate(orders)
        for order in of_scenario or ()
        for made in range(len(order) + 1)
    }
    subsets = list(steps)
    probabilities = (
        model.probabilities([_partly(scenarios[number], changed) for number, changed in subsets]) if subsets else []
    )
    reached = dict(zip(subsets, probabilities, strict=True))
    return [
        None if of_scenario is None else _comparison(scenario, of_scenario, _of(reached, number))
        for number, (scenario, of_scenario) in enumerate(zip(scenarios, orders, strict=True))
    ]


def _orders(changes: list[str]) -> list[tuple[str, ...]]:
    turned = [(*changes[first:], *changes[:first]) for first in range(len(changes))] or [()]
    return sorted({*turned, *(order[::-1] for order in turned)})


def _partly(scenario: Scenario, changed: frozenset[str]) -> Features:
    return overridden(scenario.stored or {}, {name: scenario.features[name] for name in changed})


def _of(reached: Mapping[tuple[int, frozenset[str]], float], number: int) -> Callable[[Sequence[str]], float]:
    return lambda made: reached[number, frozenset(made)]


def _comparison(
    scenario: Scenario, orders: Sequence[tuple[str, ...]], probability: Callable[[Sequence[str]], float]
) -> WhatIf:
    def effect(name: str) -> float:
        places = [(order, order.index(name)) for order in orders]
        steps = [probability(order[: place + 1]) - probability(order[:place]) for order, place in places]
        return sum(steps) / len(steps)

    before, after = probability(()), probability(scenario.changes)
    stored = scenario.stored or {}
    return {
        "churn_probability": before,
        "change": after - before,
        "changes": [
            {"feature": name, "stored": stored.get(name), "given": scenario.features[name], "effect": effect(name)}
            for name in scenario.changes
        ],
    }


def _answer(scenario: Scenario, prediction: Prediction, bands: RiskBands, horizon_days: int) -> PredictionAnswer:
    probability = prediction.churn_probability
    actions = recommend(
        scenario.features, probability, prediction.contributions, bands=bands, horizon_days=horizon_days
    )
    answer: PredictionAnswer = {
        "customer_id": scenario.customer_id,
        "churn_probability": probability,
        "risk_level": bands.level(probability),
        "recommendations": [action["text"] for action in actions],
        "recommended_actions": actions,
        "base_probability": prediction.base,
        "confidence": prediction.confidence,
        "model_version": prediction.model_version,
        "model_kind": prediction.model_kind,
        "probability_interval": interval_json(prediction.interval),
        "drivers": drivers(prediction.contributions, scenario.features),
    }
    if scenario.customer_id is None:
        del answer["customer_id"]
    return answer
