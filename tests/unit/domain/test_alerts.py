"""When a risk has risen, and what alerts say."""

from datetime import datetime, timedelta

import pytest

from churn.domain.alerts import AlertRules, Rise, RiskState, Score, immediate_alert, return_alert, risk_alert
from churn.domain.features import FEATURE_NAMES, Features
from churn.domain.model import Prediction
from churn.domain.risk import RiskLevel
from tests.support.events import NOW, event

_RULES = AlertRules()


def _at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def _score(probability: float, hours: float, version: str = "v1", *, active: bool = True) -> Score:
    return Score(probability, version, active, _at(hours))


def _after(*scores: Score) -> RiskState:
    """Return the state after scores that were stored, and told of where they rose."""
    state = RiskState()
    for score in scores:
        state, rise = state.weighed(score, _RULES)
        if rise is not None:
            state = state.told(rise.level, score.at)
        state = state.with_stored(score)
    return state


def test_a_first_score_sets_the_level_and_raises_nothing() -> None:
    state, rise = RiskState().weighed(_score(0.95, 0), _RULES)
    assert (state.level, rise) == ("critical", None)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (0.3, 0.65, Rise("high", 0.3)),
        (0.3, 0.9, Rise("critical", 0.3)),
        (0.65, 0.9, Rise("critical", 0.65)),
        (0.3, 0.5, None),
        (0.65, 0.79, None),
        (0.95, 0.65, None),
    ],
)
def test_a_rise_enters_a_band_from_below(before: float, now: float, expected: Rise | None) -> None:
    assert _after(_score(before, 0)).weighed(_score(now, 1), _RULES)[1] == expected


def test_who_lapsed_and_came_back_begins_anew() -> None:
    lapsed = _after(_score(0.3, 0), _score(0.9, 1, active=False))
    state, rise = lapsed.weighed(_score(0.95, 2), _RULES)
    assert (state.level, rise) == ("critical", None)


@pytest.mark.parametrize("probability", [0.65, 0.95])
def test_another_version_sets_the_level_silently_in_both_directions(probability: float) -> None:
    state, rise = _after(_score(0.3, 0)).weighed(_score(probability, 1, "v2"), _RULES)
    assert rise is None
    state = state.with_stored(_score(probability, 1, "v2"))
    # From then on it is measured by its own scores.
    assert (state.weighed(_score(0.99, 2, "v2"), _RULES)[1] is None) == (probability == 0.95)
    back = _after(_score(0.3, 0), _score(0.95, 1, "v2")).weighed(_score(0.3, 2), _RULES)
    assert (back[0].level, back[1]) == ("low", None)


def test_scores_of_one_instant_are_compared_with_what_was_before_it() -> None:
    state = _after(_score(0.3, 0), _score(0.5, 1))
    assert state.weighed(_score(0.65, 1), _RULES)[1] == Rise("high", 0.3)
    first = _after(_score(0.3, 0))
    assert first.weighed(_score(0.9, 0), _RULES)[1] is None


def test_a_band_is_left_only_below_the_hysteresis() -> None:
    state = _after(_score(0.3, 0), _score(0.65, 1), _score(0.56, 2))
    assert state.level == "high"
    assert state.weighed(_score(0.62, 3), _RULES)[1] is None
    left = _after(_score(0.3, 0), _score(0.65, 1), _score(0.54, 2))
    assert left.weighed(_score(0.62, 3), _RULES)[1] == Rise("high", 0.54)


def _held_back() -> RiskState:
    state = _after(_score(0.3, 0), _score(0.65, 1), _score(0.3, 2))
    state, rise = state.weighed(_score(0.62, 3), _RULES)
    assert rise is not None
    assert state.is_cooling(rise.level, _RULES, _at(3))
    return state.with_pending(rise).with_stored(_score(0.62, 3))


def test_what_was_held_back_is_told_later_if_it_is_still_true() -> None:
    state, rise = _held_back().weighed(_score(0.61, 26), _RULES)
    assert rise == Rise("high", 0.3)
    assert not state.is_cooling("high", _RULES, _at(26))


@pytest.mark.parametrize(
    "score", [_score(0.5, 26), _score(0.61, 26, active=False), _score(0.61, 26, "v2")], ids=["fell", "lapsed", "v2"]
)
def test_what_was_held_back_is_forgotten_once_it_is_not_true(score: Score) -> None:
    state, rise = _held_back().weighed(score, _RULES)
    assert (rise, state.pending_level) == (None, None)


def test_a_higher_band_is_never_held_back() -> None:
    state, rise = _held_back().weighed(_score(0.9, 4), _RULES)
    assert rise == Rise("critical", 0.62)
    assert not state.is_cooling("critical", _RULES, _at(4))


def test_drift_is_noteworthy_against_what_is_stored() -> None:
    state = _after(_score(0.3, 0))
    for step in range(1, 4):
        state, _ = state.weighed(_score(0.3 + step * 0.001, step), _RULES)
        assert not state.is_noteworthy(_score(0.3 + step * 0.001, step), 0.005)
    assert state.is_noteworthy(_score(0.305, 5), 0.005)
    assert state.is_noteworthy(_score(0.3, 5, "v2"), 0.005)
    assert state.is_noteworthy(_score(0.3, 5, active=False), 0.005)


def _features(**known: float) -> Features:
    return {name: known.get(name) for name in FEATURE_NAMES}


def _is_sentence(text: str) -> bool:
    return not text[0].islower() and text.endswith(".") and not any(name in text for name in FEATURE_NAMES)


@pytest.mark.parametrize("level", ["high", "critical"])
@pytest.mark.parametrize("cause", FEATURE_NAMES)
def test_a_risk_alert_speaks_in_sentences(level: RiskLevel, cause: str) -> None:
    prediction = Prediction(0.654321, 0.9, "v1", {"account_age_days": 0.001} | {cause: 0.3}, 0.2)
    alert = risk_alert("Ann Lee", Rise(level, 0.3), prediction, _features(**{cause: 1 / 3}))
    assert alert.message == "The risk that Ann Lee will leave has risen from 30% to 65%."
    assert _is_sentence(alert.reason)
    assert "raises the risk by 30 points" in alert.reason
    assert (alert.risk_score, alert.risk_before) == (0.654321, 0.3)


def test_a_rise_is_told_with_as_many_digits_as_it_takes() -> None:
    alert = risk_alert("Ann Lee", Rise("high", 0.598), Prediction(0.602, 0.9, "v1", {}, 0.2), _features())
    assert alert.message == "The risk that Ann Lee will leave has risen from 59.8% to 60.2%."


def test_a_risk_alert_without_a_cause_says_so() -> None:
    alert = risk_alert("Ann Lee", Rise("high", 0.3), Prediction(0.65, 0.9, "v1", {}, 0.65), _features())
    assert alert.reason == "No single cause stands out."


def test_other_alerts_speak_in_sentences_too() -> None:
    alerts = [
        immediate_alert(event("payment_failed", failure_reason="card_expired", order_id="A-1"), "Ann Lee", 0.5, NOW),
        immediate_alert(event("payment_failed"), "Ann Lee", None, NOW),
        immediate_alert(event("subscription_cancelled"), "Ann Lee", 0.5, NOW),
        immediate_alert(event("support_ticket_created", priority="high"), "Ann Lee", 0.5, NOW),
        immediate_alert(event("support_ticket_created", priority="high", category="late"), "Ann Lee", 0.5, NOW),
        immediate_alert(event("refund_requested"), "Ann Lee", 0.5, NOW),
        return_alert("Ann Lee", 0.5, _features(days_since_last_order=0.123456789012345)),
    ]
    for alert in alerts:
        assert alert is not None
        assert _is_sentence(alert.message), alert
        assert _is_sentence(alert.reason), alert
    assert alerts[0] is not None
    assert alerts[0].reason == "The reason given is: card expired."
