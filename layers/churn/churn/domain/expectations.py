"""The direction in which everybody expects a change to move the risk, and a sentence where the model says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from churn.domain.explanations import change_reason, is_worth_telling
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
"""The features whose direction every answer keeps."""
_OF_ORDERS = frozenset({"total_spent", "avg_order_value"})
_LONG_SILENCE = 2.0


def held_direction(hypothesis: Hypothesis, made: frozenset[Change]) -> tuple[int, str]:
    """Return which way the answer must not go against, whatever the model says, and the feature that stands for it.

    1 where the changes are a longer silence, failed payments or tickets alone, -1 where they are orders since the last
    one, 0 for all others.
    """
    moves = {_move(hypothesis, change) for change in made if not _comes_with_orders(hypothesis, change)}
    directions = {direction if feature in _HELD else 0 for feature, direction in moves}
    feature = min((feature for feature, _ in moves), default=SILENCE)
    return (directions.pop() if len(directions) == 1 else 0), SILENCE if feature == "total_orders" else feature


def surprise(
    hypothesis: Hypothesis, change: float, lift: float, after: Prediction, ask: Callable[[Features], Prediction]
) -> str | None:
    """Return why a change moves the model against what everybody expects, None where it does not.

    `change`, in signed probability points, is that of the answer, which was moved by `lift` to keep its direction;
    `after` is the prediction with the changes. `ask` is called for the one without.
    """
    moved = change - lift
    directions = {_move(hypothesis, one)[1] for one in hypothesis.changes if not _comes_with_orders(hypothesis, one)}
    expected = directions.pop() if len(directions) == 1 else 0
    is_against = moved * expected < 0 and is_worth_telling(moved)
    if not is_against and not is_worth_telling(lift):
        return None
    start, end = hypothesis.inputs(frozenset()), hypothesis.inputs(frozenset(hypothesis.changes))
    before = ask(start)
    effects = {name: after.contributions.get(name, 0.0) - before.contributions.get(name, 0.0) for name in FEATURE_NAMES}
    sign = -1 if lift > 0 or (not lift and moved < 0) else 1
    name = max(FEATURE_NAMES, key=lambda one: effects[one] * sign)
    why = change_reason(name, start[name], end[name], effects[name])
    if is_worth_telling(lift):
        model_alone = after.churn_probability - lift
        return f"The answer keeps the direction that everybody expects; the model alone says {model_alone:.0%}. {why}"
    word = "rises" if change > 0 else "falls"
    return " ".join([f"The risk {word}, though one would expect the opposite.", why, *_silent_buyer(end, change)])


def _silent_buyer(features: Features, change: float) -> list[str]:
    orders, silence, age = (features[name] for name in ("total_orders", SILENCE, "account_age_days"))
    if change < 0 or not orders or orders < 2 or silence is None or age is None or age <= silence:
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
    if after is None or before is None:
        return change, 0
    if change == "total_orders" and after < before:
        return change, 0
    return change, _FEATURES.get(change, 0) * (1 if after > before else -1)


def _comes_with_orders(hypothesis: Hypothesis, change: Change) -> bool:
    return change in _OF_ORDERS and change not in hypothesis.replaced and "total_orders" in hypothesis.given
