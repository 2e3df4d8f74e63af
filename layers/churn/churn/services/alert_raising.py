"""Raising alerts: what scores and new events of customers call for, decided and stored in their transaction.

At most one alert of a kind is open for a customer. A risk that rises to a higher band while its alert is open raises
that alert; one that is held back, by the cooldown, the least value or the day's budget, stays pending, and is told once
nothing holds it back any more, if it is still true.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from churn.adapters.mysql import Transaction, alerts
from churn.adapters.mysql.alerts import OpenAlert
from churn.adapters.mysql.customers import Customer
from churn.domain.alerts import (
    CHURN_RISK,
    AlertRules,
    NewAlert,
    Rise,
    RiskState,
    Score,
    decide,
    immediate_alert,
    return_alert,
    risk_alert,
)
from churn.domain.customer_record import CustomerRecord
from churn.domain.events import Event
from churn.domain.features import Inputs
from churn.domain.model import Prediction
from churn.domain.risk import ACTIVE_STATUSES

# A score that nobody asked for is stored as a prediction only if it differs from the newest stored one by this much.
_NOTEWORTHY = 0.005


@dataclass(frozen=True, slots=True)
class _Risen:
    """A customer whose risk has risen, from which level to which, and by which inputs."""

    customer: Customer
    rise: Rise
    inputs: Inputs
    at: datetime

    def alert(self, prediction: Prediction) -> NewAlert:
        """Return the alert that tells it, with the strongest reason of the prediction."""
        alert = risk_alert(self.customer.record.display_name, self.rise, prediction, self.inputs)
        return replace(alert, model_version=self.customer.record.model_version)


class AlertRaising:
    """The alerts of one transaction. `is_on` is off for a history that is brought in: levels are set, nothing is told.

    Call `weigh` for each score and `take_events` for new events, then `decide`, `settle` for each, and `store` last.
    """

    def __init__(
        self, transaction: Transaction, rules: AlertRules, now: datetime, *, is_on: bool = True, room: int = 0
    ) -> None:
        """`room`: how many new alerts on the risk may be raised, where their number a day is limited."""
        self._transaction = transaction
        self._rules = rules
        self._now = now
        self._is_on = is_on
        self.room = room
        self._before: dict[int, RiskState] = {}
        self._after: dict[int, RiskState] = {}
        self._risen: list[_Risen] = []
        self._wanted: list[tuple[int, NewAlert]] = []
        self._new: list[tuple[int, NewAlert]] = []
        self._told: list[_Risen] = []
        self._raised: list[tuple[OpenAlert, _Risen]] = []
        self._told_keys: set[int] = set()

    def weigh(self, before: CustomerRecord, customer: Customer, inputs: Inputs) -> None:
        """Weigh the score of a customer's record, which was `before`."""
        pk, score = customer.pk, _score(customer.record)
        self._before[pk] = before.risk_state
        self._after[pk], rise = self._before[pk].weighed(score, self._rules)
        if not self._is_on:
            self._after[pk] = self._after[pk].with_pending(None)
            return
        name = customer.record.display_name
        if rise is not None:
            self._risen.append(_Risen(customer, rise, inputs, score.at))
        if self._rules.on_return and before.status == "lapsed" and score.is_active:
            alert = return_alert(name, score.probability, inputs)
            self._wanted.append((pk, replace(alert, model_version=score.version)))

    def take_events(self, customer: Customer, events: Sequence[Event]) -> None:
        """Note the alerts that new events of a customer, who has been scored, call for by themselves."""
        if not self._is_on:
            return
        record = customer.record
        found = (immediate_alert(event, record.display_name, record.churn_probability, self._now) for event in events)
        self._wanted.extend(
            (customer.pk, replace(alert, model_version=record.model_version)) for alert in found if alert is not None
        )

    def decide(self) -> None:
        """Decide which alerts are raised, beside those that are open; the open ones stay locked."""
        keys = {pk for pk, _ in self._wanted} | {risen.customer.pk for risen in self._risen}
        opened = alerts.lock_open(self._transaction, sorted(keys))
        if self._rules.a_day:
            self._risen.sort(key=lambda risen: risen.customer.record.value_at_risk or 0, reverse=True)
        for risen in self._risen:
            self._decide_on(risen, opened.get((risen.customer.pk, CHURN_RISK)))
        taken = set(opened)
        for pk, alert in self._wanted:
            if (pk, alert.alert_type) not in taken:
                taken.add((pk, alert.alert_type))
                self._new.append((pk, alert))

    def settle(self, customer: Customer, *, is_asked_for: bool) -> bool:
        """Bring the risk state of a customer's record up to date; return whether the score is stored as a prediction.

        It is if new events ask for it, if an alert tells it, if it differs from the newest stored one, and if it
        changes the level or whether an alert waits: the stored scores tell how each alert came about.
        """
        score, state = _score(customer.record), self._after[customer.pk]
        told = is_asked_for or customer.pk in self._told_keys or state.has_moved(self._before[customer.pk])
        is_stored = told or state.is_noteworthy(score, _NOTEWORTHY)
        customer.record = customer.record.with_risk_state(state.with_stored(score) if is_stored else state)
        return is_stored

    def store(self, change: Counter[str], predictions: Mapping[int, Prediction]) -> list[int]:
        """Store what was decided, with the change that the totals of alerts have already; return the new ids.

        `predictions` give the reasons, by key, of those whose score is stored. Call it last in the transaction.
        """
        told = [(risen.customer.pk, risen.alert(predictions[risen.customer.pk])) for risen in self._told]
        raised = [(alert, risen.alert(predictions[risen.customer.pk])) for alert, risen in self._raised]
        return alerts.store(self._transaction, [*told, *self._new], raised, change)

    def _decide_on(self, risen: _Risen, open_alert: OpenAlert | None) -> None:
        pk = risen.customer.pk
        self._after[pk], decision = decide(
            self._after[pk],
            risen.rise,
            risen.at,
            self._rules,
            open_priority=None if open_alert is None else open_alert.priority,
            value=risen.customer.record.value_at_risk or 0,
            has_room=not self._rules.a_day or self.room > 0,
        )
        if decision == "new":
            self._told.append(risen)
            self.room -= 1
        elif decision == "raised" and open_alert is not None:
            self._raised.append((open_alert, risen))
        if decision in {"new", "raised"}:
            self._told_keys.add(pk)


def _score(record: CustomerRecord) -> Score:
    if record.churn_probability is None or record.model_version is None or record.scored_at is None:
        raise ValueError(f"customer {record.id} has not been scored")
    return Score(record.churn_probability, record.model_version, record.status in ACTIVE_STATUSES, record.scored_at)
