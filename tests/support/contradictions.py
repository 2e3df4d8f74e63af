"""What-ifs whose answer moves against what everybody takes for granted, counted over a shop's customers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, batched
from statistics import median
from typing import TYPE_CHECKING

from churn.domain.customer import replay
from churn.domain.events import Event
from churn.domain.features import Features, Observed
from churn.domain.hypotheses import HypotheticalEvent, HypotheticalType, StoredCustomer
from churn.domain.model import Predictor
from churn.domain.risk import RiskBands
from churn.domain.timestamps import to_millis
from churn.domain.what_if import Question, predict, resolve

if TYPE_CHECKING:
    from churn.domain.answers import PredictionAnswer

_POINT = 0.01
_CHUNK = 200

Ask = Callable[[Features], Question | None]


@dataclass(frozen=True, slots=True)
class Contradictions:
    """How many customers got an answer more than a point against the direction, and the worst, in points."""

    asked: int
    against: int
    worst: float

    @property
    def share(self) -> float:
        """The share of those asked."""
        return self.against / self.asked if self.asked else 0.0


def stored_customers(
    histories: Iterable[tuple[str, Sequence[Event]]], at: datetime, observed: Observed, within_days: int
) -> list[StoredCustomer]:
    """Return those of a shop's customers whom models are judged by, as stored at an instant."""
    clock = to_millis(at)
    customers = []
    for _, events in histories:
        state = replay((event for event in events if event.timestamp < at), clock)
        if state.is_eligible(clock, within_days):
            values = [order.cents or 0 for order in state.ledger.orders() if order.counts]
            customers.append(StoredCustomer(state, at, observed, round(median(values))))
    return customers


def contradictions(model: Predictor, customers: Sequence[StoredCustomer], ask: Ask, direction: int) -> Contradictions:
    """Ask a what-if of each customer; `direction` is 1 where the risk is taken to rise, -1 to fall."""
    moves: list[float] = []
    for answer in _answers(model, customers, ask):
        if answer is None:
            continue
        compared = answer["what_if"]
        assert compared is not None
        stored = compared["stored_probability"]
        before = compared["churn_probability"] if stored is None else stored
        moves.append((answer["churn_probability"] - before) * direction)
    return _counted(moves)


def contradictions_in_order(
    model: Predictor, customers: Sequence[StoredCustomer], asks: Iterable[Ask]
) -> Contradictions:
    """Ask each customer several what-ifs, of which each is taken to be no less risky than those before it."""
    rows = zip(*(_answers(model, customers, ask) for ask in asks), strict=True)
    curves = [[answer["churn_probability"] for answer in row if answer is not None] for row in rows]
    falls = [
        min(risk - highest for risk, highest in zip(curve, accumulate(curve, max), strict=True))
        for curve in curves
        if len(curve) > 1
    ]
    return _counted(falls)


def _answers(model: Predictor, customers: Sequence[StoredCustomer], ask: Ask) -> Iterator[PredictionAnswer | None]:
    """Yield the answer for each customer; None for whom the question is none."""
    for few in batched(customers, _CHUNK, strict=False):
        questions = [ask(customer.inputs) for customer in few]
        scenarios = [
            resolve(question, {"X": customer})
            for question, customer in zip(questions, few, strict=True)
            if question is not None
        ]
        answers = iter(predict(model, scenarios, bands=RiskBands()))
        yield from (None if question is None else next(answers) for question in questions)


def _counted(moves: Sequence[float]) -> Contradictions:
    """Return what moves in the expected direction, above 0, and against it count up to."""
    return Contradictions(len(moves), sum(move < -_POINT for move in moves), min([0.0, *moves]) * 100)


def _given(**values: Callable[[float], float]) -> Ask:
    def ask(features: Features) -> Question | None:
        given = {}
        for name, change in values.items():
            known = features[name]
            if known is None:
                return None
            given[name] = change(known)
        return Question("X", given)

    return ask


def _longer(days: float) -> Ask:
    return _given(days_since_last_order=lambda known: known + days)


def _more(feature: str, number: int) -> Ask:
    """Ask for so many more than there are; in a shop that sends none, for the first ones."""
    return lambda features: Question("X", {feature: (features[feature] or 0) + number})


def _event(event_type: HypotheticalType) -> Ask:
    return lambda _: Question("X", {}, (HypotheticalEvent(event_type, 0),))


_ORDER = HypotheticalEvent("order_placed", 0, {"order_value": 40})
TAKEN_FOR_GRANTED: dict[str, tuple[Ask, int]] = {
    "an order now": (_given(days_since_last_order=lambda _: 0.0), -1),
    "an order of 40 now": (lambda _: Question("X", {}, (_ORDER,)), -1),
    "twice the orders and the spend": (
        _given(total_orders=lambda known: known * 2, total_spent=lambda known: known * 2),
        -1,
    ),
    "a hundredth of a second more silence": (_longer(0.01 / 86_400), 1),
    "a day more silence": (_longer(1), 1),
    "a week more silence": (_longer(7), 1),
    "a month more silence": (_longer(30), 1),
    "a quarter more silence": (_longer(90), 1),
    "one failed payment more": (_more("payment_failures", 1), 1),
    "three failed payments": (_more("payment_failures", 3), 1),
    "one ticket more": (_more("support_tickets", 1), 1),
    "three tickets more": (_more("support_tickets", 3), 1),
    "150 orders more": (_more("total_orders", 150), -1),
    "150 tickets more": (_more("support_tickets", 150), 1),
    "a failed payment now": (_event("payment_failed"), 1),
    "a ticket now": (_event("support_ticket_created"), 1),
}
"""What-ifs whose direction users take for granted: how to ask, and whether the risk rises (1) or falls (-1)."""


def _silent_for(share: float) -> Ask:
    return _given(days_since_last_order=lambda known: known * share)


def _orders_silent_for(share: float) -> Ask:
    return _given(total_orders=lambda known: known + 2, days_since_last_order=lambda known: known * share)


def _ordered_before(share: float) -> Ask:
    def ask(features: Features) -> Question | None:
        silence = features["days_since_last_order"]
        if silence is None:
            return None
        return Question("X", {}, (HypotheticalEvent("order_placed", silence * share, {"order_value": 40}),))

    return ask


_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95)
_SHARES_BEYOND = (0.0, 0.5, 0.95, 1.0, 1.001, 1.05, 1.5, 2.0, 4.0)
IN_ORDER: dict[str, tuple[Ask, ...]] = {
    "an order now, and longer and longer ago": tuple(_silent_for(share) for share in _SHARES),
    "two orders now, and longer and longer ago": tuple(_orders_silent_for(share) for share in (*_SHARES, 1.0)),
    # Up to the stored silence the orders lie so many days ago; beyond it they are placed now, and silence follows.
    "two orders more, and more and more silence": tuple(_orders_silent_for(share) for share in _SHARES_BEYOND),
    "an order of 40 now, and longer and longer ago": tuple(_ordered_before(share) for share in _SHARES),
    "more and more silence": tuple(_longer(days) for days in (0.5, 1, 3, 7, 13, 30, 45, 61, 90, 120, 180, 365)),
}
"""What-ifs of which each is taken to be no less risky than those before it."""
