"""What the service assumes and cannot know: what actions save, and what a campaign costs and gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CALL = "call_customer"

ACTION_EFFECTS: Mapping[str, float] = {
    "update_payment_method": 0.3,
    "assign_success_manager": 0.15,
    "follow_up_on_returns": 0.1,
    "send_reengagement_email": 0.05,
    "use_another_channel": 0.05,
    "invite_back": 0.05,
    "offer_discount": 0.1,
    "remind_of_points": 0.05,
    CALL: 0.1,
}
"""The share of the value at risk that each action is assumed to save, the same for every customer.

They rest on no study: an experiment of the shop's own measures them.
"""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign to keep customers costs and gains, in the shop's currency.

    The defaults are those of Verbraken, Verbeke and Baesens (IEEE TKDE 25, 2013): a customer who is kept is worth 200,
    the offer that may keep them costs 10, and reaching them 1. Of 20 who would leave, 6 accept the offer: the share of
    those who do has the beta distribution of the offers that were accepted and declined.
    """

    customer_value: float = 200.0
    offer_cost: float = 10.0
    contact_cost: float = 1.0
    offers_accepted: float = 6.0
    offers_declined: float = 14.0


def parse_action_effects(text: str) -> Mapping[str, float]:
    """Return the effects of all actions: those of ``code=share, code=share``, and the assumed ones of the others.

    Raises ValueError with a sentence.
    """
    effects, named = dict(ACTION_EFFECTS), set[str]()
    for part in filter(None, (one.strip() for one in text.split(","))):
        code, _, share = (piece.strip() for piece in part.partition("="))
        if code not in ACTION_EFFECTS:
            raise ValueError(f"knows no action {code[:40]!r}; the actions are {', '.join(ACTION_EFFECTS)}")
        if code in named:
            raise ValueError(f"names {code} twice")
        named.add(code)
        try:
            effects[code] = float(share) if share.isascii() and "_" not in share else -1.0
        except ValueError:
            effects[code] = -1.0
        if not 0 <= effects[code] <= 1:
            raise ValueError(f"must have a share from 0 to 1 after {code}=, such as {code}=0.1")
    return effects
