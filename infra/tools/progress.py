"""Progress of commands that take longer than two seconds."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

_SILENT_SECONDS = 2.0


class Progress:
    """One line on a terminal that is written over, or a line every few seconds in a file.

    A context manager, whose exit ends the line.
    """

    def __init__(self, what: str, total: int | None = None, out: TextIO | None = None) -> None:
        self._what = what
        self._total = total
        self._out = out or sys.stderr
        self._began = time.monotonic()
        self._next = self._began + _SILENT_SECONDS
        self._every = 0.25 if self._out.isatty() else 5.0
        self._open = False

    def __call__(self, done: int, share: float | None = None) -> None:
        """Show how much is done, at most a few times a second; `share`: of all, where no total was named."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        if share is None and self._total:
            share = done / self._total
        of_all = f" of {self._total:,}" if self._total else ""
        told = f"{of_all} ({share:.0%}){self._left(share, now)}" if share is not None else ""
        # What a longer line has left at the end of a terminal's line is taken away.
        begin, end = ("\r", "\x1b[K") if self._out.isatty() else ("", "")
        self._out.write(f"{begin}{self._what}: {done:,}{told}{end}")
        self._out.write("" if self._out.isatty() else "\n")
        self._out.flush()
        self._open = self._out.isatty()

    def _left(self, share: float, now: float) -> str:
        """Return how much longer it takes if it goes on as until now."""
        if not 0 < share < 1:
            return ""
        seconds = (now - self._began) * (1 - share) / share
        return f", {seconds:.0f} s left" if seconds < 100 else f", {seconds / 60:.0f} min left"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self._out.write("\n")
