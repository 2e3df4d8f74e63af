"""Settings are read once and checked at start; a sentence names the variable."""

import os
import subprocess
import sys

import pytest

from churn.settings import VARIABLES, Retention, Settings
from churn.variables import InvalidSettingsError, Variable


def test_the_defaults_are_valid() -> None:
    settings = Settings.from_environment({})
    assert (settings.inactivity_days, settings.horizon_days, settings.alerts.from_level) == (180, 90, "high")


def test_the_shortest_retention_is_accepted() -> None:
    days = {"PREDICTIONS": 126, "HOURS": 400, "EVENTS": 270, "ALERTS": 1, "DEAD_LETTERS": 1, "SEGMENTS": 1}
    settings = Settings.from_environment({f"RETENTION_DAYS_{name}": str(number) for name, number in days.items()})
    assert settings.retention == Retention(events=270, predictions=126, alerts=1, dead_letters=1, hours=400, segments=1)
    assert Settings.from_environment({}).retention.events == 0, "events are the truth, and are kept"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"INACTIVITY_DAYS": "1000000"}, "INACTIVITY_DAYS must be between 1 and 3650"),
        ({"HORIZON_DAYS": "0"}, "HORIZON_DAYS must be between 1 and 3650"),
        ({"EMBARGO_DAYS": "366"}, "EMBARGO_DAYS must be between 0 and 365"),
        ({"SOCKET_LIMIT": "9" * 400}, "SOCKET_LIMIT must be between 1 and 1000000"),
        ({"HORIZON_DAYS": "9" * 5000}, "HORIZON_DAYS must be between 1 and 3650, not '9{20}'…$"),
        ({"HORIZON_DAYS": "ninety"}, "HORIZON_DAYS must be a whole number, not 'ninety'"),
        ({"HORIZON_DAYS": "90.0"}, "HORIZON_DAYS must be a whole number"),
        ({"INACTIVITY_DAYS": "1_0"}, "INACTIVITY_DAYS must be a whole number, not '1_0'"),
        ({"INACTIVITY_DAYS": "\u0661\u0668\u0660"}, "INACTIVITY_DAYS must be a whole number"),
        ({"INACTIVITY_DAYS": " 180 "}, "INACTIVITY_DAYS must be a whole number"),
        ({"TOPIC_PARTITIONS": "4_8"}, "TOPIC_PARTITIONS must be a whole number"),
        ({"MEDIUM_RISK": "nan"}, "MEDIUM_RISK must be a number"),
        ({"MEDIUM_RISK": "0.\u0664"}, "MEDIUM_RISK must be a number"),
        ({"POWERTOOLS_LOG_LEVEL": "loud"}, "POWERTOOLS_LOG_LEVEL must be one of DEBUG, INFO, WARNING, .*, not 'loud'"),
        ({"OTEL_TRACES_SAMPLER_ARG": "nan"}, "OTEL_TRACES_SAMPLER_ARG must be a number"),
        ({"OTEL_TRACES_SAMPLER_ARG": "5"}, "OTEL_TRACES_SAMPLER_ARG must be between 0 and 1, not '5'"),
        ({"CURRENCY": "a secret that came into the wrong variable"}, "not 'a secret that came i'…$"),
        ({"MEDIUM_RISK": "0.7"}, "MEDIUM_RISK, HIGH_RISK, CRITICAL_RISK: the risk bands must rise"),
        ({"RISK_HYSTERESIS": "0.45"}, "RISK_HYSTERESIS must be below MEDIUM_RISK, 0.4"),
        ({"MEDIUM_RISK": "0.05"}, "RISK_HYSTERESIS must be below MEDIUM_RISK, 0.05"),
        ({"RISK_HYSTERESIS": "0.21"}, "RISK_HYSTERESIS must not be wider than the narrowest risk level, 0.2"),
        ({"CRITICAL_RISK": "0.63"}, "RISK_HYSTERESIS must not be wider than the narrowest risk level, 0.03"),
        ({"RETENTION_DAYS_PREDICTIONS": "125"}, "RETENTION_DAYS_PREDICTIONS must be 0, for ever, or at least 126"),
        ({"HORIZON_DAYS": "700"}, "RETENTION_DAYS_PREDICTIONS must be 0, for ever, or at least 736"),
        ({"RETENTION_DAYS_HOURS": "399"}, "RETENTION_DAYS_HOURS must be 0, for ever, or at least 400"),
        ({"RETENTION_DAYS_EVENTS": "269"}, "RETENTION_DAYS_EVENTS must be 0, for ever, or at least 270"),
        ({"RETENTION_DAYS_ALERTS": "-1"}, "RETENTION_DAYS_ALERTS must be between 0 and 36500"),
        ({"ALLOWED_ORIGINS": "https://a.example/"}, "ALLOWED_ORIGINS must match"),
        ({"ALLOWED_ORIGINS": "https://a.example,*"}, "ALLOWED_ORIGINS must match"),
        ({"ALLOWED_ORIGINS": "a.example"}, "ALLOWED_ORIGINS must match"),
        ({"OIDC_ISSUER": "issuer.example.com"}, "OIDC_ISSUER must match"),
        ({"OIDC_ISSUER": "https://issuer.example.com"}, "OIDC_AUDIENCE must be set with OIDC_ISSUER"),
        ({"OIDC_CLIENT_ID": "dashboard"}, "OIDC_ISSUER must be set with OIDC_CLIENT_ID"),
        ({"OIDC_TOKEN_ORIGIN": "https://a.example/x"}, "OIDC_TOKEN_ORIGIN must match"),
        ({"OIDC_ROLES": "team=owner"}, "OIDC_ROLES must be VALUE=ROLE .* not 'team=owner'"),
        ({"OIDC_ROLES": "=admin"}, "OIDC_ROLES must be VALUE=ROLE"),
        ({"OWN_TOKENS": "off"}, "OWN_TOKENS must be on without OIDC_ISSUER"),
        ({"ALERT_FROM_RISK": "severe"}, "ALERT_FROM_RISK must be one of low, medium, high, critical"),
    ],
)
def test_nonsense_is_refused_with_the_variables_name(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSettingsError, match=sentence):
        Settings.from_environment(environment)


def test_a_value_at_its_limit_is_accepted() -> None:
    # 0.6 - 0.4 is a little less than 0.2 in binary.
    assert Settings.from_environment({"RISK_HYSTERESIS": "0.2"}).alerts.hysteresis == 0.2
    assert Settings.from_environment({"INACTIVITY_DAYS": "3650"}).inactivity_days == 3650


_LIMITED = [one for one in VARIABLES if one.least is not None or one.choices or one.pattern]


@pytest.mark.parametrize("variable", _LIMITED, ids=lambda variable: variable.name)
def test_every_variable_with_a_limit_is_checked_and_empty_is_its_default(variable: Variable) -> None:
    with pytest.raises(InvalidSettingsError, match=f"^{variable.name} must .*, not 'x{{20}}'…$"):
        Settings.from_environment({variable.name: "x" * 1000})
    assert Settings.from_environment({variable.name: ""}) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("name", "value"),
    [("POWERTOOLS_LOG_LEVEL", "loud"), ("OTEL_TRACES_SAMPLER_ARG", "nan"), ("OTEL_TRACES_SAMPLER_ARG", "5")],
)
def test_what_libraries_read_is_refused_before_they_read_it(name: str, value: str) -> None:
    environment = os.environ | {name: value, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    command = [sys.executable, "-c", "import churn.observability"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"churn.variables.InvalidSettingsError: {name} must be ")
