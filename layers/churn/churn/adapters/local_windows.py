"""Counts of this process, for limits that hold also while Redis is away."""

from collections.abc import Mapping

from churn.adapters.redis_cache import Window

_MOST_CLIENTS = 10_000


class LocalWindows:
    """What each client asked of this process in the current window; those before are forgotten."""

    def __init__(self) -> None:
        self._number = 0
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, client: str, limits: Mapping[str, int], at: float, seconds: int, cost: int = 1) -> list[Window]:
        """Count what a client asks for against each limit in the window of `at`."""
        number = int(at // seconds)
        if number != self._number or len(self._counts) > _MOST_CLIENTS:
            self._number, self._counts = number, {}
        windows = []
        for name, limit in limits.items():
            used = self._counts[name, client] = self._counts.get((name, client), 0) + cost
            windows.append(Window(name, limit, limit - used, (number + 1) * seconds))
        return windows
