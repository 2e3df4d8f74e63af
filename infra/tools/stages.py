"""The stages on AWS, as samconfig.toml names them: their stacks, their parameters, and what a stack gives out."""

import tomllib
from pathlib import Path
from typing import Any

from churn import aws

_CONFIG = Path(__file__).parents[2] / "samconfig.toml"
# What a stage has is under its name; these are for the commands.
_COMMANDS = {"version", "default"}


class NoStage(ValueError):
    """There is no such stage, or it is not deployed; the text says what there is."""


def deployment(stage: str) -> dict[str, Any]:
    """The parameters of `sam deploy` for a stage. Raises NoStage."""
    config = tomllib.loads(_CONFIG.read_text(encoding="utf-8"))
    stages = config.keys() - _COMMANDS
    if stage not in stages:
        raise NoStage(f"which stage? ENV={' or '.join(sorted(stages))}, as samconfig.toml has them")
    found: dict[str, Any] = config[stage]["deploy"]["parameters"]
    return found


def outputs(stage: str) -> dict[str, str]:
    """What the stage's stack gives out, with its own name as `Stack`. Raises NoStage."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

    name = str(deployment(stage)["stack_name"])
    try:
        (stack,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise NoStage(f"the stack {name} cannot be asked: {error}") from error
    return {"Stack": name, **{item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}}
