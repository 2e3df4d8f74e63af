"""Settings are read once and checked at start; a sentence names the variable."""

import pytest

from churn.settings import InvalidSettingsError, Settings


def test_the_defaults_are_valid() -> None:
    settings = Settings.from_environment({})
    assert (settings.inactivity_days, settings.horizon_days, settings.alerts.from_level) == (180, 90, "high")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"INACTIVITY_DAYS": "1000000"}, "INACTIVITY_DAYS must be between 1 and 3650"),
        ({"HORIZON_DAYS": "0"}, "HORIZON_DAYS must be between 1 and 3650"),
        ({"EMBARGO_DAYS": "366"}, "EMBARGO_DAYS must be between 0 and 365"),
        ({"SOCKET_LIMIT": "9" * 400}, "SOCKET_LIMIT must be between 1 and 1000000"),
        ({"HORIZON_DAYS": "9" * 5000}, "HORIZON_DAYS must be a number"),
        ({"HORIZON_DAYS": "ninety"}, "HORIZON_DAYS must be a number"),
        ({"MEDIUM_RISK": "nan"}, "MEDIUM_RISK must be between 0 and 1"),
        ({"MEDIUM_RISK": "0.7"}, "MEDIUM_RISK, HIGH_RISK, CRITICAL_RISK: the risk bands must rise"),
        ({"RISK_HYSTERESIS": "0.45"}, "RISK_HYSTERESIS must be below MEDIUM_RISK, 0.4"),
        ({"MEDIUM_RISK": "0.05"}, "RISK_HYSTERESIS must be below MEDIUM_RISK, 0.05"),
        ({"ALERT_FROM_RISK": "severe"}, "ALERT_FROM_RISK must be one of low, medium, high, critical"),
    ],
)
def test_nonsense_is_refused_with_the_variables_name(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSettingsError, match=sentence):
        Settings.from_environment(environment)
