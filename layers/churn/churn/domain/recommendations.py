"""What the shop can do about a customer's risk: actions that follow the reasons of the prediction, and their worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churn.domain.assumptions import ACTION_EFFECTS, CALL
from churn.domain.explanations import reason
from churn.domain.features import Features
from churn.domain.risk import RiskBands

if TYPE_CHECKING:
    from churn.domain.answers import RecommendedAction


@dataclass(frozen=True, slots=True)
class _Action:
    """An action against what `feature` tells, when its value is within `least` and `most`.

    With `always` it is good advice whatever the risk, else from a medium risk on.
    """

    code: str
    text: str
    feature: str
    least: float = 0
    most: float = float("inf")
    always: bool = False


# An action is named only when the data show its occasion: an unknown value calls for nothing.
ACTIONS = (
    _Action(
        "update_payment_method", "Ask the customer to update the payment method",
        "payment_failures", least=1, always=True,
    ),
    _Action(
        "assign_success_manager", "Assign dedicated customer success manager",
        "support_tickets", least=3, always=True,
    ),
    _Action(
        "follow_up_on_returns", "Ask what was wrong with the returned products",
        "product_returns", least=2, always=True,
    ),
    _Action(
        "send_reengagement_email", "Send re-engagement email campaign",
        "days_since_last_order", least=30, always=True,
    ),
    _Action(
        "use_another_channel", "Reach out by another channel: e-mails are not opened",
        "email_engagement", most=0.2,
    ),
    _Action(
        "invite_back", "Invite the customer back with what is new since the last visit",
        "login_frequency", most=0,
    ),
    _Action("offer_discount", "Offer a personal discount on the next order", "discount_usage", least=0.5),
    _Action("remind_of_points", "Remind the customer of unused loyalty points", "loyalty_points", least=100),
)  # fmt: skip
_CALL = "Call the customer and ask how things are"


def recommend(
    features: Features,
    probability: float,
    contributions: Mapping[str, float],
    *,
    bands: RiskBands,
    at_risk: float | None,
    effects: Mapping[str, float] = ACTION_EFFECTS,
) -> list[RecommendedAction]:
    """Return what to do for a customer, what answers the strongest reasons first.

    `contributions` are the prediction's signed probability points, a feature each; `at_risk` is the value at risk,
    None if unknown, and `effects` are the shares of it that the actions save, by their codes. A call is recommended
    where the risk is high and nothing else has an occasion.
    """
    fitting = [action for action in ACTIONS if _has_occasion(action, features, at_risk=probability >= bands.medium)]
    fitting.sort(key=lambda action: -contributions.get(action.feature, 0.0))
    actions: list[RecommendedAction] = [
        {
            "code": action.code,
            "text": action.text,
            "reason": reason(action.feature, features[action.feature], contributions.get(action.feature, 0.0)),
            "expected_value": _worth(at_risk, effects[action.code]),
        }
        for action in fitting
    ]
    if not actions and probability >= bands.high:
        why = f"The risk is {bands.level(probability)}, and no specific cause stands out."
        worth = _worth(at_risk, effects[CALL])
        actions.append({"code": CALL, "text": _CALL, "reason": why, "expected_value": worth})
    return actions


def _worth(at_risk: float | None, effect: float) -> float | None:
    return None if at_risk is None else round(at_risk * effect, 2)


def _has_occasion(action: _Action, features: Features, *, at_risk: bool) -> bool:
    value = features.get(action.feature)
    return (action.always or at_risk) and value is not None and action.least <= value <= action.most
