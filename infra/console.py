"""The end of every command at a terminal: its exit code, also when nobody reads what it prints."""

import os
import select
import sys
from collections.abc import Callable
from typing import NoReturn

_PIPE_CLOSED = 141
"""The exit code of a program that SIGPIPE (13) ended, as a shell tells it: 128 + 13."""


def run(main: Callable[..., int], *arguments: object) -> NoReturn:
    """Run a command and exit with its code; a closed pipe (`… | head`) ends it in silence, as it ends other programs.

    SIGPIPE keeps its meaning for the process, for it would also end it at a lost connection to a server.
    """
    try:
        try:
            code: int | str | None = main(*arguments)
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        if not _is_unread(sys.stdout.fileno()):
            raise
        # What is left in the buffer goes nowhere, and so the interpreter's last flush does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _PIPE_CLOSED
    sys.exit(code)


def _is_unread(descriptor: int) -> bool:
    """Return whether the reader of a pipe has gone."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))
