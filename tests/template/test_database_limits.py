"""What RDS and its proxy allow, where no linter knows it: each rule names AWS's own page."""

import re
from typing import Any

import pytest

from churn.adapters.mysql.database import SESSION_SETTINGS
from tests.template.parameters import STAGES, chosen, reserved, stage_parameters
from tests.template.test_template import NESTED, of_type, read, walk

# May run statements of more than 16 KB, which pin a session of the proxy.
_MAY_PIN = ("scoring", "rescoring", "training", "evaluation")


def test_no_class_that_lacks_database_insights_switches_it_on(data: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DatabaseInsights.Engines.html ."""
    database = data["Resources"]["Database"]["Properties"]
    classes = read("template.yaml")["Parameters"]["DatabaseClass"]["AllowedValues"]
    for name in (*classes, "db.t3.micro", "db.t3.small", "db.t2.micro", "db.t2.small"):
        values = {
            key: chosen(database[key], data["Conditions"], {"DatabaseClass": name})
            for key in ("EnablePerformanceInsights", "PerformanceInsightsKMSKeyId", "DatabaseInsightsMode")
        }
        has_none = re.fullmatch(r"db\.(t2|t3|t4g)\.(micro|small)", name)
        assert values["EnablePerformanceInsights"] is (not has_none), name
        # RDS refuses a key, or a mode, of what is switched off.
        assert (values["PerformanceInsightsKMSKeyId"] is None) == bool(has_none)
        assert values["DatabaseInsightsMode"] == (None if has_none else "standard")


def test_the_proxys_role_is_trusted_without_a_condition_and_it_alone(data: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html ."""
    for name in NESTED:
        for role, properties in of_type(read(name), "AWS::IAM::Role").items():
            (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
            assert ("Condition" in statement) == (role != "ProxyRole"), role
    assert data["Resources"]["Proxy"]["Properties"]["RoleArn"] == {"Fn::GetAtt": ["ProxyRole", "Arn"]}


def test_the_proxys_connections_have_the_settings_that_a_session_would_set(data: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html ."""
    pool = data["Resources"]["ProxyTarget"]["Properties"]["ConnectionPoolConfigurationInfo"]
    assert pool["InitQuery"] == f"SET {SESSION_SETTINGS}, transaction_isolation = 'READ-COMMITTED'"
    for output in ("DatabaseUrl", "OwnersDatabaseUrl"):
        condition, behind_proxy, without = data["Outputs"][output]["Value"]["Fn::If"]
        assert condition == "WithProxy"
        assert "proxy=true" in behind_proxy["Fn::Sub"]
        assert "proxy" not in without["Fn::Sub"].lower()


@pytest.mark.parametrize("stage", STAGES)
def test_pinned_sessions_of_two_versions_leave_connections_for_everybody_else(
    stage: str, template: dict[str, Any], data: dict[str, Any]
) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections ."""
    parameters = stage_parameters(stage)
    connections = read("template.yaml")["Mappings"]["DatabaseClasses"][parameters["DatabaseClass"]]["Connections"]
    pool = data["Resources"]["ProxyTarget"]["Properties"]["ConnectionPoolConfigurationInfo"]
    of_proxy = connections * pool["MaxConnectionsPercent"] // 100
    connects = _with_database(template)
    by_function = {name: count for name, count in reserved(template, parameters).items() if name in connects}
    pinned = 2 * sum(by_function[name] for name in _MAY_PIN)
    # The reservation is of a function with all its versions; what is not pinned goes back after each transaction.
    others = sum(count for name, count in by_function.items() if name not in _MAY_PIN)
    assert pinned + others <= of_proxy


def _with_database(template: dict[str, Any]) -> set[str]:
    """Return the functions whose role may read the credentials of the database."""
    roles = of_type(template, "AWS::IAM::Role")
    return {
        name.removesuffix("Role").lower()
        for name, role in roles.items()
        if any(mapping.get("Sid") == "DatabaseCredentials" for mapping in walk(role))
    }


def test_a_class_has_the_connections_that_its_memory_allows() -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections ."""
    memory = {
        "micro": 1,
        "small": 2,
        "medium": 4,
        "large": 8,
        "xlarge": 16,
        "2xlarge": 32,
        "4xlarge": 64,
        "8xlarge": 128,
    }
    content = read("template.yaml")
    classes = content["Mappings"]["DatabaseClasses"]
    assert set(classes) == set(content["Parameters"]["DatabaseClass"]["AllowedValues"])
    for name, values in classes.items():
        size = name.rpartition(".")[2]
        assert values["Connections"] == memory[size] * 2**30 // 12_582_880, name
        # A tenth of what a day earns: 12, 24, 24 and 36 credits an hour.
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html
        earned = {"micro": 12, "small": 24, "medium": 24, "large": 36}[size] if ".t4g." in name else 0
        assert 0.9 * earned <= values["FewCredits"] / 2.4 <= 1.1 * earned, name
