"""How far the two readings of a file are."""

from collections.abc import Callable

type Show = Callable[[int, float | None], None]
"""Receives how many lines both readings have read, and what share of all work that is, from 0 to 1, if it is known."""

EVERY = 5000
"""Lines after which it is shown again."""
_FIRST = 0.3
"""The share of the first reading, which only looks."""


class ReadingProgress:
    """The progress of both readings as one."""

    def __init__(self, show: Show, file_share: Callable[[], float | None]) -> None:
        """`file_share`: how much of the file was read since it was opened, from 0 to 1, if that is known."""
        self._show = show
        self._file_share = file_share
        self._shown = 0

    def first(self, lines: int) -> None:
        """Show that the first reading has read so many lines."""
        if self._is_due(lines):
            share = self._file_share()
            self._show(lines, None if share is None else _FIRST * share)

    def second(self, lines: int, of_all: int) -> None:
        """Show that the second reading has read so many lines of all."""
        if self._is_due(of_all + lines):
            self._show(of_all + lines, _FIRST + (1 - _FIRST) * lines / of_all)

    def _is_due(self, lines: int) -> bool:
        if lines // EVERY == self._shown // EVERY:
            return False
        self._shown = lines
        return True
