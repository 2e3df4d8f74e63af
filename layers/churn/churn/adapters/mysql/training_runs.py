"""Table `training_runs`: queued, running, then succeeded, refused (no model in the data) or failed; one at a time."""

from datetime import datetime, timedelta

from churn.adapters.mysql.database import Row, Transaction

# Training has 15 minutes, and its invocation may wait as long for its turn; each of its steps is stored.
LOST_AFTER = timedelta(minutes=16)


def enqueue(transaction: Transaction, run_id: str, requested_by: str, now: datetime) -> bool:
    """Add a run that is to begin, unless another is under way; return whether it was added."""
    _fail_lost(transaction, now)
    return bool(
        transaction.execute(
            "INSERT IGNORE INTO training_runs (run_id, state, requested_by, requested_at, updated_at) "
            "VALUES (%s, 'queued', %s, %s, %s)",
            (run_id, requested_by[:255], now, now),
        )
    )


def begin(transaction: Transaction, run_id: str, now: datetime) -> bool:
    """Begin a queued run, or a failed one again, unless another is under way; return whether it began."""
    return bool(
        transaction.execute(
            "UPDATE IGNORE training_runs SET state = 'running', is_open = 1, reason = NULL, "
            "started_at = %s, updated_at = %s, ended_at = NULL WHERE run_id = %s AND state IN ('queued', 'failed')",
            (now, now, run_id),
        )
    )


def advance(transaction: Transaction, run_id: str, progress: str, now: datetime) -> None:
    """Store the step that a run has reached."""
    transaction.execute(
        "UPDATE training_runs SET progress = %s, updated_at = %s WHERE run_id = %s AND is_open = 1",
        (progress[:255], now, run_id),
    )


def succeed(transaction: Transaction, run_id: str, version: str, reason: str | None, now: datetime) -> None:
    """End a run with a version; `reason` says why it was not promoted, None if it was."""
    transaction.execute(
        "UPDATE training_runs SET state = 'succeeded', version = %s, promoted = %s, reason = %s, "
        "is_open = NULL, updated_at = %s, ended_at = %s WHERE run_id = %s",
        (version, reason is None, None if reason is None else reason[:1024], now, now, run_id),
    )


def end(transaction: Transaction, run_id: str, state: str, reason: str, now: datetime) -> None:
    """End a run without a version: `state` is refused or failed."""
    transaction.execute(
        "UPDATE training_runs SET state = %s, reason = %s, is_open = NULL, updated_at = %s, ended_at = %s "
        "WHERE run_id = %s",
        (state, reason[:1024], now, now, run_id),
    )


def find(transaction: Transaction, run_id: str, now: datetime) -> Row | None:
    """Return a run as it is now, None if there is none with this id."""
    _fail_lost(transaction, now)
    return transaction.row("SELECT * FROM training_runs WHERE run_id = %s", (run_id,))


def newest(transaction: Transaction, now: datetime) -> Row | None:
    """Return the run that is under way, else the one that was requested last, None without any."""
    _fail_lost(transaction, now)
    return transaction.row("SELECT * FROM training_runs ORDER BY is_open DESC, requested_at DESC LIMIT 1")


def _fail_lost(transaction: Transaction, now: datetime) -> None:
    transaction.execute(
        "UPDATE training_runs SET state = 'failed', reason = %s, is_open = NULL, ended_at = %s "
        "WHERE is_open = 1 AND updated_at < %s",
        ("Nothing has been heard of it for too long: it was ended from outside.", now, now - LOST_AFTER),
    )
