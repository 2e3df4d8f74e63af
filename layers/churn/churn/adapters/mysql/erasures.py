"""Table `erasures`: when a customer was erased, and the day of the first event; nothing of who it was."""

from datetime import datetime

from churn.adapters.mysql.database import Transaction
from churn.domain.model_versions import LearningSpan


def add(transaction: Transaction, first_event_at: datetime | None, now: datetime) -> None:
    """Note that a customer is erased; one without an event that counted taught no model anything."""
    if first_event_at is not None:
        transaction.execute(
            "INSERT INTO erasures (erased_at, first_event_on) VALUES (%s, %s)", (now, first_event_at.date())
        )


def count_learned(transaction: Transaction, span: LearningSpan) -> int:
    """Return from how many customers, who have been erased since, a version may have learned."""
    row = transaction.row(
        "SELECT COUNT(*) AS number FROM erasures WHERE erased_at >= %s AND first_event_on <= %s",
        (span.began, span.until.date()),
    )
    return int(row["number"]) if row else 0
