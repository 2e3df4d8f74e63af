"""What the shop assumes of actions and campaigns is the shop's."""

import re
from pathlib import Path

import numpy as np
import pytest

from churn.domain.assumptions import ACTION_EFFECTS, CALL, Campaign, parse_action_effects
from churn.domain.recommendations import ACTIONS, recommend
from churn.domain.risk import RiskBands
from churn.ml.metrics import expected_maximum_profit, measure
from churn.settings import Settings
from churn.variables import InvalidSettingsError

_DOCS = Path(__file__).parents[3] / "docs" / "settings.md"


def test_every_action_has_an_assumed_effect_which_the_docs_tell() -> None:
    assert ACTION_EFFECTS.keys() == {CALL, *(action.code for action in ACTIONS)}
    lines = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([0-9.]+) \|$", _DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    told = {code: float(share) for codes, share in lines for code in re.findall(r"`(\w+)`", codes)}
    assert {code: told[code] for code in ACTION_EFFECTS} == ACTION_EFFECTS


def test_an_effect_of_the_shops_own_takes_the_place_of_the_assumed_one() -> None:
    effects = Settings.from_environment({"ACTION_EFFECTS": "offer_discount=0.4, call_customer = 0"}).action_effects
    assert effects == {**ACTION_EFFECTS, "offer_discount": 0.4, CALL: 0}
    assert Settings.from_environment({}).action_effects == parse_action_effects("") == ACTION_EFFECTS
    features = {action.feature: None for action in ACTIONS} | {"discount_usage": 0.9}
    (action,) = recommend(features, 0.7, {}, bands=RiskBands(), at_risk=50.0, effects=effects)
    assert (action["code"], action["expected_value"]) == ("offer_discount", 20)


@pytest.mark.parametrize(
    "text",
    ["dance=0.1", "offer_discount", "offer_discount=1.5", "offer_discount=0_1", "x", "call_customer=0,call_customer=1"],
)
def test_an_impossible_effect_ends_the_start_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidSettingsError, match="ACTION_EFFECTS"):
        Settings.from_environment({"ACTION_EFFECTS": text})


def test_the_profit_of_a_campaign_is_that_of_the_shops_costs() -> None:
    risk, churned = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    usual = expected_maximum_profit(risk, churned)
    assert measure(risk, churned)["profit"] == usual
    # All in hundredths of the currency: the same campaign, a hundred times the number.
    assert expected_maximum_profit(risk, churned, campaign=Campaign(20_000, 1_000, 100)) == pytest.approx(100 * usual)
    # An offer that costs what a customer is worth reaches nobody.
    settings = Settings.from_environment({"CAMPAIGN_OFFER_COST": "200"})
    assert settings.campaign == Campaign(200, 200, 1)
    assert measure(risk, churned, campaign=settings.campaign)["profit"] == 0


def test_the_share_of_accepted_offers_is_the_shops() -> None:
    churned = np.array([True] * 10 + [False] * 90)
    nearly_sure = {"CAMPAIGN_OFFERS_ACCEPTED": "500000", "CAMPAIGN_OFFERS_DECLINED": "500000"}
    campaign = Settings.from_environment(nearly_sure).campaign
    # Half of the tenth who would leave stay, for the offer; all of them are reached.
    profit = expected_maximum_profit(churned.astype(float), churned, campaign=campaign)
    assert profit == pytest.approx(0.1 * (0.5 * (200 - 10) - 1), rel=1e-3)
    assert expected_maximum_profit(churned.astype(float), churned) == pytest.approx(0.1 * (0.3 * 190 - 1), rel=1e-3)
    with pytest.raises(InvalidSettingsError, match="CAMPAIGN_OFFERS_DECLINED must be between 1 and"):
        Settings.from_environment({"CAMPAIGN_OFFERS_DECLINED": "0"})
