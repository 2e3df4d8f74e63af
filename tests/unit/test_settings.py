"""Settings are read once and checked at start; a sentence names the variable."""

import pytest

from churn.settings import InvalidSettingsError, Retention, Settings


def test_the_defaults_are_valid() -> None:
    settings = Settings.from_environment({})
    assert (settings.inactivity_days, settings.horizon_days, settings.alerts.from_level) == (180, 90, "high")


def test_the_shortest_retention_is_accepted() -> None:
    days = {"PREDICTIONS": 126, "HOURS": 400, "EVENTS": 270, "ALERTS": 1, "DEAD_LETTERS": 1}
    settings = Settings.from_environment({f"RETENTION_DAYS_{name}": str(number) for name, number in days.items()})
    assert settings.retention == Retention(events=270, predictions=126, alerts=1, dead_letters=1, hours=400)
    assert Settings.from_environment({}).retention.events == 0, "events are the truth, and are kept"


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
        ({"RETENTION_DAYS_PREDICTIONS": "125"}, "RETENTION_DAYS_PREDICTIONS must be 0, for ever, or at least 126"),
        ({"HORIZON_DAYS": "700"}, "RETENTION_DAYS_PREDICTIONS must be 0, for ever, or at least 736"),
        ({"RETENTION_DAYS_HOURS": "399"}, "RETENTION_DAYS_HOURS must be 0, for ever, or at least 400"),
        ({"RETENTION_DAYS_EVENTS": "269"}, "RETENTION_DAYS_EVENTS must be 0, for ever, or at least 270"),
        ({"RETENTION_DAYS_ALERTS": "-1"}, "RETENTION_DAYS_ALERTS must be between 0 and 36500"),
        ({"ALERT_FROM_RISK": "severe"}, "ALERT_FROM_RISK must be one of low, medium, high, critical"),
    ],
)
def test_nonsense_is_refused_with_the_variables_name(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSettingsError, match=sentence):
        Settings.from_environment(environment)
