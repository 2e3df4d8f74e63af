"""What a fault is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.contract.chaos.load import Load
from tests.contract.chaos.shop import Shop

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one dependency, or of the service's own processes."""

    name: str
    begin: Callable[[Shop, Load], AbstractContextManager[None]]
    fails: frozenset[str] = NOTHING
    """The kinds of requests that may be answered with an error while it lasts; all others succeed."""
    check: str | None = None
    """The check of `/health` that tells of it."""
    seconds: float = 4
    recovers: float = 10
    """Seconds after its end within which everything is as before."""
