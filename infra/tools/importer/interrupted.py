"""An import that is interrupted (Ctrl-C), or ended by SIGTERM, says in a sentence what is stored and how it goes on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
"""The exit codes of a program that a signal ended, as a shell tells them."""

_STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came."""


@dataclass(slots=True)
class Reached:
    """How far an import came."""

    phase: Literal["reading", "storing", "scoring"] = "reading"
    stored: int = 0
    """Events that are stored for sure, or were before."""
    expected: int = 0

    def counting(self, progress: Callable[[int], None]) -> Callable[[int], None]:
        """Return a progress that also notes how many events are stored."""

        def noted(done: int) -> None:
            self.stored = done
            progress(done)

        return noted

    def sentence(self) -> str:
        """Return what a person needs who interrupted an import."""
        if self.phase == "reading":
            return "interrupted while the file was read: nothing was stored; the same command begins again"
        if self.phase == "scoring":
            return "interrupted: all events are stored; the same command ends what is left, such as scores"
        return (
            f"interrupted: at least {self.stored:,} of about {self.expected:,} events are stored; "
            "the same command goes on from there, and ends as if it had not been interrupted"
        )


@contextmanager
def stoppable() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end what runs by an exception; what the process was started to ignore, it ignores."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] != signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


@contextmanager
def later() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back: processes that are started meanwhile never see them, and end with this one."""
    came: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in _STOPPING} if is_main else {}
    # What this thread does not take, others do.
    for number, handler in handlers.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, lambda one, _: came.append(one))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError
