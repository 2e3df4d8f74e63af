"""Erasing a customer on request: by the event that erases, through the queue, so that nothing is lost on the way."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, models
from churn.domain.model_versions import LearningSpan
from churn.domain.timestamps import iso
from churn.services.customers import existing
from churn.services.event_intake import take_events

if TYPE_CHECKING:
    from datetime import datetime

    from churn.adapters.event_queue import EventQueue
    from churn.adapters.mysql import Transaction
    from churn.domain.story_answers import CustomerErasure


def request_erasure(database: Database, queue: EventQueue, customer_id: str, now: datetime) -> CustomerErasure:
    """Let a customer be erased within seconds; return which versions of the model learned from them.

    Raises CustomerNotFoundError, DatabaseUnavailableError, QueueUnavailableError.
    """

    def read(transaction: Transaction) -> tuple[str, list[str]]:
        row = existing(transaction, customer_id)
        spans = {version: LearningSpan.of(facts) for version, facts in models.every_metadata(transaction).items()}
        learned = [version for version, span in spans.items() if span and span.holds(row["first_seen_at"], now)]
        return row["customer_id"], learned

    stored_id, learned = database.read(read)
    event_id = f"erasure-{uuid.uuid4().hex}"
    event = {
        "event_id": event_id,
        "event_type": "customer_deleted",
        "customer_id": stored_id,
        "timestamp": iso(now),
        "data": {},
    }
    take_events([event], queue, is_list=False, now=now, allowed={stored_id})
    return {"event_id": event_id, "learned_by": learned}
