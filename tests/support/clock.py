"""A clock that the test moves."""

from dataclasses import dataclass


@dataclass
class FakeClock[T]:
    """A clock that shows `now` whenever it is called."""

    now: T

    def __call__(self) -> T:
        """Return what the clock shows."""
        return self.now
