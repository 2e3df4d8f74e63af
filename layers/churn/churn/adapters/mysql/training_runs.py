"""Training runs: queued, running, then succeeded, refused (there is no model in the data) or failed; one at a time."""

from datetime import datetime, timedelta

from churn.adapters.mysql.database import Row, Transaction

# Training has 15 minutes, and its invocation may wait as long for its turn; each step that it takes is noted.
LOST_AFTER = timedelta(minutes=16)


def enqueue(transaction: Transaction, run_id: str, requested_by: str, now: datetime) -> bool:
    """Adds a run that is to begin; returns whether it was added, which it is not while another is under way."""
    _give_up_lost(transaction, now)
    return bool(
        transaction.execute(
            "INSERT IGNORE INTO training_runs (run_id, state, requested_by, requested_at, updated_at) "
            "VALUES (%s, 'queued', %s, %s, %s)",
            (run_id, requested_by[:255], now, now),
        )
    )


def begin(transaction: Transaction, run_id: str, now: datetime) -> bool:
    """A queued run begins, or one that has failed begins again, unless another is under way; returns whether it did."""
    return bool(
        transaction.execute(
            "UPDATE IGNORE training_runs SET state = 'running', is_open = 1, reason = NULL, "
            "started_at = %s, updated_at = %s, ended_at = NULL WHERE run_id = %s AND state IN ('queued', 'failed')",
            (now, now, run_id),
        )
    )


def advance(transaction: Transaction, run_id: str, progress: str, now: datetime) -> None:
    """Notes the step that a run has come to."""
    transaction.execute(
        "UPDATE training_runs SET progress = %s, updated_at = %s WHERE run_id = %s AND is_open = 1",
        (progress[:255], now, run_id),
    )


def succeed(transaction: Transaction, run_id: str, version: str, reason: str | None, now: datetime) -> None:
    """A run ends with a version; `reason` says why it was not promoted, None when it was."""
    transaction.execute(
        "UPDATE training_runs SET state = 'succeeded', version = %s, promoted = %s, reason = %s, "
        "is_open = NULL, updated_at = %s, ended_at = %s WHERE run_id = %s",
        (version, reason is None, None if reason is None else reason[:1024], now, now, run_id),
    )


def end(transaction: Transaction, run_id: str, state: str, reason: str, now: datetime) -> None:
    """A run ends without a version: `state` is refused or failed."""
    transaction.execute(
        "UPDATE training_runs SET state = %s, reason = %s, is_open = NULL, updated_at = %s, ended_at = %s "
        "WHERE run_id = %s",
        (state, reason[:1024], now, now, run_id),
    )


def find(transaction: Transaction, run_id: str, now: datetime) -> Row | None:
    """A run as it is now."""
    _give_up_lost(transaction, now)
    return transaction.row("SELECT * FROM training_runs WHERE run_id = %s", (run_id,))


def newest(transaction: Transaction, now: datetime) -> Row | None:
    """The run that is under way, else the one that was asked for last, None when there has been none."""
    _give_up_lost(transaction, now)
    return transaction.row("SELECT * FROM training_runs ORDER BY is_open DESC, requested_at DESC LIMIT 1")


def _give_up_lost(transaction: Transaction, now: datetime) -> None:
    transaction.execute(
        "UPDATE training_runs SET state = 'failed', reason = %s, is_open = NULL, ended_at = %s "
        "WHERE is_open = 1 AND updated_at < %s",
        ("Nothing has been heard of it for too long: it was ended from outside.", now, now - LOST_AFTER),
    )
