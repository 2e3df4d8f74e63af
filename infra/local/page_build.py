"""The dashboard's page, built beside everything else that a start does."""

import time
from pathlib import Path

from infra.local.options import PYTHON_PATH
from infra.local.servers.supervisor import Program, inherited, module, progress, say


def start(log: Path) -> Program:
    """Begin to build the page; what that says goes to `log`."""
    program = Program("page", module("infra.tools.dashboard"), inherited(PYTHONPATH=PYTHON_PATH), log)
    program.start()
    return program


def finish(page: Program, log: Path) -> None:
    """Wait until the page is built; without it the service runs, and the page's address says how to build it."""
    try:
        with progress("building the dashboard"):
            while page.alive:
                time.sleep(0.05)
    finally:
        page.stop()
    if page.code:
        say(f"the dashboard could not be built, everything else runs; see {log}")
