"""A circuit breaker: after a failure a dependency is left alone, but for one request now and then that tries it.

The pattern is that of Nygard, *Release It!* (2007). A process has one of its own for its requests.
"""

import threading
import time
from collections.abc import Callable

PROBE_EVERY_SECONDS = 2.0


class Breaker:
    """Closed while the dependency answers; may be used by many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the dependency is left alone: a request that is admitted all the same tries it."""
        with self._lock:
            return self._probe_at is not None

    def admits(self) -> bool:
        """Return whether a request may ask the dependency: any while closed, one in 2 seconds while open."""
        with self._lock:
            if self._probe_at is None:
                return True
            if self._clock() < self._probe_at:
                return False
            self._probe_at = self._clock() + PROBE_EVERY_SECONDS
            return True

    def open(self) -> None:
        """Note that the dependency failed."""
        with self._lock:
            self._probe_at = self._clock() + PROBE_EVERY_SECONDS

    def close(self) -> None:
        """Note that the dependency answered."""
        with self._lock:
            self._probe_at = None


REQUESTS = Breaker()
"""That of this process for the database, for all answers to requests."""

REGISTRY = Breaker()
"""That of this process for the registry of models, for all answers to requests."""

QUEUE = Breaker()
"""That of this process for the queue of events, for all answers to requests."""
