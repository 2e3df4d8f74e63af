"""What other settings of alerts would have raised in thirty days, and how many of these customers left."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import gcd
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import (
    Database,
    Transaction,
    alert_actions,
    alert_pages,
    customer_states,
    customers,
    predictions,
)
from churn.adapters.mysql.database import Row
from churn.domain.alert_preview import Closing, PreviewedAlert, Replay, StoredScore
from churn.domain.alert_work import CLOSED
from churn.domain.alerts import AlertPriority, AlertRules, Score
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.outcomes import GRACE, Outcome, left_rate, outcome_of
from churn.domain.risk import RiskBands, RiskLevel
from churn.domain.timestamps import iso, to_millis
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.alert_answers import AlertPreview

MOST_SCORES = 20_000
"""Scores that are replayed; of a shop with more, those of a part of the customers are."""
_MOST_JUDGED = 2000
_SPAN = timedelta(days=30)
# What came before decides what is open, held back or cooling when the span begins.
_BEFORE = timedelta(days=30)
_KEYS_AT_ONCE = 500
_MOST_PARTS = 200
_GOLDEN = 0.618


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesAsked:
    """Settings to be tried; what is None is as it is set."""

    alerts_a_day: int | None = None
    min_value: float | None = None
    from_risk: RiskLevel | None = None
    medium_risk: float | None = None
    high_risk: float | None = None
    critical_risk: float | None = None
    hysteresis: float | None = None
    cooldown_hours: float | None = None

    def on(self, rules: AlertRules) -> AlertRules:
        """Return the rules with these settings in place of their own. Raises InvalidInputError."""
        asked = {
            "medium": self.medium_risk,
            "high": self.high_risk,
            "critical": self.critical_risk,
        }
        try:
            bands: RiskBands = replace(rules.bands, **_given(asked))
        except ValueError as error:
            fields = [f"{name}_risk" for name in _given(asked)]
            raise InvalidInputError(*(FieldError(name, str(error)) for name in fields)) from None
        own = {
            "a_day": self.alerts_a_day,
            "min_value": self.min_value,
            "from_level": self.from_risk,
            "hysteresis": self.hysteresis,
            "cooldown": None if self.cooldown_hours is None else timedelta(hours=self.cooldown_hours),
        }
        try:
            return replace(rules, bands=bands, **_given(own))
        except ValueError as error:
            raise InvalidInputError(FieldError("hysteresis", str(error))) from None


def preview(
    database: Database, settings: Settings, asked: RulesAsked, *, until: datetime | None, now: datetime
) -> AlertPreview:
    """Return what settings would have raised in the thirty days up to an instant, now by default.

    Bounded work: of a shop with more than MOST_SCORES scores, a part of the customers is looked at, the same ones each
    time, and the numbers are estimates. Raises InvalidInputError, DatabaseUnavailableError.
    """
    rules = asked.on(settings.alerts)
    end = min(until or now, now)
    start = end - _SPAN
    rows, share = database.read(lambda transaction: _scores(transaction, start - _BEFORE, end))
    known = [row for row in rows if row["is_active"] is not None]
    chosen = _who_may_be_alerted(known, rules)
    opened, closings = database.read(lambda transaction: _alerts(transaction, chosen, start - _BEFORE, end))
    replay = Replay(rules, opened, share)
    replay.run((_stored(row) for row in known if row["customer_pk"] in chosen), closings, end)
    raised = [alert for alert in replay.raised if start < alert.at <= end]
    outcomes = Counter(_outcomes(database, settings, raised, now))
    matured = outcomes["left"] + outcomes["stayed"]
    days = Counter(alert.at.date() for alert in raised)
    return {
        "date_from": iso(start),
        "date_to": iso(end),
        "settings": {
            "alerts_a_day": rules.a_day,
            "min_value": rules.min_value,
            "from_risk": rules.from_level,
            "medium_risk": rules.bands.medium,
            "high_risk": rules.bands.high,
            "critical_risk": rules.bands.critical,
            "hysteresis": rules.hysteresis,
            "cooldown_hours": rules.cooldown / timedelta(hours=1),
        },
        "alerts": round(len(raised) / share),
        "customers": round(len({alert.customer for alert in raised}) / share),
        "value_at_risk": round(sum(alert.value for alert in raised) / share, 2),
        "days": [{"day": day.isoformat(), "alerts": round(days[day] / share)} for day in sorted(days)],
        "waiting": round(replay.waiting / share),
        "matured": matured,
        "left": outcomes["left"] if matured else None,
        "left_rate": left_rate(outcomes["left"], matured),
        "share": round(share, 6),
        "is_estimate": share < 1,
        "unknown_predictions": len(rows) - len(known),
    }


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _scores(transaction: Transaction, start: datetime, end: datetime) -> tuple[list[Row], float]:
    """Return the stored scores of a span in their order, and the share of the customers whose scores they are."""
    if predictions.count_between(transaction, start, end, MOST_SCORES + 1) <= MOST_SCORES:
        return predictions.scores_between(transaction, start, end, MOST_SCORES), 1.0
    sample: list[Row] = []
    newest, seen = customers.newest_key(transaction), 0
    keys = _spread(newest)
    for part in range(0, min(newest, _MOST_PARTS * _KEYS_AT_ONCE), _KEYS_AT_ONCE):
        own = [next(keys) for _ in range(min(_KEYS_AT_ONCE, newest - part))]
        sample += predictions.scores_of(transaction, own, start, end)
        seen += len(own)
        if len(sample) >= MOST_SCORES:
            break
    return sorted(sample, key=lambda row: (row["created_at"], row["id"])), seen / newest


def _spread(newest: int) -> Iterator[int]:
    """Yield all keys once, those that follow each other far from each other."""
    step = next(step for step in range(max(1, int(newest * _GOLDEN)), newest + 2) if gcd(step, newest) == 1)
    return (number * step % newest + 1 for number in range(newest))


def _who_may_be_alerted(rows: Iterable[Row], rules: AlertRules) -> set[int]:
    entry = rules.bands.entry(rules.from_level)
    return {row["customer_pk"] for row in rows if row["churn_probability"] >= entry}


def _stored(row: Row) -> StoredScore:
    at = row["as_of"] or row["created_at"]
    score = Score(row["churn_probability"], row["model_version"], bool(row["is_active"]), at)
    return StoredScore(row["customer_pk"], row["created_at"], score, float(row["value_at_risk"] or 0))


def _alerts(
    transaction: Transaction, keys: Collection[int], start: datetime, end: datetime
) -> tuple[dict[int, AlertPriority], list[Closing]]:
    """Return which alerts on the risk were open at the start, by customer, and when people closed and opened them."""
    rows = alert_pages.on_risk(transaction, sorted(keys))
    actions: defaultdict[int, list[Row]] = defaultdict(list)
    for action in alert_actions.of_alerts(transaction, [row["id"] for row in rows]):
        actions[action["alert_id"]].append(action)
    opened: dict[int, AlertPriority] = {}
    closings: list[Closing] = []
    for row in rows:
        own = list(_closings(row, actions[row["id"]]))
        before = [closing for closing in own if closing.at < start]
        is_open = before[-1].opened is not None if before else True
        if row["created_at"] < start and is_open:
            opened[row["customer_pk"]] = row["priority"]
        closings += [closing for closing in own if start <= closing.at <= end]
    return opened, sorted(closings, key=lambda closing: closing.at)


def _closings(alert: Row, actions: Sequence[Row]) -> Iterable[Closing]:
    is_closed = False
    for action in actions:
        status = json.loads(action["changed"]).get("status")
        if status is not None and (status in CLOSED) != is_closed:
            is_closed = not is_closed
            yield Closing(alert["customer_pk"], action["done_at"], None if is_closed else alert["priority"])
    if not is_closed and alert["resolved_at"] is not None:
        # Of before actions were recorded.
        yield Closing(alert["customer_pk"], alert["resolved_at"])


def _outcomes(
    database: Database, settings: Settings, raised: Sequence[PreviewedAlert], now: datetime
) -> Iterable[Outcome]:
    """Yield what became of the customers of alerts whose horizon is over; of many alerts, of some all over the span."""
    before = now - timedelta(days=settings.horizon_days) - GRACE
    matured = [alert for alert in raised if alert.at <= before]
    judged = matured[:: -(-len(matured) // _MOST_JUDGED) or 1]
    states = dict(customer_states.states_by_key(database, {alert.customer for alert in judged}, now))
    for alert in judged:
        if (state := states.get(alert.customer)) is not None:
            yield outcome_of(state, to_millis(alert.at), settings.horizon_days, settings.inactivity_days)
