"""Raising alerts: what a score and new events of a customer call for, and how it is stored in their transaction."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from churn.adapters.mysql import Transaction, alerts
from churn.adapters.mysql.customers import Customer
from churn.domain.alerts import AlertRules, NewAlert, immediate_alert, risk_alert, update_risk_state
from churn.domain.events import Event
from churn.domain.features import Inputs
from churn.domain.model import Prediction
from churn.domain.risk import ACTIVE_STATUSES


def weigh_score(
    customer: Customer, inputs: Inputs, prediction: Prediction, rules: AlertRules, at: datetime, *, raise_alerts: bool
) -> NewAlert | None:
    """Take a score into the risk state of a customer's record, and return the alert that it calls for, if any."""
    record = customer.record
    if record.status not in ACTIVE_STATUSES:
        return None
    risk, raised = update_risk_state(record.risk_state, prediction.churn_probability, rules, at)
    customer.record = record.with_risk_state(risk, raise_alerts=raise_alerts)
    if not (raised and raise_alerts) or risk.level is None:
        return None
    return risk_alert(record.display_name, risk.level, prediction, inputs)


def immediate_alerts(customer: Customer, events: Sequence[Event], now: datetime) -> list[tuple[int, NewAlert]]:
    """Return the alerts that new events of a customer call for by themselves, each with the customer's key."""
    name, probability = customer.record.display_name, customer.record.churn_probability
    found = (immediate_alert(event, name, probability, now) for event in events)
    return [(customer.pk, alert) for alert in found if alert is not None]


def at_most_one_open(
    transaction: Transaction, wanted: Sequence[tuple[int, NewAlert]], now: datetime, change: Counter[str]
) -> list[tuple[int, NewAlert]]:
    """Return the alerts to be stored, none of a kind that is open, and count them in the change of the totals."""
    taken = alerts.open_types(transaction, sorted({pk for pk, _ in wanted}))
    allowed = []
    for pk, alert in wanted:
        if (pk, alert.alert_type) not in taken:
            taken.add((pk, alert.alert_type))
            allowed.append((pk, alert))
            change[f"alerts:new:{alert.priority}"] += 1
            change[f"alerts_created:{now:%Y-%m-%d}"] += 1
    return allowed
