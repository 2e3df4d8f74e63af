"""What the template becomes with parameters: those of a stage, its conditions and rules, and what it reserves."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from tests.template.test_template import ROOT, of_type, read

STAGES = ("dev", "staging", "prod")


@cache
def _template() -> dict[str, Any]:
    return read("template.yaml")


def with_defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Return all the template's parameters, where some are given."""
    defaults = {name: str(declared["Default"]) for name, declared in _template()["Parameters"].items()}
    return {**defaults, **given}


def pairs(words: Iterable[str]) -> dict[str, str]:
    """Return the parameters in words such as ``Kafka=none``."""
    return dict(word.partition("=")[::2] for word in words)


def stage_parameters(stage: str) -> dict[str, str]:
    """Return the template's parameters as a stage has them."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    return with_defaults(pairs(config[stage]["deploy"]["parameters"]["parameter_overrides"]))


def refusals(given: Mapping[str, str]) -> dict[str, str]:
    """Return with what sentences CloudFormation refuses these parameters, each with the name of its rule."""
    parameters = with_defaults(given)
    return {
        assertion["AssertDescription"]: name
        for name, rule in _template()["Rules"].items()
        if "RuleCondition" not in rule or holds(rule["RuleCondition"], {}, parameters)
        for assertion in rule["Assertions"]
        if not holds(assertion["Assert"], {}, parameters)
    }


def reserved(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, int]:
    """Return the concurrency that each function reserves."""
    found = {}
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        value = function["ReservedConcurrentExecutions"]
        found[name.removesuffix("Function").lower()] = int(
            parameters[value["Ref"]] if isinstance(value, dict) else value
        )
    return found


def chosen(value: Any, conditions: Mapping[str, Any], parameters: Mapping[str, str]) -> Any:
    """Return what a value with Fn::If becomes, with conditions that compare parameters."""
    match value:
        case {"Fn::If": [condition, then, otherwise]}:
            return chosen(
                then if holds({"Condition": condition}, conditions, parameters) else otherwise, conditions, parameters
            )
        case {"Ref": "AWS::NoValue"}:
            return None
    return value


def holds(  # noqa: PLR0911 (one case a form)
    condition: Any, conditions: Mapping[str, Any], parameters: Mapping[str, str]
) -> bool:
    match condition:
        case {"Condition": name}:
            return holds(conditions[name], conditions, parameters)
        case {"Fn::Equals": [{"Ref": name}, value]}:
            return bool(parameters[name] == value)
        case {"Fn::Contains": [values, {"Ref": name}]}:
            return parameters[name] in values
        case {"Fn::EachMemberEquals": [{"Ref": name}, value]}:
            return all(member == value for member in parameters[name].split(","))
        case {"Fn::Or": parts}:
            return any(holds(part, conditions, parameters) for part in parts)
        case {"Fn::And": parts}:
            return all(holds(part, conditions, parameters) for part in parts)
        case {"Fn::Not": [part]}:
            return not holds(part, conditions, parameters)
    raise AssertionError(condition)
