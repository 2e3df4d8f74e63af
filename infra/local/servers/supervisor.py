"""The programs of the local stack: started, watched, restarted when they die, and ended in order."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from infra.local.servers.child_process import start_child, stop_child

_QUIET_SECONDS = 2.0
_REPORT_SECONDS = 5.0


class StackError(RuntimeError):
    """The stack cannot start or go on; the text says why and what to do."""


def say(text: str) -> None:
    """Print a line of the supervisor's own for the person who watches."""
    print(text, flush=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Print what is being done if it takes longer than two seconds, and again every five."""
    begun, over = time.monotonic(), threading.Event()

    def tell() -> None:
        wait = _QUIET_SECONDS
        while not over.wait(wait):
            say(f"  {what} … {time.monotonic() - begun:.0f} s")
            wait = _REPORT_SECONDS

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
    if time.monotonic() - begun > _QUIET_SECONDS:
        say(f"  {what}: done in {time.monotonic() - begun:.1f} s")


def wait_until(
    ready: Callable[[], bool], what: str, alive: Callable[[], bool], seconds: float, log: Path | None
) -> None:
    """Wait for `ready`. Raises StackError when the program died or is not ready in time."""
    deadline = time.monotonic() + seconds
    hint = f"; see {log}" if log else ""
    while not ready():
        if not alive():
            raise StackError(f"{what} ended at once{hint}")
        if time.monotonic() > deadline:
            raise StackError(f"{what} was not ready within {seconds:.0f} s{hint}")
        time.sleep(0.05)


class Service(Protocol):
    """A program that the supervisor watches."""

    name: str

    @property
    def pid(self) -> int | None:
        """The id of its process."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Start it, at its first start and after a death. Raises StackError."""

    def stop(self) -> None:
        """End it and wait for its end; do nothing if it does not run."""


@dataclass
class Program:
    """A program of its own process group, which dies with the supervisor; its output goes to `log`, or to ours."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path | None = None
    prepare: Callable[[], None] = lambda: None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """The id of its process."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code once it has ended."""
        return self._process.returncode if self._process else None

    def start(self) -> None:
        """Start it."""
        self.prepare()
        self._process = start_child(self.command, self.environment, self.log)

    def stop(self) -> None:
        """End it; kill it after 20 seconds."""
        if self._process is not None:
            stop_child(self._process)


class Supervisor:
    """A context manager that keeps services running, and ends them at its exit."""

    def __init__(self) -> None:
        self._services: list[Service] = []
        self._deaths: dict[str, list[float]] = {}
        self._not_before: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for service in reversed(self._services):
            service.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The ids of the processes, by service."""
        return {service.name: service.pid for service in self._services if service.alive and service.pid}

    def start(self, service: Service) -> None:
        """Start a service and watch it from now on."""
        self._services.append(service)
        service.start()

    def restart_dead(self) -> list[str]:
        """Restart the services that have died and return their names; one that keeps dying waits longer each time."""
        restarted = []
        for service in self._services:
            now = time.monotonic()
            if service.alive or now < self._not_before.get(service.name, 0.0):
                continue
            deaths = [*(t for t in self._deaths.get(service.name, []) if now - t < 60), now]
            self._deaths[service.name] = deaths
            self._not_before[service.name] = now + min(2.0 ** (len(deaths) - 2), 30.0)
            say(f"{service.name} has ended; restarting it")
            try:
                service.start()
            except (StackError, OSError) as error:
                say(f"{service.name} could not be started: {error}")
            else:
                restarted.append(service.name)
        return restarted


def module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs one of this project's modules on this interpreter."""
    return [sys.executable, "-m", name, *arguments]


def inherited(**more: str) -> dict[str, str]:
    """Return this process's environment, for programs that are not functions, updated with `more`.

    What it says of traces is meant for the functions: other programs would send theirs, too.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {**own, **more, "PYTHONUNBUFFERED": "1"}
