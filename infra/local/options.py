"""What can be set of the local stack, and the folder that holds its state."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from churn.settings import OTLP_ENDPOINT, VARIABLES, Settings
from churn.variables import InvalidSettingsError, Variable, brief
from infra.local.servers.supervisor import StackError

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the project."""

PYTHON_PATH = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "churn")))
"""PYTHONPATH of the project's own programs."""

TRACES_FILE = "traces.jsonl"
"""The file of `TRACES=file`, in the folder of the logs."""

_MOST = 1_000_000_000
_LAST_PORT = 65_535
# One machine is one client: the limits of clients on AWS would stop a test.
_LOCAL_PARAMETERS = {"RateLimitMultiplier": "100"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the environment says about the local stack."""

    state: Path
    port: int
    ws_port: int
    sample_customers: int
    event_rate: float
    metrics_port: int
    """Of the gateway's own address, with `/metrics` and `/status`; 0 takes a free one."""
    traces: str
    """Where the functions' traces are shown: `console`, `file`, or empty for nowhere."""
    concurrency: int
    database_url: str
    redis_url: str
    kafka: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the template: the settings of the service that the environment names."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the options, with their defaults. Raises StackError naming a variable that makes no sense."""
        try:
            Settings.from_environment(environment)
        except InvalidSettingsError as error:
            raise StackError(str(error)) from None
        traces = environment.get("TRACES", "")
        if traces not in {"", "console", "file"}:
            raise StackError(f"TRACES must be console or file, not {brief(traces)}")
        if traces and environment.get(OTLP_ENDPOINT):
            raise StackError(f"set TRACES, or {OTLP_ENDPOINT}, not both: traces go to one place")
        return cls(
            state=state_folder(environment),
            port=_whole(environment, "PORT", "3000", _LAST_PORT),
            ws_port=_whole(environment, "WS_PORT", "3001", _LAST_PORT),
            sample_customers=_whole(environment, "SAMPLE_CUSTOMERS", "5000"),
            event_rate=_number(environment, Variable("EVENT_RATE", "2", 0, _MOST)),
            metrics_port=_whole(environment, "METRICS_PORT", "0", _LAST_PORT),
            traces=traces,
            concurrency=max(1, _whole(environment, "LOCAL_CONCURRENCY", "2")),
            database_url=environment.get("DATABASE_URL", ""),
            redis_url=environment.get("REDIS_URL", ""),
            kafka=environment.get("KAFKA_BOOTSTRAP_SERVERS", ""),
            parameters=_LOCAL_PARAMETERS
            | {
                variable.parameter_name: environment[variable.name]
                for variable in VARIABLES
                if environment.get(variable.name)
            },
        )


def _whole(environment: Mapping[str, str], name: str, default: str, most: int = _MOST) -> int:
    return int(_number(environment, Variable(name, default, 0, most, is_whole=True)))


def _number(environment: Mapping[str, str], variable: Variable) -> float:
    try:
        return float(variable.text(environment))
    except InvalidSettingsError as error:
        raise StackError(str(error)) from None


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of all that outlives the stack: CHURN_STATE_DIR, or `.local` in the checkout."""
    return Path(environment.get("CHURN_STATE_DIR") or ROOT / ".local").resolve()
