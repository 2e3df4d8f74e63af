"""Why a prediction is what it is: the features that moved it most, each with a sentence for the shop's people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from churn.domain.features import BY_NAME, Features

if TYPE_CHECKING:
    from churn.domain.answers import Driver, ProbabilityInterval

# Below this many probability points a feature is not worth a person's time.
_LEAST = 0.005
_DIGITS = 6


def rounded(probability: float) -> float:
    """Return a probability, or a difference of two, as answers give it: sums of such are exact in its digits."""
    return round(probability, _DIGITS) or 0.0


def drivers(contributions: Mapping[str, float], features: Features, most: int = 5) -> list[Driver]:
    """Return the features that moved the probability most away from the average customer's, the strongest first.

    `contributions` are a prediction's signed probability points, a feature each.
    """
    worth = [(-abs(points), name) for name, points in contributions.items() if is_worth_telling(points)]
    return [
        {
            "feature": name,
            "value": BY_NAME[name].shown(features.get(name)),
            "contribution": rounded(contributions[name]),
            "sentence": reason(name, features.get(name), contributions[name]),
        }
        for _, name in sorted(worth)[:most]
    ]


def others(probability: float, base: float, reasons: Sequence[Driver]) -> float:
    """Return what all features without a reason contribute, so that base, reasons and others sum to the probability."""
    return rounded(probability - base - sum(reason["contribution"] for reason in reasons))


def interval_json(interval: Sequence[float] | None) -> ProbabilityInterval | None:
    """Return a probability's interval as clients see it."""
    return None if interval is None else {"low": interval[0], "high": interval[1], "of": "parameters"}


def is_worth_telling(points: float) -> bool:
    """Return whether a contribution of so many signed probability points is worth a person's time."""
    return abs(points) >= _LEAST


def reason(name: str, value: float | None, points: float) -> str:
    """Return a feature's value, and what it does to the risk, as a sentence."""
    if not is_worth_telling(points):
        return f"{_fact(name, value)}."
    return f"{_fact(name, value)}: this {_effect(points)}."


def change_reason(name: str, before: float | None, after: float | None, points: float) -> str:
    """Return what a feature was and is, and how many points more it contributes to the risk than before."""
    number = round(abs(points) * 100)
    words = f"{number} point{'' if number == 1 else 's'} {'more' if points > 0 else 'fewer'}"
    return f"{_changed(name, before, after)}: this adds {words} to the risk than before."


def change_alone(name: str, before: float | None, after: float | None, points: float) -> str:
    """Return what a feature was and is, and what the change does to the risk, against what one would expect."""
    changed = _changed(name, before, after)
    return f"{changed}: this change alone {_effect(points)}, though one would expect the opposite."


def _changed(name: str, before: float | None, after: float | None) -> str:
    was = "as before" if BY_NAME[name].is_same(before, after) else f"before: {_plain(name, before)}"
    return f"{_fact(name, after)} ({was})"


def _effect(points: float) -> str:
    number = round(abs(points) * 100)
    return f"{'raises' if points > 0 else 'lowers'} the risk by {number} point{'' if number == 1 else 's'}"


def _plain(name: str, value: float | None) -> str:
    if value is None:
        return "not known"
    if name in _COUNTED or name in _DAYS:
        return f"{int(value) if name in _DAYS else round(value):,}"
    return f"{value:.0%}" if BY_NAME[name].unit == "share" else f"{value:,.2f}"


def _fact(name: str, value: float | None) -> str:
    if value is None:
        return f"{_UNKNOWN[name]} not known"
    if name in _COUNTED:
        thing, where = _COUNTED[name]
        return f"{_counted(round(value), thing)} {where}"
    if name in _DAYS:
        today, since = _DAYS[name]
        return today if value < 1 else since.format(_counted(int(value), "day"))
    return _OTHERS[name].format(value)


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}" if count else f"No {thing}s"


_COUNTED = {
    "total_orders": ("order", "so far"),
    "support_tickets": ("support ticket", "in the last 90 days"),
    "product_returns": ("return", "in the last 90 days"),
    "login_frequency": ("log-in", "in the last 30 days"),
    "payment_failures": ("failed payment", "in the last 90 days"),
    "loyalty_points": ("loyalty point", "on the account"),
}
_DAYS = {
    "days_since_last_order": ("The last order was today", "The last order was {} ago"),
    "account_age_days": ("A customer since today", "A customer for {}"),
}
_OTHERS = {
    "total_spent": "{:,.2f} spent so far",
    "avg_order_value": "An average order is worth {:,.2f}",
    "email_engagement": "{:.0%} of the e-mails of the last 90 days were opened",
    "discount_usage": "{:.0%} of the orders had a discount",
}
_UNKNOWN = {
    "total_orders": "The number of orders is",
    "total_spent": "The money spent is",
    "avg_order_value": "The value of an average order is",
    "days_since_last_order": "The last order is",
    "support_tickets": "Support tickets are",
    "product_returns": "Returns are",
    "email_engagement": "Whether e-mails are opened is",
    "login_frequency": "Log-ins are",
    "payment_failures": "Failed payments are",
    "discount_usage": "The use of discounts is",
    "loyalty_points": "Loyalty points are",
    "account_age_days": "The age of the account is",
}
