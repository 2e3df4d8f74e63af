"""One list of settings: what the code reads, what the template lets a shop set, and what the docs say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from churn.settings import VARIABLES, Settings
from churn.variables import Variable
from infra.local.template.intrinsics import parse_yaml

ROOT = Path(__file__).parents[4]
_TEMPLATE: dict[str, Any] = parse_yaml((ROOT / "template.yaml").read_text(encoding="utf-8"))
_SET_BY_THE_DEPLOYMENT = {
    "DATABASE_URL",
    "DATABASE_USER_SECRET",
    "REDIS_URL",
    "JWT_SECRET",
    "ERASURE_KEY",
    "FAILED_BATCHES",
    "MODEL_BUCKET",
    "MODEL_PATH",
    "MODEL_SIGNING_KEY",
    "SOCKET_ENDPOINT",
    "EVENT_SOURCE_URL",
    "TRAINING_FUNCTION",
    "SCORING_FUNCTION",
    "EVENTS_QUEUE",
    "KAFKA_BOOTSTRAP_SERVERS",
    "TOPIC_PARTITIONS",
    "POWERTOOLS_SERVICE_NAME",
}


class _Recording(dict[str, str]):
    """An empty environment that notes which variables are read."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default


def _rows_of_the_docs() -> dict[str, str]:
    """Return the defaults of the table in the docs by the variable's name."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \| ([^|]*) \|", text, re.MULTILINE)
    defaults: dict[str, str] = {}
    for names, cell in rows:
        variables = re.findall(r"`([A-Z_]+)`", names)
        values = [value.strip("` ") for value in cell.split(";")[0].split(",")]
        defaults |= dict(zip(variables, values if len(values) == len(variables) else values * 9, strict=False))
    return defaults


def _parameters_of_the_docs() -> dict[str, str]:
    """Return the parameter of each variable of the service, from the last column of the table in the docs."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").split("## Addresses")[0]
    rows = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|.*\| ([^|]*) \|$", text, re.MULTILINE)
    return {
        variable: parameter
        for names, cell in rows
        for variable, parameter in zip(re.findall(r"`(\w+)`", names), re.findall(r"`(\w+)`", cell), strict=True)
    }


def _variables_of(function: Mapping[str, Any]) -> dict[str, Any]:
    return dict(((function.get("Environment") or {}).get("Variables")) or {})


def test_the_code_reads_what_is_listed_and_nothing_else() -> None:
    environment = _Recording()
    Settings.from_environment(environment)
    listed = {variable.name for variable in VARIABLES}
    assert environment.names == listed | _SET_BY_THE_DEPLOYMENT


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_a_setting_is_a_parameter_of_the_template(variable: Variable) -> None:
    parameter = _TEMPLATE["Parameters"][variable.parameter_name]
    assert parameter["Description"]
    if variable.least is None:
        assert parameter["Type"] == "String"
        assert str(parameter["Default"]) == variable.default
        assert tuple(parameter.get("AllowedValues", ())) == variable.choices
        if variable.pattern:
            assert parameter["AllowedPattern"] == variable.pattern
    else:
        assert parameter["Type"] == "Number"
        assert float(parameter["Default"]) == float(variable.default)
        assert (parameter["MinValue"], parameter.get("MaxValue")) == (variable.least, variable.most)


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_the_functions_that_read_a_setting_are_given_it(variable: Variable) -> None:
    variables = _variables_of(_TEMPLATE["Globals"]["Function"])
    if variable.name == "SWEEP_AFTER_HOURS":
        variables = _variables_of(_TEMPLATE["Resources"]["RescoringFunction"]["Properties"])
    assert variables[variable.name] == {"Ref": variable.parameter_name}


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_the_docs_give_a_setting_with_its_default(variable: Variable) -> None:
    default = _rows_of_the_docs()[variable.name]
    assert default.replace("none", "") == variable.default


def test_the_docs_name_the_parameter_of_every_setting() -> None:
    assert _parameters_of_the_docs() == {variable.name: variable.parameter_name for variable in VARIABLES}


def test_the_docs_name_no_parameter_that_the_template_lacks() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").split("## The local stack")[0]
    cells = re.findall(r"^\| `.*\| ([^|]*) \|$", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", "".join(cells))) <= _TEMPLATE["Parameters"].keys()


def test_each_parameter_is_described_and_stands_in_one_group() -> None:
    groups = _TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [parameter for group in groups for parameter in group["Parameters"]]
    assert grouped == list(_TEMPLATE["Parameters"])
    assert [name for name, parameter in _TEMPLATE["Parameters"].items() if not parameter.get("Description")] == []
    # CloudFormation's limit.
    assert len(grouped) <= 200


def test_the_docs_name_every_variable_that_the_service_reads() -> None:
    assert _SET_BY_THE_DEPLOYMENT | {variable.name for variable in VARIABLES} <= set(_rows_of_the_docs())


def test_the_docs_name_no_variable_that_nothing_reads() -> None:
    options = (ROOT / "infra/local/options.py").read_text(encoding="utf-8")
    local = set(re.findall(r'(?:whole\(environment, |Variable\(|get\()"([A-Z_]+)"', options))
    assert set(_rows_of_the_docs()) <= {variable.name for variable in VARIABLES} | _SET_BY_THE_DEPLOYMENT | local | {
        "CHURN_STATE_DIR"
    }
