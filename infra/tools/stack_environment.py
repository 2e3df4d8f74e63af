"""What a command needs to reach the service: from the environment, else what the running local stack tells."""

import json
import os
from pathlib import Path
from typing import Any

from churn.settings import Settings

# Name in the environment, name in endpoints.json.
_TOLD = {
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka",
    "AWS_ENDPOINT_URL": "aws_endpoint",
    "MODEL_BUCKET": "model_bucket",
    "MODEL_PATH": "model_path",
}
# The local AWS takes any, and boto3 wants some.
_LOCAL_AWS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "eu-central-1"}


class NotRunningError(RuntimeError):
    """The command needs something that neither the environment nor a running stack names; the text says what to do."""


def state_folder() -> Path:
    """Where the local stack keeps its state: CHURN_STATE_DIR, or ``.local``."""
    return Path(os.environ.get("CHURN_STATE_DIR") or ".local")


def endpoints() -> dict[str, Any]:
    """What the running local stack wrote to ``endpoints.json``; empty when none runs."""
    return _read("endpoints.json")


def use_stack(*needed: str) -> Settings:
    """The settings, with what the environment does not name taken from the running stack.

    Raises NotRunningError when one of the needed variables is named by neither.
    """
    told = endpoints()
    # That file outlives the stack, its addresses do not.
    for variable, value in _read("environment.json").items() if told else ():
        os.environ.setdefault(variable, str(value))
    for variable, name in _TOLD.items():
        if told.get(name):
            os.environ.setdefault(variable, str(told[name]))
    if told.get("aws_endpoint"):
        for variable, value in _LOCAL_AWS.items():
            os.environ.setdefault(variable, value)
    # The commands log nothing of their own but what goes wrong.
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "WARNING")
    os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        raise NotRunningError(
            f"{', '.join(missing)} is not set and no local stack runs: start one with 'make up', or set the variable"
        )
    return Settings.from_environment(os.environ)


def stack_environment() -> dict[str, str]:
    """The variables that the running stack's functions see. Raises NotRunningError."""
    if not endpoints():
        raise NotRunningError("no local stack runs: start one with 'make up'")
    return {name: str(value) for name, value in _read("environment.json").items()}


def _read(name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((state_folder() / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
