"""Requests for predictions, one and many, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churn.domain import what_if
from churn.domain.errors import DATA_ERRORS, ChurnError, FieldError
from churn.domain.features import FEATURE_NAMES
from churn.domain.hypotheses import HypotheticalEvent, StoredCustomer
from churn.domain.identifiers import as_sent
from churn.domain.model import Predictor, answering
from churn.domain.what_if import Question, Scenario, Stored
from churn.entrypoints.http.app import check
from churn.entrypoints.http.problems import ProblemError, bad_request, problem_of
from churn.entrypoints.http.requests import PredictionRequest, Request
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.answers import BatchAnswer, BatchError, PredictionAnswer

Load = Callable[[set[str], set[str]], Stored]
"""Customers by their ids, and the ids of those whose orders' values are needed. Raises DatabaseUnavailableError."""


def answer_one(model: Predictor, body: Request, load: Load, settings: Settings) -> PredictionAnswer:
    """Return the prediction for one request. Raises ProblemError, DatabaseUnavailableError."""
    question = _question(body)
    stored = _attempt(lambda: what_if.stored_customers([question], load))
    asked = _asked(model, question, stored)
    return _answers([asked], settings)[0]


def answer_many(model: Predictor, items: list[Any], load: Load, settings: Settings) -> BatchAnswer:
    """Return the predictions for many requests, in order, with a problem in the place of each that has none.

    Only the items that need what is stored of a customer fail with the database.
    """
    results: list[Any] = [_attempt(lambda item=item: _question(_item(item))) for item in items]  # type: ignore[misc]
    stored = _attempt(lambda: what_if.stored_customers([r for r in results if isinstance(r, Question)], load))
    attempts: list[_Asked | ProblemError] = [
        _attempt(lambda result=result: _asked(model, result, stored)) if isinstance(result, Question) else result  # type: ignore[misc]
        for result in results
    ]
    answers = iter(_predict([attempt for attempt in attempts if isinstance(attempt, _Asked)], settings))
    done = [next(answers) if isinstance(attempt, _Asked) else attempt for attempt in attempts]
    return {
        "predictions": [
            _error(one, item) if isinstance(one, ProblemError) else one for one, item in zip(done, items, strict=True)
        ]
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question is about, and the model that answers it."""

    scenario: Scenario
    model: Predictor


def _asked(model: Predictor, question: Question, stored: Stored | ProblemError) -> _Asked:
    """Return what a question is about. Raises ProblemError, ChurnError."""
    if isinstance(stored, ProblemError):
        if question.customer_id is not None and not question.is_complete:
            raise stored
        stored = {}
    customer = None if question.customer_id is None else stored.get(question.customer_id)
    # Features of nobody whom the shop knows are asked of the model that serves, whatever it learned from.
    of_sample = not isinstance(customer, StoredCustomer) or customer.of_sample
    return _Asked(what_if.resolve(question, stored), answering(model, of_sample=of_sample))


def _predict(questions: Sequence[_Asked], settings: Settings) -> Sequence[PredictionAnswer | ProblemError]:
    """Return an answer for each question; what a model cannot work with is halved down to the one that it is."""
    try:
        return _answers(questions, settings)
    except DATA_ERRORS as error:
        if len(questions) == 1:
            return [problem_of(error)]
        middle = len(questions) // 2
        return [*_predict(questions[:middle], settings), *_predict(questions[middle:], settings)]


def _answers(questions: Sequence[_Asked], settings: Settings) -> list[PredictionAnswer]:
    """Return an answer for each question, by one call for each model."""
    answers: dict[int, PredictionAnswer] = {}
    models = {question.model.version: question.model for question in questions}
    for version, model in models.items():
        places = [place for place, question in enumerate(questions) if question.model.version == version]
        scenarios = [questions[place].scenario for place in places]
        found = what_if.predict(model, scenarios, bands=settings.bands, effects=settings.action_effects)
        answers.update(zip(places, found, strict=True))
    return [answers[place] for place in range(len(questions))]


def _attempt[T](work: Callable[[], T]) -> T | ProblemError:
    try:
        return work()
    except (ProblemError, ChurnError) as error:
        return problem_of(error)


def _item(item: Any) -> Request:
    if not isinstance(item, dict):
        raise bad_request(FieldError("", "an item must be an object"))
    return check(PredictionRequest, item)


def _question(body: Request) -> Question:
    values = {name: getattr(body, name) for name in FEATURE_NAMES if name in body.model_fields_set}
    customer_id, events = getattr(body, "customer_id", None), getattr(body, "events", None) or []
    errors = [
        FieldError(f"events.{number}.{event.missing}", f"is required of {event.event_type}")
        for number, event in enumerate(events)
        if event.missing
    ]
    if events and customer_id is None:
        errors.append(FieldError("customer_id", "is required with events"))
    if events and values:
        errors.append(FieldError("events", f"cannot stand beside features ({', '.join(values)}): ask one by one"))
    if errors:
        raise bad_request(*errors)
    asked = tuple(HypotheticalEvent(event.event_type, event.days_ago, event.data) for event in events)
    return Question(customer_id, values, asked)


def _error(problem: ProblemError, item: Any) -> BatchError:
    document = problem.to_dict()
    error: BatchError = {"error": document["error"], "code": document["code"], "errors": document["errors"]}
    with suppress(ValueError, AttributeError):
        error["customer_id"] = as_sent(item.get("customer_id"))
    return error
