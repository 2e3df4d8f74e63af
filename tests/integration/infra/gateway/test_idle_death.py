"""A process that died while it was idle costs no request."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import FunctionSpec

_ECHO = Path(__file__).parents[1] / "local_fixture" / "echo"
_SPEC = FunctionSpec("EchoFunction", "echo", "app.handler", _ECHO, (), 256, 10.0, {}, None)


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_process_that_died_idle_is_replaced_before_it_is_asked(death: signal.Signals) -> None:
    async def run() -> tuple[int, int]:
        pool = FunctionPool(_SPEC, {}, "eu-central-1", 2, lambda *_: None)
        await pool.start(prewarm=1)
        try:
            assert await pool.warm()
            (before,) = pool.pids
            os.kill(before, death)
            # A signal is sent before the process has ended; WNOWAIT leaves the end for the gateway to find.
            os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
            # Nothing has been awaited: the gateway has not heard of the end.
            result = await pool.invoke(b"{}")
            assert result.error is None, result.payload
            return before, int(json.loads(json.loads(result.payload)["body"])["pid"])
        finally:
            await pool.stop()

    before, after = asyncio.run(run())
    assert after != before
