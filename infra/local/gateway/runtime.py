"""The Lambda functions: a pool of execution environments each.

An environment is a process of its own, on AWS's runtime interface client, that takes one invocation at a time from a
Runtime API served here.

The Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import os
import secrets
import tempfile
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.gateway.environment import Environment, Log, Result
from infra.local.side_doors import aws_credentials
from infra.local.template.specs import FunctionSpec


class FunctionPool:
    """The execution environments of one function: as many at once as there are invocations, up to a limit."""

    def __init__(self, spec: FunctionSpec, environment: Mapping[str, str], region: str, limit: int, log: Log) -> None:
        self.spec = spec
        self.arn = spec.arn(region)
        self._variables = _variables(spec, environment, region)
        self._limit = min(limit, spec.reserved_concurrency) if spec.reserved_concurrency else limit
        self._log = log
        self._idle: deque[Environment] = deque()
        self._all: set[Environment] = set()
        self._slots = asyncio.Semaphore(self._limit)
        self._generation = 0
        self.last_error: str | None = None

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run now."""
        return [environment.pid for environment in self._all if environment.alive and environment.pid]

    async def start(self, prewarm: int = 0) -> None:
        """Start `prewarm` environments ahead of need."""
        for _ in range(min(prewarm, self._limit)):
            self._idle.append(await self._new())

    @property
    def folders(self) -> Sequence[Path]:
        """Where the function's code is."""
        return (self.spec.folder, *self.spec.layers)

    async def renew(self) -> None:
        """Run the code as it is now from the next invocation on; one that is under way ends with the old one."""
        self._generation += 1
        self._log(self.spec.label, "source changed: the next invocation runs the new code")
        stale = list(self._idle)
        self._idle.clear()
        for environment in stale:
            await self._drop(environment)
        if stale:
            self._idle.append(await self._new())

    async def warm(self) -> bool:
        """Wait until the environments that stand ready have imported their code; return whether all could."""
        failures = [await environment.wait_ready() for environment in list(self._idle)]
        for failure in failures:
            if failure is not None:
                self.last_error = failure.payload.decode("utf-8", "replace")
                self._log(self.spec.label, f"cannot start: {self.last_error}")
        return not any(failures)

    async def invoke(self, payload: bytes, request_id: str | None = None) -> Result:
        """Invoke the function in an environment that is free for it; wait in line at the limit."""
        request_id = request_id or str(uuid.uuid4())
        async with self._slots:
            environment = await self._take()
            try:
                result = await environment.invoke(payload, request_id)
            except BaseException:
                await self._drop(environment)
                raise
            if environment.alive and environment.generation == self._generation:
                self._idle.append(environment)
            else:
                await self._drop(environment)
        self.last_error = result.payload.decode("utf-8", "replace") if result.error else None
        return result

    async def stop(self) -> None:
        """End every environment."""
        await asyncio.gather(*(environment.stop() for environment in list(self._all)))
        self._all.clear()
        self._idle.clear()

    async def _take(self) -> Environment:
        while self._idle:
            environment = self._idle.pop()
            if environment.alive and environment.generation == self._generation:
                return environment
            await self._drop(environment)
        return await self._new()

    async def _new(self) -> Environment:
        environment = Environment(self.spec, self._variables, self.arn, self._generation, self._log)
        self._all.add(environment)
        await environment.start()
        return environment

    async def _drop(self, environment: Environment) -> None:
        self._all.discard(environment)
        await environment.stop()


def _variables(spec: FunctionSpec, environment: Mapping[str, str], region: str) -> dict[str, str]:
    """Return the whole environment of the process; nothing of the environment of the stack's starter is in it."""
    reserved = {
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{secrets.token_hex(16)}",
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": str(spec.folder),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "TZ": "UTC",
        "PATH": os.defpath,
        # The layers' third-party packages come from this interpreter's site-packages: built from the same lock file.
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in (spec.folder, *spec.layers)),
        "PYTHONUNBUFFERED": "1",
    }
    usual = {"TMPDIR": tempfile.gettempdir(), "AWS_SESSION_TOKEN": "local", **aws_credentials("")}
    return {**usual, **environment, **spec.environment, **reserved}
