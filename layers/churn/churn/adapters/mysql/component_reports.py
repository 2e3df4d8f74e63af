"""What each function last did and which model it holds, for `/health`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from churn.adapters.mysql.database import Transaction

_PROBE = "health"
# All environments of a function share its row: the newest of each instant counts.
_NEWEST = ", ".join(
    f"{column} = GREATEST(COALESCE({column}, VALUES({column})), COALESCE(VALUES({column}), {column}))"
    for column in ("reported_at", "read_at", "written_at", "failed_at", "done_at")
)


@dataclass(frozen=True, slots=True)
class Report:
    """When the environments of a function last read, wrote, failed and did their work, and the model that they hold."""

    component: str
    since: datetime
    """Since when the function may report."""
    reported_at: datetime
    read_at: datetime | None = None
    written_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None
    done_at: datetime | None = None
    model_version: str | None = None
    model_refused: str | None = None
    """Why the promoted version is not the one that is held."""

    @property
    def is_failing(self) -> bool:
        """Whether the last that is known of it is a failure."""
        worked = [at for at in (self.read_at, self.written_at) if at is not None]
        return self.failed_at is not None and self.failed_at > max(worked, default=self.since)


def note(transaction: Transaction, report: Report) -> None:
    """Store a report of an environment beside what the others of its function have reported."""
    transaction.execute(
        "INSERT INTO component_reports (component, since, reported_at, read_at, written_at, failed_at, failure, "
        "done_at, model_version, model_refused) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE "
        # Assignments take effect from the left to the right: these compare with the instants that were stored.
        "failure = IF(COALESCE(VALUES(failed_at) >= failed_at, failed_at IS NULL), VALUES(failure), failure), "
        "model_refused = IF(VALUES(model_version) IS NULL, model_refused, VALUES(model_refused)), "
        f"model_version = COALESCE(VALUES(model_version), model_version), {_NEWEST}",
        (
            report.component,
            report.since,
            report.reported_at,
            report.read_at,
            report.written_at,
            report.failed_at,
            report.failure,
            report.done_at,
            report.model_version,
            report.model_refused,
        ),
    )


def stored(transaction: Transaction) -> dict[str, Report]:
    """Return all reports by their functions."""
    rows = transaction.rows("SELECT * FROM component_reports")
    return {row["component"]: Report(**row) for row in rows}


def try_write(transaction: Transaction, now: datetime, every: timedelta) -> bool:
    """Write something small and return True, unless that was done less than `every` ago by whoever it was."""
    changed = transaction.execute(
        "INSERT INTO component_reports (component, since, reported_at, written_at) VALUES (%s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE written_at = IF(COALESCE(written_at <= %s, TRUE), VALUES(written_at), written_at)",
        (_PROBE, now, now, now, now - every),
    )
    return changed > 0
