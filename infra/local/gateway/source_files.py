"""When the source files of the functions were last changed, looked up once for all functions that share a folder."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

CHECK_SECONDS = 1.0
"""So often files are looked at."""

# The packages of the dashboard's build alone have two thousand folders.
_NO_SOURCES = frozenset({"__pycache__", "node_modules"})


class SourceFiles:
    """The source files below folders; a folder is walked at most once in CHECK_SECONDS, whoever asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[Path, tuple[float, Mapping[str, int]]] = {}
        # All functions look at the same time, each in a thread.
        self._looking = threading.Lock()

    def modified(self, folder: Path) -> Mapping[str, int]:
        """Return when each file was last changed, in nanoseconds, as of the newest look."""
        with self._looking:
            known = self._found.get(folder)
            if known is None or self._clock() - known[0] >= CHECK_SECONDS:
                known = self._found[folder] = (self._clock(), _modified(folder))
            return known[1]


def _modified(folder: Path) -> Mapping[str, int]:
    modified = {}
    for directory, children, files in os.walk(folder):
        children[:] = [child for child in children if child not in _NO_SOURCES and not child.startswith(".")]
        for name in files:
            if name.endswith((".py", ".json", ".sql", ".npz")):
                path = os.path.join(directory, name)  # noqa: PTH118  (walked each second: Path objects cost too much)
                with contextlib.suppress(OSError):
                    modified[path] = os.stat(path).st_mtime_ns  # noqa: PTH116
    return modified


OF_THE_PROJECT = SourceFiles()
"""Those that the functions of this process share."""
