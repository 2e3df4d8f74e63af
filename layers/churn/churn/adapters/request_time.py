"""How long what is slow of one request may take together: connecting to the database, and statements.

Of a database whose statements are all slow, and none beyond its time-out, a request of many statements would wait for
the sum. Statements that take a fraction of a second are not counted: a long answer of many of them is no fault.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

REQUEST_SECONDS = 1.8
"""With a look at the server afterwards a request takes 2 seconds."""
SLOW_SECONDS = 0.25


class RequestTime:
    """The time that is left of the request that a process answers; without limit before the first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = math.inf

    def begin(self) -> None:
        """Note that another request begins."""
        self._left = REQUEST_SECONDS

    @property
    def left(self) -> float:
        """The seconds that slow statements may still take."""
        return self._left

    @contextmanager
    def statement(self) -> Iterator[float]:
        """Yield how long a statement, or connecting, may take, in seconds, and count it if it is slow.

        Raises TimeoutError if nothing is left.
        """
        if self._left <= 0:
            raise TimeoutError(f"what was slow of the request took {REQUEST_SECONDS:g} s together")
        begun = self._clock()
        try:
            yield self._left
        finally:
            took = self._clock() - begun
            if took >= SLOW_SECONDS:
                self._left -= took


REQUEST_TIME = RequestTime()
"""That of the request that this process answers."""
