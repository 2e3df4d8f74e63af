"""The stages on AWS, as samconfig.toml names them: a stack's outputs, and `make deploy`, `destroy` and `logs`."""

import argparse
import os
import shlex
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from churn.adapters import aws_clients
from infra import console

_CONFIG = Path(__file__).parents[2] / "samconfig.toml"
_SAM = Path(".local/sam/bin/sam")
_BUILT = Path(".aws-sam/build/template.yaml")
# The other top-level keys are the names of stages.
_NOT_STAGES = {"version", "default"}


class StageError(ValueError):
    """A stage that does not exist, is not deployed or cannot be reached; the text says what to do."""


def deployment(stage: str) -> dict[str, Any]:
    """Return the stage's parameters of `sam deploy`.

    Raises StageError if there is no such stage.
    """
    config = tomllib.loads(_CONFIG.read_text(encoding="utf-8"))
    stages = config.keys() - _NOT_STAGES
    if stage not in stages:
        raise StageError(f"which stage? ENV={' or '.join(sorted(stages))}, as samconfig.toml has them")
    parameters: dict[str, Any] = config[stage]["deploy"]["parameters"]
    return parameters


def outputs(stage: str) -> dict[str, str]:
    """Return the outputs of the stage's stack, with the stack's own name as `Stack`.

    Raises StageError if the stage is unknown or not deployed.
    """
    name = str(deployment(stage)["stack_name"])
    try:
        (stack,) = aws_clients.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise StageError(f"the stack {name} cannot be asked: {error}") from error
    return {"Stack": name, **{item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}}


def check_stage(stage: str) -> str:
    """Return the AWS account that the stage would be deployed to.

    Raises StageError if there is no such stage, or AWS does not accept the credentials.
    """
    deployment(stage)
    try:
        return str(aws_clients.client("sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise StageError(
            f"AWS does not accept your credentials: {error}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION"
        ) from error


def deploy_command(stage: str, architecture: str, changes: Sequence[str]) -> list[str]:
    """Return SAM's arguments to deploy what is built, with `changes` (``Parameter=value``) to the stage's parameters.

    SAM replaces the parameters of samconfig.toml by those of its command line, so all of them are repeated here.
    Raises StageError if there is no such stage.
    """
    pairs = [*deployment(stage)["parameter_overrides"], f"Architecture={architecture}", *changes]
    parameters = dict(pair.partition("=")[::2] for pair in pairs)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    # SAM looks for its configuration beside the template.
    config = ["--config-file", str(_CONFIG), "--config-env", stage]
    return ["deploy", "--template-file", str(_BUILT), *config, "--parameter-overrides", *overrides]


def destroy_command(stage: str) -> list[str]:
    """Return SAM's arguments to delete the stage's stack, which ask for confirmation.

    Raises StageError if there is no such stage.
    """
    return ["delete", "--stack-name", str(deployment(stage)["stack_name"])]


def logs_command(stage: str, function: str) -> list[str]:
    """Return SAM's arguments to follow the log of a function, such as scoring or ScoringFunction.

    Raises StageError if there is no such stage.
    """
    group = f"/{deployment(stage)['stack_name']}/{function.removesuffix('Function').lower()}"
    return ["logs", "--cw-log-group", group, "--tail"]


def _exec_sam(command: Sequence[str]) -> NoReturn:
    print(shlex.join(["sam", *command]), flush=True)
    # SAM has an environment of its own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    os.execve(_SAM, [str(_SAM), *command], {**environment, "SAM_CLI_TELEMETRY": "0"})  # noqa: S606 (no shell is wanted)


def main(arguments: list[str]) -> int:
    """Replace this process by SAM; return 2, with a sentence on the screen, if the stage or credentials are wrong."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "check":
                print(f"stage {options.stage}, AWS account {check_stage(options.stage)}")
                return 0
            case "deploy":
                command = deploy_command(options.stage, options.architecture, options.changes)
            case "destroy":
                command = destroy_command(options.stage)
            case _:
                command = logs_command(options.stage, options.function)
    except StageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _exec_sam(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.tools.aws_stages", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check the stage's name and the credentials").add_argument("stage")
    deploy = commands.add_parser("deploy")
    deploy.add_argument("--architecture", default="x86_64")
    deploy.add_argument("stage")
    deploy.add_argument("changes", nargs="*", metavar="PARAMETER=VALUE")
    commands.add_parser("destroy").add_argument("stage")
    logs = commands.add_parser("logs")
    logs.add_argument("stage")
    logs.add_argument("function")
    return parser


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
