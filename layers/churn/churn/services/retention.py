"""What is kept, and for how long: the nightly pruning, in small transactions.

Totals fall with what they count, so that they stay equal to a recount of what is stored.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from churn.adapters.mysql import (
    Database,
    Transaction,
    alert_actions,
    alert_budget,
    alert_weeks,
    alerts,
    customer_states,
    customers,
    dead_letters,
    event_counts,
    hourly_stats,
    imports,
    predictions,
    segments,
    totals,
)
from churn.adapters.mysql import events as history
from churn.adapters.mysql.orders import Ledgers
from churn.domain.outcomes import monday
from churn.domain.timestamps import from_millis, to_millis
from churn.settings import Retention

if TYPE_CHECKING:
    from churn.domain.model_answers import ScoringRole

_ROWS = 1000
_CUSTOMERS = 50

TimeLeft = Callable[[], bool]


def prune(database: Database, retention: Retention, *, now: datetime, time_left: TimeLeft) -> dict[str, int]:
    """Delete what is older than it is kept for; return how much of each kind.

    What is left when the time is up goes in the next night. Raises DatabaseUnavailableError.
    """

    def repeat(days: int, step: Callable[[Transaction, datetime], int]) -> int:
        before, deleted = now - timedelta(days=days), 0
        while days and time_left():
            number = database.run(lambda transaction: step(transaction, before))
            deleted += number
            if number < _ROWS:
                break
        return deleted

    pruned = {
        "predictions": repeat(retention.predictions, _prune_predictions("served")),
        "shadow_predictions": repeat(retention.predictions, _prune_predictions("shadow")),
        "alerts": repeat(retention.alerts, _prune_alerts),
        "dead_letters": repeat(
            retention.dead_letters, lambda transaction, before: dead_letters.prune(transaction, before, _ROWS)
        ),
        "hours": repeat(retention.hours, lambda transaction, before: hourly_stats.prune(transaction, before, _ROWS)),
        "segments": repeat(retention.segments, lambda transaction, before: segments.prune(transaction, before, _ROWS)),
    }
    repeat(event_counts.DAYS_OF_MINUTES, _prune_counts(event_counts.MINUTE))
    repeat(retention.hours, _prune_counts(event_counts.HOUR))
    repeat(retention.hours, lambda transaction, before: imports.prune(transaction, before, _ROWS))
    last_week = (now - timedelta(days=7)).date()
    database.run(lambda transaction: totals.prune_days(transaction, "alerts_created", last_week))
    database.run(lambda transaction: alert_budget.prune(transaction, last_week))
    database.run(lambda transaction: alert_weeks.prune(transaction, monday(last_week)))
    while database.run(lambda transaction: alert_actions.complete(transaction, _ROWS)) == _ROWS and time_left():
        pass
    if retention.events:
        pruned["events"] = _prune_events(database, now - timedelta(days=retention.events), time_left)
    return pruned


def _prune_predictions(role: "ScoringRole") -> Callable[[Transaction, datetime], int]:
    def step(transaction: Transaction, before: datetime) -> int:
        number, change = predictions.prune(transaction, role, before, _ROWS)
        totals.add(transaction, change)
        return number

    return step


def _prune_counts(minutes: int) -> Callable[[Transaction, datetime], int]:
    return lambda transaction, before: event_counts.prune(transaction, minutes, before, _ROWS)


def _prune_alerts(transaction: Transaction, before: datetime) -> int:
    number, change = alerts.prune(transaction, before, _ROWS)
    alerts.store(transaction, (), (), change)
    return number


def _prune_events(database: Database, before: datetime, time_left: TimeLeft) -> int:
    """Delete the events from before an instant, customer by customer: the state says up to where."""
    deleted = after = 0
    while time_left():
        keys = database.run(lambda transaction, after=after: history.with_older(transaction, after, before, _CUSTOMERS))  # type: ignore[misc]
        if not keys:
            break
        counts: Counter[int] = Counter()
        for key in keys:
            # An account may have a hundred thousand events.
            while time_left():
                number = database.run(lambda transaction, key=key: _prune_history(transaction, key, before))  # type: ignore[misc]
                counts[key] += number
                if number < _ROWS:
                    break
        deleted += counts.total()
        after = keys[-1]
    return deleted


def _prune_history(transaction: Transaction, customer_pk: int, before: datetime) -> int:
    for customer in customers.lock_keys(Ledgers(transaction), [customer_pk]):
        state = customer.state
        # A state that is to be made again needs the whole history; the sweep makes it within a day.
        if customer.is_outdated or state.clock is None:
            continue
        # What lies after the clock waits to be folded.
        until = min(to_millis(before), state.clock)
        if state.pruned_until is None or state.pruned_until < until:
            state.pruned_until = until
            customer_states.save_state(transaction, customer)
        return history.prune(transaction, customer_pk, from_millis(until), _ROWS)
    return 0
