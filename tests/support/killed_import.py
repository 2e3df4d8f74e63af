"""An import that sends itself a signal: ``python -m tests.support.killed_import PHASE FILE SIGNAL``, see PHASES."""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from churn.adapters.mysql import imports
from churn.services.imported_hours import HourSpan
from infra.tools.importer import command, reading_progress, storing
from infra.tools.importer.staging import Staging

PHASES: dict[str, tuple[object, str, int]] = {
    "reading": (Staging, "add_lines", 0),
    "first batch": (storing.Imported, "add", 1),
    "storing": (storing.Imported, "add", 4),
    "hours": (HourSpan, "store", 0),
    "end": (imports, "end", 0),
}
"""Before the call of which function the import ends, after how many calls."""


def main(phase: str, file: str, name: str) -> int:
    """Import a file in processes and small transactions, and end by a signal, such as ``SIGKILL``."""
    # Whoever started it in the background may have let it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Smaller than the batches of those who go on: when it ends, some were never begun.
    storing.EVENTS_A_TRANSACTION = 100
    storing._EVENTS_FOR_PROCESSES = 0
    # They start while the file is read.
    reading_progress.EVERY = 100
    owner, function, calls = PHASES[phase]
    setattr(owner, function, _killing(getattr(owner, function), calls, signal.Signals[name]))
    return command.main([file])


def _killing(function: Callable[..., Any], calls: int, number: int) -> Callable[..., Any]:
    numbers = count()

    def called(*arguments: Any, **named: Any) -> Any:
        if next(numbers) == calls:
            _send(number)
        return function(*arguments, **named)

    return called


def _send(number: int) -> None:
    """Send it as a terminal sends Ctrl-C: to all processes of the import."""
    if number == signal.SIGINT:
        os.killpg(0, number)
    else:
        os.kill(os.getpid(), number)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
