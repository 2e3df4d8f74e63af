"""What the template becomes with parameters: those of a stage, its conditions, and the concurrency that it reserves."""

import tomllib
from collections.abc import Mapping
from typing import Any

from tests.template.test_template import ROOT, of_type, read

STAGES = ("dev", "staging", "prod")


def stage_parameters(stage: str) -> dict[str, str]:
    """Return the template's parameters as a stage has them."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    overrides = config[stage]["deploy"]["parameters"]["parameter_overrides"]
    defaults = {name: str(declared["Default"]) for name, declared in read("template.yaml")["Parameters"].items()}
    return {**defaults, **dict(override.partition("=")[::2] for override in overrides)}


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


def holds(condition: Any, conditions: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    match condition:
        case {"Condition": name}:
            return holds(conditions[name], conditions, parameters)
        case {"Fn::Equals": [{"Ref": name}, value]}:
            return bool(parameters[name] == value)
        case {"Fn::Or": parts}:
            return any(holds(part, conditions, parameters) for part in parts)
        case {"Fn::And": parts}:
            return all(holds(part, conditions, parameters) for part in parts)
        case {"Fn::Not": [part]}:
            return not holds(part, conditions, parameters)
    raise AssertionError(condition)
