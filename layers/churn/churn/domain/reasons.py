"""What a stored prediction rests on, kept in a line beside it, and what changed from one prediction to another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churn.domain.explanations import change_reason, is_worth_telling, rounded
from churn.domain.features import BY_NAME, Features
from churn.domain.json_text import write_compact
from churn.domain.model import Prediction

if TYPE_CHECKING:
    from churn.domain.story_answers import ChangeDriver, RiskChange

STORED_FEATURES = (
    "total_orders", "total_spent", "avg_order_value", "days_since_last_order", "support_tickets", "product_returns",
    "email_engagement", "login_frequency", "payment_failures", "discount_usage", "loyalty_points", "account_age_days",
)  # fmt: skip
"""The features by their places in the stored line: a new one goes to the end, and none ever moves."""

_MOST_DRIVERS = 5
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Reasons:
    """What a prediction rests on: the average customer's probability, and of each feature its share and its value.

    `values` are as clients see them, None where one was not known.
    """

    base: float
    contributions: Mapping[str, float]
    values: Features
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A stored prediction; `reasons` is None where it was stored without them."""

    id: int
    probability: float
    model_version: str
    reasons: Reasons | None


def write_reasons(prediction: Prediction, features: Features) -> str:
    """Return a prediction's reasons as they are stored: compact, in millionths."""
    line = [
        round(prediction.base * _MILLION),
        None if prediction.interval is None else [round(end * _MILLION) for end in prediction.interval],
        [BY_NAME[name].shown(features.get(name)) for name in STORED_FEATURES],
        [round(prediction.contributions.get(name, 0.0) * _MILLION) for name in STORED_FEATURES],
    ]
    return write_compact(line)


def read_reasons(text: str | None) -> Reasons | None:
    """Return stored reasons, None if there are none."""
    if text is None:
        return None
    base, interval, values, contributions = json.loads(text)
    return Reasons(
        base / _MILLION,
        # Lines of before end where the features of then did.
        {name: points / _MILLION for name, points in zip(STORED_FEATURES, contributions, strict=False)},
        dict.fromkeys(STORED_FEATURES) | dict(zip(STORED_FEATURES, values, strict=False)),
        None if interval is None else (interval[0] / _MILLION, interval[1] / _MILLION),
    )


def change_between(before: Point, after: Point) -> RiskChange:
    """Return by how much the risk changed from one prediction to another, and what changed it.

    `base_change`, the drivers' effects and `other_changes` add up to the change.
    """
    change = rounded(rounded(after.probability) - rounded(before.probability))
    answer: RiskChange = {
        "from_id": before.id,
        "to_id": after.id,
        "change": change,
        "model_changed": before.model_version != after.model_version,
        "base_change": None,
        "drivers": None,
        "other_changes": None,
    }
    if before.reasons is not None and after.reasons is not None:
        base = rounded(after.reasons.base - before.reasons.base)
        drivers = _drivers(before.reasons, after.reasons)
        rest = rounded(change - base - sum(driver["effect"] for driver in drivers))
        answer |= {"base_change": base, "drivers": drivers, "other_changes": rest}
    return answer


def _drivers(before: Reasons, after: Reasons) -> list[ChangeDriver]:
    effects = {
        name: rounded(after.contributions.get(name, 0.0) - before.contributions.get(name, 0.0))
        for name in STORED_FEATURES
    }
    strongest = sorted(effects.items(), key=lambda item: (-abs(item[1]), item[0]))[:_MOST_DRIVERS]
    return [
        _driver(name, before.values[name], after.values[name], effect)
        for name, effect in strongest
        if is_worth_telling(effect)
    ]


def _driver(name: str, before: Any, after: Any, effect: float) -> ChangeDriver:
    return {
        "feature": name,
        "before": before,
        "after": after,
        "effect": effect,
        "sentence": change_reason(name, before, after, effect),
    }
