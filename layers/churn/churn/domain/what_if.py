"""Predictions on request, also for customers that are other than they are: nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, batched, pairwise, permutations
from typing import TYPE_CHECKING

from churn.domain.assumptions import ACTION_EFFECTS
from churn.domain.errors import CustomerNotFoundError, CustomerUnreadableError, FieldError, InvalidInputError
from churn.domain.expectations import Moved, held_direction, surprise
from churn.domain.explanations import drivers, interval_json, others, rounded
from churn.domain.features import BY_NAME, FEATURE_NAMES, FEATURES, Features, overridden
from churn.domain.hypotheses import SILENCE, Change, Hypothesis, HypotheticalEvent, StoredCustomer, Way, fits
from churn.domain.model import Prediction, Predictor
from churn.domain.outlooks import expected_of
from churn.domain.recommendations import recommend
from churn.domain.risk import RiskBands, money_of

if TYPE_CHECKING:
    from churn.domain.answers import EventChange, FeatureChange, ImpliedChange, PredictionAnswer, WhatIf

_ALL_ORDERS = 3
"""Up to so many changes each order of them is considered; of more, one order and its reverse."""
_AT_ONCE = 20
"""The model is asked about the ways of so many customers at once."""


class NothingKnownError(InvalidInputError):
    """Neither a customer nor a single feature is given."""

    def __init__(self) -> None:
        sentence = f"Give a customer_id or at least one of the features: {', '.join(FEATURE_NAMES)}."
        super().__init__(FieldError("", sentence))


class BeforeAccountError(InvalidInputError):
    """Events are asked for that lie before the customer was first known."""


class ContradictoryError(InvalidInputError):
    """What is asked for is not of one customer: sums that do not fit the orders, an account younger than an order."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a prediction is wanted for: a customer with other values or `events`, or features alone."""

    customer_id: str | None
    given: Mapping[str, float | None]
    events: tuple[HypotheticalEvent, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all features are given: there is an answer also where nothing is stored of the customer."""
        return self.given.keys() >= set(FEATURE_NAMES)

    @property
    def needs_value(self) -> bool:
        """Whether the value of a usual order of the customer is needed."""
        return bool(self.given) or any(event.needs_value for event in self.events)

    @property
    def is_hypothetical(self) -> bool:
        """Whether anything is asked of a customer that may be other than stored."""
        return self.customer_id is not None and bool(self.given or self.events)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The features that a question is about, and the hypothesis that they come from, where there is one."""

    customer_id: str | None
    features: Features
    hypothesis: Hypothesis | None = field(default=None, compare=False)


Stored = Mapping[str, StoredCustomer | CustomerUnreadableError]
"""Stored customers by their ids, without the unknown; an error in place of what cannot be read."""


def resolve(question: Question, stored: Stored) -> Scenario:
    """Return what a question is about.

    Raises CustomerNotFoundError, CustomerUnreadableError, NothingKnownError, BeforeAccountError, ContradictoryError.
    """
    found = None if question.customer_id is None else stored.get(question.customer_id)
    if found is None or isinstance(found, CustomerUnreadableError):
        if question.customer_id is not None and not question.is_complete:
            raise found or CustomerNotFoundError(question.customer_id)
        if all(value is None for value in question.given.values()):
            raise NothingKnownError
        return Scenario(question.customer_id, overridden({}, question.given))
    _refuse_before_account(question, found.inputs)
    hypothesis = Hypothesis(found, question.given, question.events) if question.is_hypothetical else None
    features = found.inputs if hypothesis is None else hypothesis.inputs(frozenset(hypothesis.changes))
    if all(value is None for value in features.values()):
        raise NothingKnownError
    if not question.is_complete:
        _refuse_contradictory(question.given, features)
    return Scenario(question.customer_id, features, hypothesis)


def stored_customers(questions: Collection[Question], load: Callable[[set[str], set[str]], Stored]) -> Stored:
    """Return the stored customers that are named; `load` is not called when none is.

    It takes their ids, and the ids of those whose orders' values are needed.
    """
    wanted = {question.customer_id for question in questions if question.customer_id is not None}
    with_values = {question.customer_id for question in questions if question.customer_id and question.needs_value}
    return load(wanted, with_values) if wanted else {}


def _refuse_before_account(question: Question, stored: Features) -> None:
    known, age = BY_NAME["account_age_days"], stored["account_age_days"]
    instants = [(f"events.{number}.days_ago", event.days_ago) for number, event in enumerate(question.events)]
    first = question.given.get(SILENCE)
    # Of who never ordered, days since the last order are an order.
    if first is not None and stored[SILENCE] is None and known.name not in question.given:
        instants.append((SILENCE, first))
    errors = [
        FieldError(name, f"is before the customer was first known, {known.shown(age):g} days ago")
        for name, days in instants
        if age is not None and days > age and not known.is_same(days, age)
    ]
    if errors:
        raise BeforeAccountError(*errors)


def _refuse_contradictory(given: Mapping[str, float | None], features: Features) -> None:
    """Refuse what is not of one customer; who gives all 12 features is taken at their word."""
    age, silence = given.get("account_age_days"), features[SILENCE]
    if age is not None and silence is not None and age < silence and not BY_NAME[SILENCE].is_same(age, silence):
        sentence = f"is less than the {BY_NAME[SILENCE].shown(silence):g} days since the last order"
        raise ContradictoryError(FieldError("account_age_days", sentence))
    orders, spent, mean = features["total_orders"], given.get("total_spent"), given.get("avg_order_value")
    if orders is None or spent is None or mean is None or fits(orders, spent, mean):
        return
    sentence = f"does not fit a total_spent of {spent:g} with {orders:g} orders: leave one of them out"
    raise ContradictoryError(FieldError("avg_order_value", sentence))


def predict(
    model: Predictor,
    scenarios: Sequence[Scenario],
    *,
    bands: RiskBands,
    effects: Mapping[str, float] = ACTION_EFFECTS,
) -> list[PredictionAnswer]:
    """Return an answer for each scenario.

    A longer silence never lowers a risk: the answer is the highest of the instants on the way there, also after a
    hypothetical order. Nor do failed payments and tickets, and orders since the last one never raise it: the answer is
    then that without them. `effects` are the shares of the value at risk that actions save.
    """
    if not scenarios:
        return []
    compared = [None if one.hypothesis is None else _Comparison(one.hypothesis, one.features) for one in scenarios]
    _ask(model, [comparison for comparison in compared if comparison is not None])
    answers = []
    for scenario, comparison, found in zip(
        scenarios, compared, model.predict([scenario.features for scenario in scenarios]), strict=True
    ):
        prediction = found if comparison is None else comparison.lifted(found)
        answer = _answer(scenario, prediction, bands, effects)
        if comparison is not None:
            answer["what_if"] = comparison.answer(answer["churn_probability"], prediction, model)
        answers.append(answer)
    return answers


def _ask(model: Predictor, compared: Sequence[_Comparison]) -> None:
    # Ways are long: not all of a batch are held at once.
    for few in batched(compared, _AT_ONCE, strict=False):
        probabilities = iter(model.probabilities([row for comparison in few for row in comparison.rows()]))
        for comparison in few:
            comparison.take(probabilities)


class _Comparison:
    """What changes of a customer do, beside the customer as stored.

    Each effect is what a change does after some of the others, on average over their orders: all of them
    for up to three changes, which makes it the Shapley value; for more one order, forwards and backwards.
    """

    def __init__(self, hypothesis: Hypothesis, features: Features) -> None:
        """Take the features after all changes."""
        self._hypothesis = hypothesis
        self._features = features
        self._changes = hypothesis.changes
        self._orders = _orders(self._changes)
        made = [frozenset(order[:count]) for order in self._orders for count in range(len(order) + 1)]
        self._parts = tuple(dict.fromkeys(made))
        self._ways: list[Way] = []
        self._reached: dict[frozenset[Change], float] = {}
        self._lift = self._stored = 0.0
        self._lifting = ""

    def rows(self) -> list[Features]:
        """Return the rows whose probabilities are needed: first the customer as stored, then the ways."""
        self._ways = [self._hypothesis.way(part) for part in self._parts]
        return [self._hypothesis.stored, *(row for way in self._ways for row in way.rows)]

    def take(self, probabilities: Iterator[float]) -> None:
        """Take the probabilities of the rows."""
        self._stored = next(probabilities)
        for made, way in zip(self._parts, self._ways, strict=True):
            alone, risk = way.never_falling(probabilities)
            self._reached[made] = self._held(made, risk)
            if len(made) == len(self._changes):
                self._lift = self._reached[made] - alone
        self._ways.clear()

    def _held(self, made: frozenset[Change], probability: float) -> float:
        """Return the probability with some of the changes, kept from going against their direction."""
        if not made:
            return probability
        direction, self._lifting = held_direction(self._hypothesis, made)
        start = self._reached[frozenset()]
        return max(start, probability) if direction > 0 else min(start, probability) if direction else probability

    def lifted(self, prediction: Prediction) -> Prediction:
        """Return the prediction moved to where the answer is; by how much is the share of the feature that is held."""
        if not self._lift:
            return prediction
        points, ends, lift, name = prediction.contributions, prediction.interval, self._lift, self._lifting
        return replace(
            prediction,
            churn_probability=prediction.churn_probability + lift,
            contributions={**points, name: points.get(name, 0.0) + lift},
            interval=None if ends is None else (max(0.0, ends[0] + lift), min(1.0, ends[1] + lift)),
        )

    def answer(self, after: float, prediction: Prediction, model: Predictor) -> WhatIf:
        """Return what the changes do; `after` is the rounded probability of the answer.

        Digit by digit the probability without the changes and the change add up to it, and the effects to the change.
        """
        hypothesis = self._hypothesis
        before = rounded(self._reached[frozenset()]) if self._changes else after
        change = rounded(after - before)
        effects = _rounded_parts([self._effect(name) for name in self._changes], change)
        stored = rounded(self._stored)
        return {
            "churn_probability": before,
            "stored_probability": None if hypothesis.is_as_stored or stored == before else stored,
            "change": change,
            "changes": [_change(hypothesis, name, effect) for name, effect in zip(self._changes, effects, strict=True)],
            "implied": _implied(hypothesis, self._features),
            "days_later": BY_NAME[SILENCE].shown(hypothesis.days_later) or 0.0,
            "surprise": surprise(
                hypothesis,
                Moved(change, self._lift, dict(zip(self._changes, effects, strict=True))),
                prediction,
                lambda features: model.predict([features])[0],
            ),
        }

    def _effect(self, name: Change) -> float:
        places = [(order, order.index(name)) for order in self._orders]
        steps = [
            self._reached[frozenset(order[: place + 1])] - self._reached[frozenset(order[:place])]
            for order, place in places
        ]
        return sum(steps) / len(steps)


def _orders(changes: tuple[Change, ...]) -> list[tuple[Change, ...]]:
    if len(changes) <= _ALL_ORDERS:
        return list(permutations(changes))
    return [changes, changes[::-1]]


def _change(hypothesis: Hypothesis, name: Change, effect: float) -> FeatureChange | EventChange:
    if isinstance(name, int):
        event = hypothesis.events[name]
        return {"event_type": event.event_type, "days_ago": event.days_ago, "effect": effect}
    return {
        "feature": name,
        "stored": BY_NAME[name].shown(hypothesis.stored[name]),
        "given": hypothesis.given[name],
        "effect": effect,
    }


def _implied(hypothesis: Hypothesis, features: Features) -> list[ImpliedChange]:
    """Return the features that moved with the changes and were not asked for, in the model's order."""
    return [
        {
            "feature": one.name,
            "stored": one.shown(hypothesis.stored[one.name]),
            "becomes": one.shown(features[one.name]),
        }
        for one in FEATURES
        if one.name not in hypothesis.given and not one.is_same(hypothesis.stored[one.name], features[one.name])
    ]


def _rounded_parts(parts: Sequence[float], whole: float) -> list[float]:
    """Return the parts of a rounded whole, rounded so that they add up to it."""
    reached = [0.0, *(rounded(value) for value in accumulate(parts)), whole]
    del reached[-2]
    return [rounded(after - before) for before, after in pairwise(reached)] if parts else []


def _answer(
    scenario: Scenario, prediction: Prediction, bands: RiskBands, effects: Mapping[str, float]
) -> PredictionAnswer:
    probability = rounded(prediction.churn_probability)
    reasons = drivers(prediction.contributions, scenario.features)
    money = money_of(prediction)
    actions = recommend(
        scenario.features,
        probability,
        prediction.contributions,
        bands=bands,
        at_risk=money.value_at_risk,
        effects=effects,
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
        "model_source": prediction.model_source,
        "probability_interval": interval_json(prediction.interval),
        "drivers": reasons,
        "other_contributions": others(probability, rounded(prediction.base), reasons),
        # mypy holds that the part might have `what_if`, too.
        **expected_of(prediction.outlook, money.expected_spend),  # type: ignore[typeddict-item]
    }
    if scenario.customer_id is None:
        del answer["customer_id"]
    return answer
