"""Predictions on request, also for customers that are other than they are: nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from churn.domain.errors import CustomerNotFoundError, CustomerUnreadableError, FieldError, InvalidInputError
from churn.domain.explanations import drivers, interval_json, others, rounded
from churn.domain.features import BY_NAME, FEATURE_NAMES, FEATURES, Features, overridden
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
    def is_complete(self) -> bool:
        """Whether all features are given: there is an answer also where nothing is stored of the customer."""
        return self.given.keys() >= set(FEATURE_NAMES)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The features that a question is about, and those that the customer really has, where some were given.

    `changes`: the names of the given features that are other than stored, in the model's order. What is given just as
    stored is no change, so the model is told the same as without it.
    """

    customer_id: str | None
    features: Features
    stored: Features | None = None
    changes: tuple[str, ...] = ()


Stored = Mapping[str, Features | CustomerUnreadableError]
"""The stored features of customers by their ids, without the unknown; an error in place of what cannot be read."""


def resolve(question: Question, stored: Stored) -> Scenario:
    """Return what a question is about.

    Raises CustomerNotFoundError, CustomerUnreadableError, NothingKnownError.
    """
    found = None if question.customer_id is None else stored.get(question.customer_id)
    if found is None or isinstance(found, CustomerUnreadableError):
        if question.customer_id is not None and not question.is_complete:
            raise found or CustomerNotFoundError(question.customer_id)
        if all(value is None for value in question.given.values()):
            raise NothingKnownError
        return Scenario(question.customer_id, overridden({}, question.given))
    changed = {
        feature.name: question.given[feature.name]
        for feature in FEATURES
        if feature.name in question.given and not feature.is_same(question.given[feature.name], found[feature.name])
    }
    features = overridden(found, changed)
    if all(value is None for value in features.values()):
        raise NothingKnownError
    return Scenario(question.customer_id, features, found if question.given else None, tuple(changed))


def stored_features(questions: Collection[Question], load: Callable[[set[str]], Stored]) -> Stored:
    """Return the stored features of the customers named, by customer id; `load` is not called when none is."""
    wanted = {question.customer_id for question in questions if question.customer_id is not None}
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
    comparisons = compare(model, scenarios, [answer["churn_probability"] for answer in answers])
    for answer, comparison in zip(answers, comparisons, strict=True):
        if comparison is not None:
            answer["what_if"] = comparison
    return answers


def compare(model: Predictor, scenarios: Sequence[Scenario], answered: Sequence[float]) -> list[WhatIf | None]:
    """Return for each scenario the probability without its changes, and what each did; None where nothing is stored.

    `answered`: the probabilities of the answers, rounded. Digit by digit that without the changes and the change add up
    to it, and the effects to the change. Each effect is what the change does when it is made after some of the others,
    on average over their orders: all of them for up to three changes, which makes it the Shapley value; for more the
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
        None if of_scenario is None else _comparison(scenario, of_scenario, _of(reached, number), after)
        for number, (scenario, of_scenario, after) in enumerate(zip(scenarios, orders, answered, strict=True))
    ]


def _orders(changes: tuple[str, ...]) -> list[tuple[str, ...]]:
    turned = [(*changes[first:], *changes[:first]) for first in range(len(changes))] or [()]
    return sorted({*turned, *(order[::-1] for order in turned)})


def _partly(scenario: Scenario, changed: frozenset[str]) -> Features:
    return overridden(scenario.stored or {}, {name: scenario.features[name] for name in changed})


def _of(reached: Mapping[tuple[int, frozenset[str]], float], number: int) -> Callable[[Sequence[str]], float]:
    return lambda made: reached[number, frozenset(made)]


def _comparison(
    scenario: Scenario,
    orders: Sequence[tuple[str, ...]],
    probability: Callable[[Sequence[str]], float],
    after: float,
) -> WhatIf:
    def effect(name: str) -> float:
        places = [(order, order.index(name)) for order in orders]
        steps = [probability(order[: place + 1]) - probability(order[:place]) for order, place in places]
        return sum(steps) / len(steps)

    before = rounded(probability(())) if scenario.changes else after
    change = rounded(after - before)
    stored = scenario.stored or {}
    effects = _rounded_parts([effect(name) for name in scenario.changes], change)
    return {
        "churn_probability": before,
        "change": change,
        "changes": [
            {
                "feature": name,
                "stored": BY_NAME[name].shown(stored.get(name)),
                "given": scenario.features[name],
                "effect": part,
            }
            for name, part in zip(scenario.changes, effects, strict=True)
        ],
    }


def _rounded_parts(parts: Sequence[float], whole: float) -> list[float]:
    """Return the parts of a rounded whole, rounded so that they add up to it."""
    reached = [0.0, *(rounded(value) for value in accumulate(parts)), whole]
    del reached[-2]
    return [rounded(after - before) for before, after in pairwise(reached)] if parts else []


def _answer(scenario: Scenario, prediction: Prediction, bands: RiskBands, horizon_days: int) -> PredictionAnswer:
    probability = rounded(prediction.churn_probability)
    reasons = drivers(prediction.contributions, scenario.features)
    actions = recommend(
        scenario.features, probability, prediction.contributions, bands=bands, horizon_days=horizon_days
    )
    answer: PredictionAnswer = {
        "customer_id": scenario.customer_id,
        "churn_probability": probability,
        "risk_level": bands.level(probability),
        "recommendations": [action["text"] for action in actions],
        "recommended_actions": actions,
        "base_probability": rounded(prediction.base),
        "confidence": prediction.confidence,
        "model_version": prediction.model_version,
        "model_kind": prediction.model_kind,
        "probability_interval": interval_json(prediction.interval),
        "drivers": reasons,
        "other_contributions": others(probability, rounded(prediction.base), reasons),
    }
    if scenario.customer_id is None:
        del answer["customer_id"]
    return answer
