"""What the tests share."""

import time
from collections.abc import Callable


def eventually[T](look: Callable[[], T], *, within: float = 60, every: float = 0.02) -> T:
    """Return the first truthy answer of `look`; fail with its last answer after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s; last answer: {answer!r}")
        time.sleep(every)
