"""What benchmarks may write to the screen: all but the metrics of the service's functions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

_METRICS = '{"_aws"'


class _WithoutMetrics(io.TextIOBase):
    def __init__(self, screen: TextIO) -> None:
        self._screen = screen
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        self._screen.writelines(f"{line}\n" for line in lines if not line.startswith(_METRICS))
        return len(text)

    def fileno(self) -> int:
        return self._screen.fileno()

    def flush(self) -> None:
        self._screen.flush()

    def end(self) -> None:
        """Write what has no end of line yet."""
        if not self._line.startswith(_METRICS):
            self._screen.write(self._line)
        self._line = ""


@contextmanager
def without_metrics(screen: TextIO) -> Iterator[None]:
    """Leave out the lines of metrics that are printed in the block.

    POWERTOOLS_METRICS_DISABLED holds for those of an invocation's end alone, and not for a hundred values of one metric
    or for a metric that is counted apart, which are printed at once.
    """
    kept = _WithoutMetrics(screen)
    try:
        with redirect_stdout(kept):
            yield
    finally:
        kept.end()
