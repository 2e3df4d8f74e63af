"""Child processes that never outlive the process that started them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.private_files import open_private

STOP_SECONDS = 20.0
# Asks the kernel for SIGKILL at the parent's death (PR_SET_PDEATHSIG = 1), then becomes the command.
_LAUNCHER = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, {signal}); os.execvp(sys.argv[1], sys.argv[1:])"


def die_with_parent(command: list[str], at_death: signal.Signals = signal.SIGKILL) -> list[str]:
    """Wrap `command` so that it gets `at_death` when the thread that started it ends, however that ends.

    Elsewhere than on Linux the command is returned as it is, and has to notice the end of its parent itself.
    """
    if not sys.platform.startswith("linux"):
        return command
    setpriv = shutil.which("setpriv")
    if setpriv:
        return [setpriv, "--pdeathsig", at_death.name.removeprefix("SIG"), "--", *command]
    return [sys.executable, "-c", _LAUNCHER.format(signal=int(at_death)), *command]


def start_child(
    command: list[str], environment: Mapping[str, str] | None = None, log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that dies with this process; its output goes to `log`, or to this process's own.

    Without `environment` it gets this process's.
    """
    output = open_private(log) if log else None
    try:
        return subprocess.Popen(
            die_with_parent(command),
            env=dict(os.environ if environment is None else environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            # A Ctrl-C in the terminal goes to the whole foreground group; the supervisor alone decides about the order.
            process_group=0,
        )
    finally:
        if output:
            output.close()


def stop_child(process: subprocess.Popen[bytes]) -> None:
    """End a program and wait for it; kill it after 20 seconds."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
