"""An import that kills itself: ``python -m tests.support.killed_import PHASE FILE``, where PHASE is one of PHASES."""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from churn.adapters.mysql import imports
from churn.services.imported_hours import HourSpan
from infra.tools.importer import command, storing
from infra.tools.importer.staging import Staging

PHASES: dict[str, tuple[object, str, int]] = {
    "reading": (Staging, "add_lines", 0),
    "first batch": (storing.Imported, "add", 1),
    "storing": (storing.Imported, "add", 4),
    "hours": (HourSpan, "store", 0),
    "end": (imports, "end", 0),
}
"""Before the call of which function the import ends, after how many calls."""


def main(phase: str, file: str) -> None:
    """Import a file in processes and small transactions, and end by SIGKILL."""
    # Smaller than the batches of those who go on: when it ends, some were never begun.
    storing.EVENTS_A_TRANSACTION = 100
    storing._EVENTS_FOR_PROCESSES = 0
    owner, name, calls = PHASES[phase]
    setattr(owner, name, _killing(getattr(owner, name), calls))
    command.main([file])


def _killing(function: Callable[..., Any], calls: int) -> Callable[..., Any]:
    numbers = count()

    def called(*arguments: Any, **named: Any) -> Any:
        if next(numbers) == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    return called


if __name__ == "__main__":
    main(*sys.argv[1:])
