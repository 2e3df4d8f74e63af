"""A clock that the test moves."""

from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql import Database


@dataclass
class FakeClock[T]:
    """A clock that shows `now` whenever it is called."""

    now: T

    def __call__(self) -> T:
        """Return what the clock shows."""
        return self.now


def set_clock(database: Database, instant: datetime) -> None:
    """Let the database's clock stand at an instant, for this connection."""
    database.run(lambda transaction: transaction.execute("SET TIMESTAMP = %s", (instant.timestamp(),)))
