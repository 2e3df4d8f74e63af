"""Erasing what is stored of a customer."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from churn.adapters.mysql import (
    alerts,
    audit,
    customer_notes,
    customer_words,
    customers,
    dead_letters,
    erasures,
    events,
    orders,
    prediction_subscriptions,
    predictions,
)
from churn.adapters.mysql.database import Transaction
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.audit import AuditEntry
from churn.domain.customer_record import CustomerRecord
from churn.domain.events import Event
from churn.domain.identifiers import canonical
from churn.domain.record_subjects import Person, customers_perhaps_named
from churn.domain.tombstones import Tombstones


def erase(
    transaction: Transaction,
    record: CustomerRecord,
    tombstones: Tombstones,
    arriving: Sequence[Event] = (),
    *,
    now: datetime,
) -> Counter[str]:
    """Delete what is stored of a customer beside their record, which gets the tombstone in place of the id.

    The audit trail tells it in the same transaction. `arriving` are their events that are not stored yet. Return the
    change of the totals.
    """
    grave = tombstones.hmac_of(record.customer_id)
    audit.add(transaction, AuditEntry(now, None, None, "erasure", "customer_deleted", grave))
    details = {record.name, record.email, record.phone}
    details |= events.details(transaction, record.id, arriving)
    person = Person(canonical(record.customer_id), frozenset(detail for detail in details if detail))
    erasures.add(transaction, record.first_seen_at, now)
    dead_letters.erase(transaction, person, tombstones)
    events.erase(transaction, record.id)
    orders.erase(transaction, record.id)
    customer_notes.erase(transaction, record.id)
    change = predictions.erase(transaction, record.id)
    change.update(alerts.erase(transaction, record.id))
    customer_words.index_words(transaction, {record.id: ()})
    prediction_subscriptions.erase(transaction, record.customer_id)
    customers.bury(transaction, record.id, tombstones.of(record.customer_id))
    return change


def add_dead_letters(
    transaction: Transaction, letters: Sequence[DeadLetter], now: datetime, tombstones: Tombstones
) -> int:
    """Store records that cannot be applied, those of erased customers without content; return how many were new."""
    named = {name for letter in letters for name in customers_perhaps_named(letter.key, letter.value)}
    graves = customers.existing(transaction, {tombstones.of(name) for name in named})
    erased = frozenset(name for name in named if tombstones.of(name) in graves)
    return dead_letters.add(transaction, letters, now, tombstones, erased=erased)
