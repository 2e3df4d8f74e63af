"""The stages on AWS, as samconfig.toml names them: what a stack gives out, and `make deploy`, `destroy` and `logs`."""

import argparse
import os
import shlex
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from churn.adapters import aws_clients as aws

_CONFIG = Path(__file__).parents[2] / "samconfig.toml"
_SAM = Path(".local/sam/bin/sam")
_BUILT = Path(".aws-sam/build/template.yaml")
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
    name = str(deployment(stage)["stack_name"])
    try:
        (stack,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise NoStage(f"the stack {name} cannot be asked: {error}") from error
    return {"Stack": name, **{item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}}


def deploy_command(stage: str, architecture: str, changes: Sequence[str]) -> list[str]:
    """SAM's arguments to deploy what is built, with `changes` (``Parameter=value``) to what the stage has set.

    SAM would take parameters of its command line in the place of those of samconfig.toml. Raises NoStage.
    """
    set_so_far = [*deployment(stage)["parameter_overrides"], f"Architecture={architecture}", *changes]
    parameters = dict(change.partition("=")[::2] for change in set_so_far)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    # SAM looks for its configuration beside the template.
    config = ["--config-file", str(_CONFIG), "--config-env", stage]
    return ["deploy", "--template-file", str(_BUILT), *config, "--parameter-overrides", *overrides]


def destroy_command(stage: str) -> list[str]:
    """SAM's arguments to delete the stage's stack; it asks before it does. Raises NoStage."""
    return ["delete", "--stack-name", str(deployment(stage)["stack_name"])]


def logs_command(stage: str, function: str) -> list[str]:
    """SAM's arguments to follow the log of a function, such as scoring or ScoringFunction. Raises NoStage."""
    group = f"/{deployment(stage)['stack_name']}/{function.removesuffix('Function').lower()}"
    return ["logs", "--cw-log-group", group, "--tail"]


def _go_on_as_sam(command: Sequence[str]) -> NoReturn:
    print(shlex.join(["sam", *command]), flush=True)
    # SAM has an environment of its own.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    os.execve(_SAM, [str(_SAM), *command], {**kept, "SAM_CLI_TELEMETRY": "0"})  # noqa: S606 (no shell is wanted)


def main(arguments: list[str]) -> int:
    """The command line's entry: goes on as SAM, or ends with 2 and a sentence when there is no such stage."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.aws_stages", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    deploy = commands.add_parser("deploy")
    deploy.add_argument("--architecture", default="x86_64")
    deploy.add_argument("stage")
    deploy.add_argument("changes", nargs="*", metavar="PARAMETER=VALUE")
    commands.add_parser("destroy").add_argument("stage")
    logs = commands.add_parser("logs")
    logs.add_argument("stage")
    logs.add_argument("function")
    given = parser.parse_args(arguments)
    try:
        match given.command:
            case "deploy":
                command = deploy_command(given.stage, given.architecture, given.changes)
            case "destroy":
                command = destroy_command(given.stage)
            case _:
                command = logs_command(given.stage, given.function)
    except NoStage as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _go_on_as_sam(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
