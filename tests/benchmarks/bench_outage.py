"""A database that is stopped for a minute under load, in the project and, with `BEFORE=`, in an earlier checkout of it.

Four clients, one for each kind of request, ask again a tenth of a second after each answer.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.options import ROOT
from infra.local.servers.databases import start_mariadb
from tests.benchmarks.frame import Bench, Row, Spread, one
from tests.contract.conftest import Stack, running_stack

_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "60"))
_BEFORE = os.environ.get("BEFORE")
_PATHS = ("/api/customers?limit=5", "/api/dashboard/stats", "/api/alerts?limit=5", "/api/customers?limit=5&offset=5")
_PAUSE = 0.1
_WORKS_AGAIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Reply:
    at: float
    status: int
    seconds: float
    says_when: bool


@dataclass(frozen=True, slots=True)
class _Outage:
    """What clients saw of the requests that began in it, and how long after it all of them succeeded again."""

    replies: list[_Reply]
    recovered: float

    def share(self, *statuses: int) -> float:
        """Return the percentage of answers with one of these statuses."""
        return 100 * sum(reply.status in statuses for reply in self.replies) / len(self.replies)

    @property
    def failed(self) -> list[_Reply]:
        """The answers that are errors."""
        return [reply for reply in self.replies if reply.status >= 400]


def measure(_: Bench) -> Iterator[Row]:
    """Yield what an outage is to clients."""
    now = _outage(ROOT)
    before = _outage(Path(_BEFORE)) if _BEFORE else None

    def row(what: str, unit: str, of: str, **goal: float) -> Row:
        taken, peer = _figures(now)[of], None if before is None else _figures(before)[of]
        return Row(what, unit, taken, "before" if peer else "", peer, **goal)  # type: ignore[arg-type]

    yield row("answers while the database stands still", "", "answers")
    yield row("of them 502 or 504", "%", "broken", at_most=0)
    yield row("of them 503", "%", "refused")
    yield row("errors that do not say when to try again", "", "silent", at_most=0)
    yield row("an error, time to it", "ms", "milliseconds", at_most=50)
    yield row("the slowest answer", "s", "slowest", at_most=3)
    yield row("all succeed after", "s", "recovered", at_most=10)


def _figures(outage: _Outage) -> dict[str, Spread]:
    failed = outage.failed
    return {
        "answers": one(len(outage.replies)),
        "broken": one(outage.share(502, 504)),
        "refused": one(outage.share(503)),
        "silent": one(sum(not reply.says_when for reply in failed)),
        "milliseconds": Spread.of([1000 * reply.seconds for reply in failed]),
        "slowest": one(max(reply.seconds for reply in outage.replies)),
        "recovered": one(outage.recovered),
    }


def _outage(project: Path) -> _Outage:
    """Run a project's stack before a database of its own, stop that, and let it go on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / "state"
        state.mkdir()
        server = start_mariadb(folder / "mariadb")
        environment = {"SAMPLE_CUSTOMERS": "200", "EVENT_RATE": "0", "DATABASE_URL": server.url}
        try:
            with running_stack(state, folder / "buckets", project, **environment) as stack:
                return _watched(stack, server.process.pid)
        finally:
            server.stop()


def _watched(stack: Stack, database: int) -> _Outage:
    replies: list[list[_Reply]] = [[] for _ in _PATHS]
    ended = threading.Event()
    clients = [
        threading.Thread(target=_ask, args=(stack, path, found, ended))
        for path, found in zip(_PATHS, replies, strict=True)
    ]
    for client in clients:
        client.start()
    time.sleep(5)
    os.kill(database, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        time.sleep(_SECONDS)
    finally:
        os.kill(database, signal.SIGCONT)
    over = time.monotonic()
    while time.monotonic() < over + _WORKS_AGAIN_SECONDS:
        last = [found[-1] for found in replies]
        if all(reply.status == 200 and reply.at > over for reply in last):
            break
        time.sleep(_PAUSE)
    recovered = time.monotonic() - over
    ended.set()
    for client in clients:
        client.join()
    return _Outage([reply for found in replies for reply in found if begun < reply.at < over], recovered)


def _ask(stack: Stack, path: str, found: list[_Reply], ended: threading.Event) -> None:
    while not ended.wait(_PAUSE):
        at = time.monotonic()
        answer = stack.get(path)
        found.append(_Reply(at, answer.status, time.monotonic() - at, "Retry-After" in answer.headers))
