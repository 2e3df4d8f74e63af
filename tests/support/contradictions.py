"""What-ifs whose answer moves against what everybody takes for granted, counted over a shop's customers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from churn.domain.customer import replay
from churn.domain.events import Event
from churn.domain.features import Features, Observed
from churn.domain.hypotheses import HypotheticalEvent, StoredCustomer
from churn.domain.model import Predictor
from churn.domain.risk import RiskBands
from churn.domain.timestamps import to_millis
from churn.domain.what_if import Question, predict, resolve

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
    for start in range(0, len(customers), _CHUNK):
        scenarios = []
        for customer in customers[start : start + _CHUNK]:
            question = ask(customer.inputs)
            if question is not None:
                scenarios.append(resolve(question, {"X": customer}))
        for answer in predict(model, scenarios, bands=RiskBands()):
            compared = answer["what_if"]
            assert compared is not None
            stored = compared["stored_probability"]
            before = compared["churn_probability"] if stored is None else stored
            moves.append((answer["churn_probability"] - before) * direction)
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


def _event(event_type: str) -> Ask:
    feature = {"payment_failed": "payment_failures", "support_ticket_created": "support_tickets"}[event_type]
    return lambda features: (
        None if features[feature] is None else Question("X", {}, (HypotheticalEvent(event_type, 0),))  # type: ignore[arg-type]
    )


FEATURES_OF = {
    name: ("payment_failures",) if "payment" in name else ("support_tickets",)
    for name in (
        *("one failed payment more", "three failed payments", "a failed payment now"),
        *("one ticket more", "three tickets more", "a ticket now"),
    )
}
"""The features that must be known for some of TAKEN_FOR_GRANTED to be asked."""

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
    "one failed payment more": (_given(payment_failures=lambda known: known + 1), 1),
    "three failed payments": (_given(payment_failures=lambda known: known + 3), 1),
    "one ticket more": (_given(support_tickets=lambda known: known + 1), 1),
    "three tickets more": (_given(support_tickets=lambda known: known + 3), 1),
    "a failed payment now": (_event("payment_failed"), 1),
    "a ticket now": (_event("support_ticket_created"), 1),
}
"""What-ifs whose direction users take for granted: how to ask, and whether the risk rises (1) or falls (-1)."""
