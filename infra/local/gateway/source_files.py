"""The source files of the functions: one watch for all of them, so that an edit is served by the next invocation."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

_CHECK_SECONDS = 2.0
# The packages of the dashboard's build alone have two thousand folders.
_NO_SOURCES = frozenset({"__pycache__", "node_modules"})


class Renewable(Protocol):
    """What runs code from folders."""

    @property
    def folders(self) -> Sequence[Path]:
        """Where the code is."""

    async def renew(self) -> None:
        """Run the code as it is now from the next invocation on."""


class SourceWatch:
    """A watch over the folders of functions, of which many share the same."""

    def __init__(self, functions: Iterable[Renewable], seconds: float = _CHECK_SECONDS) -> None:
        """Look at the files as they are now; `seconds`: how often they are compared with that."""
        self._functions = tuple(functions)
        self._folders = {folder for function in self._functions for folder in function.folders}
        self._seconds = seconds
        self._known = self._look()

    async def run(self) -> None:
        """Renew the functions whose files have changed, until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            found, known = await asyncio.to_thread(self._look), self._known
            self._known = found
            changed = {folder for folder in self._folders if found[folder] != known[folder]}
            for function in self._functions if changed else ():
                if not changed.isdisjoint(function.folders):
                    await function.renew()

    def _look(self) -> Mapping[Path, Mapping[str, int]]:
        return {folder: modified(folder) for folder in self._folders}


def modified(folder: Path) -> Mapping[str, int]:
    """Return when each source file below a folder was last changed, in nanoseconds."""
    found = {}
    for directory, children, files in os.walk(folder):
        children[:] = [child for child in children if child not in _NO_SOURCES and not child.startswith(".")]
        for name in files:
            if name.endswith((".py", ".json", ".sql", ".npz")):
                path = os.path.join(directory, name)  # noqa: PTH118  (walked all the time: Path objects cost too much)
                with contextlib.suppress(OSError):
                    found[path] = os.stat(path).st_mtime_ns  # noqa: PTH116
    return found
