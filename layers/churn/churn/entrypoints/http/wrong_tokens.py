"""Wrong tokens, counted by the address that they come from: after so many in a minute it is told to wait.

Right tokens of the same address are not concerned, so that whoever guesses locks nobody else out.
"""

import time

from churn.adapters.local_windows import LocalWindows
from churn.adapters.redis_cache import Cache

_MINUTE = 60
_NAME = "wrong tokens"


class WrongTokens:
    """The count of each address, in Redis, and in this process while Redis is away."""

    def __init__(self, cache: Cache, limit: int) -> None:
        """`limit`: the most wrong tokens of an address in a minute that are answered with 401."""
        self._cache = cache
        self._limit = limit
        self._windows = LocalWindows()

    def count(self, address: str) -> int:
        """Count a wrong token of an address; return for how many seconds it must wait, 0 for none."""
        now, client, limits = time.time(), f"ip:{address}", {_NAME: self._limit}
        windows = self._cache.count(client, limits, now, _MINUTE) or self._windows.count(client, limits, now, _MINUTE)
        (window,) = windows
        return max(1, window.resets_at - int(now)) if window.remaining < 0 else 0
