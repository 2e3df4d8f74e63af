"""What a process's database work came to last: when it read, wrote and failed."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class Activity:
    """When a process last read, wrote and failed, and by what kind of error."""

    read_at: datetime | None = None
    written_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None

    @property
    def works(self) -> bool:
        """Whether the last transaction was committed."""
        worked = [at for at in (self.read_at, self.written_at) if at is not None]
        return bool(worked) and (self.failed_at is None or max(worked) > self.failed_at)

    def succeeded(self, *, has_written: bool) -> None:
        """Note a transaction that was committed."""
        if has_written:
            self.written_at = datetime.now(UTC)
        else:
            self.read_at = datetime.now(UTC)

    def failed(self, error: Exception) -> None:
        """Note a transaction that failed by the server's fault; its text may hold data, and is left out."""
        code = error.args[0] if error.args and isinstance(error.args[0], int) else None
        self.failed_at = datetime.now(UTC)
        self.failure = type(error).__name__ + (f" {code}" if code else "")


PROCESS = Activity()
"""The activity of this process: of all its databases, unless one has an activity of its own."""
