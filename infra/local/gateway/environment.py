"""One execution environment of a function, as on Lambda: a process that takes one invocation at a time."""

import asyncio
import contextlib
import json
import os
import re
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from infra.local.servers.child_process import die_with_parent
from infra.local.side_doors import no_pages
from infra.local.template.specs import FunctionSpec

Log = Callable[[str, str], None]

# Importing takes longer here than on Lambda when every function starts at once.
_INIT_SECONDS = 60.0
_MEMORY_CHECK_SECONDS = 0.25
_MB = 1024 * 1024
# What a thread's stack takes.
_THREAD_BYTES = 8 * _MB
# Of a synchronous invocation, either way.
MAX_PAYLOAD = 6 * 1024 * 1024
_LOG_LINE_LIMIT = 4 * 1024 * 1024
# In the flags of /proc/PID/stat, and in the masks of pending signals of /proc/PID/status.
_PF_EXITING = 0x4
_DEADLY_MASK = sum(1 << (death - 1) for death in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT))


@dataclass(frozen=True, slots=True)
class Result:
    """What an invocation gave: its JSON, and `error` ("Unhandled") when the function did not answer by itself."""

    payload: bytes
    request_id: str
    error: str | None = None

    @property
    def message(self) -> str:
        """What a function that failed says of it, without its stack."""
        try:
            return str(json.loads(self.payload)["errorMessage"])
        except (ValueError, KeyError, TypeError):
            return self.payload.decode("utf-8", "replace")

    @classmethod
    def failure(cls, request_id: str, kind: str, message: str) -> "Result":
        """Return the answer that Lambda gives in the place of a function that cannot."""
        body = {"errorType": kind, "errorMessage": message}
        return cls(json.dumps(body).encode(), request_id, "Unhandled")


@dataclass(slots=True)
class Invocation:
    """One event on its way through an environment."""

    request_id: str
    payload: bytes
    result: asyncio.Future[Result]
    deadline: float = 0.0


class Environment:
    """One execution environment: a process, and the Runtime API that feeds it."""

    def __init__(self, spec: FunctionSpec, variables: Mapping[str, str], arn: str, generation: int, log: Log) -> None:
        self.spec = spec
        self.generation = generation
        self._variables = variables
        self._arn = arn
        self._log = log
        self._runner: web.AppRunner | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._pending: asyncio.Queue[Invocation] = asyncio.Queue()
        self._current: Invocation | None = None
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._init_error: Result | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, None before it is started."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the process is there to take an invocation, and not about to end."""
        process = self._process
        return process is not None and process.returncode is None and not self._ended.is_set() and _lives(process.pid)

    async def start(self) -> None:
        """Start the process; return when the Runtime API is up, not when the function has been imported."""
        app = web.Application(client_max_size=2 * MAX_PAYLOAD, middlewares=[no_pages])
        version = "/2018-06-01/runtime"
        app.router.add_get(f"{version}/invocation/next", self._next)
        app.router.add_post(f"{version}/invocation/{{request_id}}/response", self._response)
        app.router.add_post(f"{version}/invocation/{{request_id}}/error", self._error)
        app.router.add_post(f"{version}/init/error", self._init_failed)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self._process = await asyncio.create_subprocess_exec(
            *die_with_parent([sys.executable, "-m", "awslambdaric", self.spec.handler]),
            cwd=self.spec.folder,
            env={**self._variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LOG_LINE_LIMIT,
        )
        self._reader = asyncio.create_task(self._watch(self._process))

    async def wait_ready(self) -> Result | None:
        """Wait for the end of the import; return the error it ended with, or None."""
        waits = [asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(self._ended.wait())]
        try:
            await asyncio.wait(waits, timeout=_INIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._ready.is_set():
            return None
        if self._init_error:
            return self._init_error
        reason = f"exited with code {self._exit_code()}" if self._ended.is_set() else f"took over {_INIT_SECONDS:.0f} s"
        return Result.failure("", "Runtime.ExitError", f"the function's start {reason}")

    async def invoke(self, payload: bytes, request_id: str) -> Result:
        """Invoke the function once. A crash or a time-out of the function is a result too, never an exception."""
        failed = await self.wait_ready()
        if failed is not None:
            await self.stop()
            self._log(self.spec.label, f"cannot start: {failed.payload.decode(errors='replace')}")
            return Result(failed.payload, request_id, failed.error)
        invocation = Invocation(request_id, payload, asyncio.get_running_loop().create_future())
        invocation.deadline = time.time() + self.spec.timeout
        self._current = invocation
        if self._ended.is_set():
            self._settle(invocation, self._exited(invocation))
        self._pending.put_nowait(invocation)
        guard = asyncio.create_task(self._guard(invocation))
        try:
            return await invocation.result
        finally:
            guard.cancel()
            self._current = None

    async def stop(self) -> None:
        """End the process and the Runtime API; safe to call twice."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._reader:
            await asyncio.wait([self._reader], timeout=5)
        if self._runner:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout  # noqa: S101
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue
            if not line:
                break
            self._log(self.spec.label, line.decode("utf-8", "replace").rstrip())
        await process.wait()
        self._ended.set()
        if self._current:
            self._settle(self._current, self._exited(self._current))

    def _exited(self, invocation: Invocation) -> Result:
        code = self._exit_code() or 0
        reason = f"signal: {-code}" if code < 0 else f"exit status {code}"
        text = f"RequestId: {invocation.request_id} Error: Runtime exited with error: {reason}"
        return Result.failure(invocation.request_id, "Runtime.ExitError", text)

    async def _guard(self, invocation: Invocation) -> None:
        """Kill the process when it exceeds its time or its memory."""
        while not invocation.result.done():
            left = invocation.deadline - time.time()
            if left <= 0:
                text = f"{_now()} {invocation.request_id} Task timed out after {self.spec.timeout:.2f} seconds"
                self._end_over_limit(invocation, "Sandbox.Timedout", text)
                return
            over = _over_memory(self.pid, self.spec.memory_mb)
            if over:
                text = f"RequestId: {invocation.request_id} Error: Runtime exited with error: signal: killed ({over})"
                self._end_over_limit(invocation, "Runtime.OutOfMemory", text)
                return
            await asyncio.sleep(min(left, _MEMORY_CHECK_SECONDS))

    def _end_over_limit(self, invocation: Invocation, kind: str, text: str) -> None:
        self._log(self.spec.label, text)
        self._settle(invocation, Result.failure(invocation.request_id, kind, text))
        self._ended.set()
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    @staticmethod
    def _settle(invocation: Invocation, result: Result) -> None:
        if not invocation.result.done():
            invocation.result.set_result(result)

    # -- Runtime API ---------------------------------------------------------------------------------------------------

    async def _next(self, _request: web.Request) -> web.Response:
        self._ready.set()
        invocation = await self._pending.get()
        return web.Response(
            body=invocation.payload,
            content_type="application/json",
            headers={
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self._arn,
                "Lambda-Runtime-Trace-Id": _trace_id(),
            },
        )

    async def _response(self, request: web.Request) -> web.Response:
        body = await request.read()
        invocation = self._of(request)
        if invocation is None:
            return _refused("InvalidRequestID", "not the invocation under way")
        if len(body) > MAX_PAYLOAD:
            text = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
            self._settle(invocation, Result.failure(invocation.request_id, "Function.ResponseSizeTooLarge", text))
            return _refused("RequestEntityTooLarge", text, 413)
        self._settle(invocation, Result(body, invocation.request_id))
        return web.json_response({"status": "OK"}, status=202)

    async def _error(self, request: web.Request) -> web.Response:
        body = await request.read()
        invocation = self._of(request)
        if invocation is None:
            return _refused("InvalidRequestID", "not the invocation under way")
        self._settle(invocation, Result(body, invocation.request_id, "Unhandled"))
        return web.json_response({"status": "OK"}, status=202)

    async def _init_failed(self, request: web.Request) -> web.Response:
        self._init_error = Result(await request.read(), "", "Unhandled")
        return web.json_response({"status": "OK"}, status=202)

    def _of(self, request: web.Request) -> Invocation | None:
        current = self._current
        return current if current and current.request_id == request.match_info["request_id"] else None


def _lives(pid: int) -> bool:
    """Return whether a process runs; one that was killed does not, also before its end has come to be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        pending = re.findall(
            r"^(?:SigPnd|ShdPnd):\t(\w+)", Path(f"/proc/{pid}/status").read_text("utf-8", "replace"), re.MULTILINE
        )
    except OSError:
        return False
    is_ending = fields[0] in "ZX" or int(fields[6]) & _PF_EXITING
    return not is_ending and not any(int(mask, 16) & _DEADLY_MASK for mask in pending)


def _over_memory(pid: int | None, most_mb: int) -> str | None:
    """Return what a process has taken, if that is more than it may have or it can get no more from the system.

    An interpreter that is refused memory may wait for ever, for a thread that could not begin (python/cpython#140746).
    """
    if pid is None:
        return None
    try:
        size, resident = (
            int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in Path(f"/proc/{pid}/statm").read_text().split()[:2]
        )
        most_addresses, _ = resource.prlimit(pid, resource.RLIMIT_AS)
    except (OSError, ValueError):
        return None
    if resident // _MB > most_mb:
        return f"used {resident // _MB} MB of {most_mb} MB"
    if most_addresses != resource.RLIM_INFINITY and size + _THREAD_BYTES > most_addresses:
        return f"takes {size // _MB} MB of addresses, of which it may have {most_addresses // _MB} MB"
    return None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03d}Z"


def _trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def _refused(kind: str, message: str, status: int = 400) -> web.Response:
    return web.json_response({"errorType": kind, "errorMessage": message}, status=status)
