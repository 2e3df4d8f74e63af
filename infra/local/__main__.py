"""`python -m infra.local run | up | down | status`."""

import argparse
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra import console
from infra.local.options import ROOT, Options, state_folder
from infra.local.private_files import make_private, open_private
from infra.local.servers.supervisor import StackError, module, say
from infra.local.template.intrinsics import TemplateError

_UP_SECONDS = 900.0
_DOWN_SECONDS = 60.0


def run(*, is_quiet: bool = False) -> int:
    """Run the stack in the foreground until Ctrl-C; `is_quiet`: without a word on how to sign in."""
    options = Options.from_environment(os.environ)
    if options.database_url or options.redis_url or options.kafka:
        from infra.local.servers import external  # noqa: PLC0415 (its clients take long, and are mostly not needed)

        external.check(options.database_url, options.redis_url, options.kafka)
    from infra.local.stack import Stack  # noqa: PLC0415 (takes seconds, which a refusal need not wait for)

    Stack(options).run(shows_tokens=not is_quiet)
    return 0


def up() -> int:
    """Start the stack in the background; return when it is ready."""
    state = state_folder(os.environ)
    make_private(state)
    if _supervisor(state):
        say(f"it runs already; 'make down' ends it ({state})")
        return 0
    (state / "ready").unlink(missing_ok=True)
    log = state / "stack.log"
    with open_private(log, anew=True) as out:
        process = subprocess.Popen(
            module("infra.local", "run", "--quiet"),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline, shown = time.monotonic() + _UP_SECONDS, 0
    while True:
        ready, ended = (state / "ready").exists(), process.poll() is not None
        # A function's lines stay in the file; what the supervisor says is for the person who waits.
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        for line in lines[shown:]:
            if "| " not in line[:16]:
                print(line, end="", flush=True)
        shown = len(lines)
        if ready:
            say((state / "ready").read_text(encoding="utf-8"))
            say(f"it runs in the background; its log is {log}")
            return 0
        if ended or time.monotonic() > deadline:
            if not any(line.startswith("error: ") for line in lines):
                say(f"it did not start; its log is {log}")
            if not ended:
                process.terminate()
            return 1
        time.sleep(0.1)


def down() -> int:
    """End the stack that runs from this state folder; return when it has ended."""
    state = state_folder(os.environ)
    pid = _supervisor(state)
    if pid is None:
        say("no local stack runs")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_SECONDS
    while _supervisor(state) == pid:
        if time.monotonic() > deadline:
            say(f"process {pid} has not ended within {_DOWN_SECONDS:.0f} s")
            return 1
        time.sleep(0.1)
    say("stopped")
    return 0


def status() -> int:
    """Print what runs; return 1 if nothing does."""
    state = state_folder(os.environ)
    pid = _supervisor(state)
    if pid is None:
        say("no local stack runs")
        return 1
    from infra.local.stack import gateway_status  # noqa: PLC0415

    endpoints = state / "endpoints.json"
    if not endpoints.exists():
        say(f"starting (process {pid})")
        return 0
    addresses: dict[str, Any] = json.loads(endpoints.read_text(encoding="utf-8"))
    gateway = gateway_status(addresses["lambda_endpoint"], addresses["door_key"])
    memory = "  (in memory: a restart empties it)" if "broker" in addresses["pids"] else ""
    say(
        f"REST       {addresses['base_url']}\nWebSocket  {addresses['ws_url']}\nKafka      {addresses['kafka']}{memory}"
    )
    for name, process in addresses["pids"].items():
        say(f"{name:<10} process {process}")
    for name, function in gateway.get("functions", {}).items():
        failed = f"  last error: {function['last_error'][:200]}" if function["last_error"] else ""
        say(f"{name:<12} {len(function['pids'])} running{failed}")
    for kind in ("kafka", "queues"):
        for source in gateway.get(kind, []):
            say(f"{kind:<12} {reading(source)}")
    if not gateway:
        say("the gateway does not answer")
    return 0 if gateway else 1


def reading(source: Mapping[str, Any]) -> str:
    """Return in words how far an event source is with its topic, and what stands in its way."""
    waiting = "the number that waits is not known" if source["waiting"] is None else f"{source['waiting']} wait"
    behind = f", the oldest for {source['behind_seconds']:.0f} s" if source["behind_seconds"] else ""
    cause = f": {source['cause']}" if source["cause"] else ""
    return f"{source['delivered']} delivered, {waiting}{behind}{cause}"


def _supervisor(state: Path) -> int | None:
    """Return the process that holds the state folder's lock, or None."""
    try:
        pid = int((state / "lock").read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"infra.local" in command else None


def main() -> int:
    """Run the command line."""
    commands = {"run": run, "up": up, "down": down, "status": status}
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--quiet", action="store_true", help="run: do not say how to sign in")
    asked = parser.parse_args()
    try:
        return run(is_quiet=True) if asked.command == "run" and asked.quiet else commands[asked.command]()
    except (StackError, TemplateError) as error:
        say(f"error: {error}")
        return 1


if __name__ == "__main__":
    console.run(main)
