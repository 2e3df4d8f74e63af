"""What faults do to processes, and what they do again and again."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pymysql
import redis

_EVERY_SECONDS = 0.5


@contextmanager
def repeated(act: Callable[[], None], every: float = _EVERY_SECONDS) -> Iterator[None]:
    """Act again and again, in a thread, during the block."""
    ended = threading.Event()

    def work() -> None:
        while True:
            # What is acted upon may be gone at this moment, or away.
            with suppress(OSError, pymysql.MySQLError, redis.RedisError):
                act()
            if ended.wait(every):
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def stopped(pids: Callable[[], list[int]]) -> Iterator[None]:
    """Stop processes, which go on at the end of the block."""
    chosen = pids()
    for pid in chosen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in chosen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
