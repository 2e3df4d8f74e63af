"""The direction in which everybody expects a change to move the risk, and a sentence where the model says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from churn.domain.explanations import change_alone, change_reason, is_worth_telling
from churn.domain.features import FEATURE_NAMES, Features
from churn.domain.hypotheses import SILENCE, Change, Hypothesis
from churn.domain.model import Prediction

_FEATURES = {
    "total_orders": -1,
    "total_spent": -1,
    SILENCE: 1,
    "support_tickets": 1,
    "product_returns": 1,
    "email_engagement": -1,
    "login_frequency": -1,
    "payment_failures": 1,
}
_FEATURE_OF_EVENT = {
    "order_placed": SILENCE,
    "order_returned": "product_returns",
    "support_ticket_created": "support_tickets",
    "payment_failed": "payment_failures",
    "email_opened": "email_engagement",
    "email_clicked": "email_engagement",
    "login": "login_frequency",
}
_HELD = frozenset({SILENCE, "total_orders", "support_tickets", "payment_failures"})
"""The features whose direction every answer keeps; that of fewer orders is not kept."""
_OF_ORDERS = frozenset({"total_spent", "avg_order_value"})
_FEWER_ORDERS = ("total_orders", 1)
_NEWER_ORDERS = frozenset({(SILENCE, -1), ("total_orders", -1)})
_NO_SAFER_BEFORE = (
    "The same order placed later would end a longer silence, at a higher risk, and an order is not taken for safer the "
    "longer ago it is"
)
_LONG_SILENCE = 2.0


@dataclass(frozen=True, slots=True)
class Moved:
    """How far an answer went, in signed probability points."""

    change: float
    lift: float
    """How far the answer was moved to keep a direction, against the model."""
    effects: Mapping[Change, float]
    """What each change does."""


def held_direction(hypothesis: Hypothesis, made: frozenset[Change]) -> tuple[int, str]:
    """Return which way the answer must not go against, whatever the model says, and the feature that stands for it.

    1 where the changes are a longer silence, failed payments or tickets alone, -1 where they are orders since the last
    one, 0 for all others.
    """
    moves = {_move(hypothesis, change) for change in made if not _comes_with_others(hypothesis, change)}
    directions = {way if feature in _HELD and (feature, way) != _FEWER_ORDERS else 0 for feature, way in moves}
    features = {feature for feature, _ in moves}
    feature = SILENCE if features & {SILENCE, "total_orders"} else min(features, default=SILENCE)
    return (directions.pop() if len(directions) == 1 else 0), feature


def surprise(
    hypothesis: Hypothesis, moved: Moved, after: Prediction, ask: Callable[[Features], Prediction]
) -> str | None:
    """Return why an answer, or what one of the changes does to it, is against what everybody expects; else None.

    `after` is the prediction with the changes. `ask` is called for the one without.
    """
    moves = {
        change: _move(hypothesis, change) for change in hypothesis.changes if not _comes_with_others(hypothesis, change)
    }
    ways = {way for _, way in moves.values()}
    expected = ways.pop() if len(ways) == 1 else 0
    by_model = moved.change - moved.lift
    start, end = hypothesis.inputs(frozenset()), hypothesis.inputs(frozenset(hypothesis.changes))
    if is_worth_telling(moved.lift):
        alone = f"the model alone says {after.churn_probability - moved.lift:.0%}."
        if moved.lift > 0 and not hypothesis.days_later and _NEWER_ORDERS & set(moves.values()):
            return f"{_NO_SAFER_BEFORE}; {alone}"
        kept = (
            "The answer keeps the direction that everybody expects"
            if expected
            else "No answer lowers the risk for a longer silence"
        )
        return " ".join([f"{kept}; {alone}", *_why(start, end, after, ask(start), rises=moved.lift < 0)])
    if by_model * expected < 0 and is_worth_telling(by_model):
        rises = by_model > 0
        against = f"The risk {'rises' if rises else 'falls'}, though one would expect the opposite."
        frequent = _silent_buyer(end) if rises else _silent_buyer(start) if _FEWER_ORDERS in moves.values() else []
        return " ".join([against, *_why(start, end, after, ask(start), rises=rises), *frequent])
    told = [
        change_alone(feature, start[feature], end[feature], moved.effects[change])
        for change, (feature, way) in moves.items()
        if moved.effects[change] * way < 0 and is_worth_telling(moved.effects[change])
    ]
    return " ".join(told) or None


def _why(start: Features, end: Features, after: Prediction, before: Prediction, *, rises: bool) -> list[str]:
    """Return what moved the model most that way, as a sentence; nothing where no feature did by much."""
    effects = {name: after.contributions.get(name, 0.0) - before.contributions.get(name, 0.0) for name in FEATURE_NAMES}
    sign = 1 if rises else -1
    name = max(FEATURE_NAMES, key=lambda one: effects[one] * sign)
    is_reason = effects[name] * sign > 0 and is_worth_telling(effects[name])
    return [change_reason(name, start[name], end[name], effects[name])] if is_reason else []


def _silent_buyer(features: Features) -> list[str]:
    orders, silence, age = (features[name] for name in ("total_orders", SILENCE, "account_age_days"))
    if not orders or orders < 2 or silence is None or age is None or age <= silence:
        return []
    gap = max(1.0, (age - silence) / (orders - 1))
    if silence < _LONG_SILENCE * gap:
        return []
    sentence = (
        f"Who ordered every {gap:.0f} days and is silent for {silence:.0f} has more likely left than somebody who "
        "orders seldom."
    )
    return [sentence]


def _move(hypothesis: Hypothesis, change: Change) -> tuple[str, int]:
    """Return the feature that a change moves, and the direction of the risk that is expected; 0 where none is clear."""
    if isinstance(change, int):
        event, last = hypothesis.events[change], hypothesis.stored[SILENCE]
        feature = _FEATURE_OF_EVENT.get(event.event_type, event.event_type)
        if feature == SILENCE:
            # An order before the last one ends no silence.
            return feature, -1 if last is None or event.days_ago <= last else 0
        return feature, _FEATURES.get(feature, 0)
    before, after = hypothesis.stored[change], hypothesis.given[change]
    if after is None or (before is None and change in hypothesis.replaced):
        return change, 0
    # The first order ends a silence; of all else, the first is one more.
    is_more = change != SILENCE if before is None else after > before
    return change, _FEATURES.get(change, 0) * (1 if is_more else -1)


def _comes_with_others(hypothesis: Hypothesis, change: Change) -> bool:
    """Return whether a change is to be as stored, or is of the orders' value and comes with them."""
    is_of_orders = change in _OF_ORDERS and change not in hypothesis.replaced and "total_orders" in hypothesis.given
    return change in hypothesis.kept or is_of_orders
