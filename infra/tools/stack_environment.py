"""The settings of commands: from the environment, else those of the running local stack."""

import json
import os
from typing import Any

from churn.settings import Settings
from infra.local.options import state_folder

# Name in the environment, name in endpoints.json.
_ENDPOINTS = {
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka",
    "AWS_ENDPOINT_URL": "aws_endpoint",
    "MODEL_BUCKET": "model_bucket",
    "MODEL_PATH": "model_path",
}
# Those of somebody's own account open no door of the local stack.
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class NotRunningError(RuntimeError):
    """A variable that neither the environment nor a running stack sets; the text says what to do."""


def endpoints() -> dict[str, Any]:
    """Return the ``endpoints.json`` of the running local stack, empty if none runs."""
    return _read("endpoints.json")


def use_stack(*needed: str) -> Settings:
    """Return the settings; variables that the environment does not set are those of the running stack.

    Raises NotRunningError if a needed variable is set by neither.
    """
    addresses = endpoints()
    # environment.json outlives the stack, its addresses do not.
    environment = _read("environment.json") if addresses else {}
    if "AWS_ENDPOINT_URL" not in os.environ:
        os.environ.update({name: environment[name] for name in _CREDENTIALS if name in environment})
    for variable, value in environment.items():
        os.environ.setdefault(variable, str(value))
    for variable, name in _ENDPOINTS.items():
        if addresses.get(name):
            os.environ.setdefault(variable, str(addresses[name]))
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        raise NotRunningError(
            f"{', '.join(missing)} is not set and no local stack runs: start one with 'make up', or set the variable"
        )
    return Settings.from_environment(os.environ)


def stack_environment() -> dict[str, str]:
    """Return the environment of the running stack's functions.

    Raises NotRunningError if none runs.
    """
    if not endpoints():
        raise NotRunningError("no local stack runs: start one with 'make up'")
    return {name: str(value) for name, value in _read("environment.json").items()}


def _read(name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((state_folder(os.environ) / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content
