"""Notes about customers: what people write down about them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, customer_notes, customers
from churn.adapters.mysql.database import Row
from churn.domain.timeline import Place, TimelineKind, window_after
from churn.domain.timestamps import iso
from churn.services.cursors import read_timeline_cursor, write_timeline_cursor
from churn.services.customers import existing

if TYPE_CHECKING:
    from churn.domain.story_answers import CustomerNote, NotePage

_NOTES: tuple[TimelineKind, ...] = ("note",)
# A longer number is the id of no row.
_LONGEST_ID = 18


class CustomerNotes:
    """The notes about the customers of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, customer_id: str, limit: int, cursor: str | None) -> NotePage:
        """Return a page of the notes about a customer, the newest first.

        Raises CustomerNotFoundError, InvalidCursorError, DatabaseUnavailableError.
        """
        after = None if cursor is None else read_timeline_cursor(cursor, _NOTES)

        def work(transaction: Transaction) -> NotePage:
            customer_pk = existing(transaction, customer_id)["id"]
            rows = customer_notes.of_customer(transaction, customer_pk, window_after(after, "note"), limit + 1)
            shown, has_more = rows[:limit], len(rows) > limit
            return {
                "notes": [note_json(row) for row in shown],
                "next_cursor": write_timeline_cursor(place_of(shown[-1])) if has_more else None,
            }

        return self._database.read(work)

    def add(self, customer_id: str, note: str, by: str, now: datetime) -> CustomerNote:
        """Store a note about a customer. Raises CustomerNotFoundError, DatabaseUnavailableError."""

        def work(transaction: Transaction) -> CustomerNote:
            customer_pk = _held(transaction, customer_id)
            number = customer_notes.add(transaction, customer_pk, note, by, now)
            return note_json(customer_notes.get(transaction, customer_pk, number))

        return self._database.run(work)

    def delete(self, customer_id: str, note_id: str, by: str) -> None:
        """Delete a note that somebody wrote themselves.

        Raises CustomerNotFoundError, NoteNotFoundError, NoteOfAnotherError, DatabaseUnavailableError.
        """
        if not (note_id.isascii() and note_id.isdigit() and len(note_id) <= _LONGEST_ID):
            raise customer_notes.NoteNotFoundError(note_id)
        self._database.run(
            lambda transaction: customer_notes.delete(transaction, _held(transaction, customer_id), int(note_id), by)
        )


def note_json(row: Row) -> CustomerNote:
    """Return a note as clients see it."""
    return {"id": row["id"], "at": iso(row["written_at"]), "by": row["written_by"], "note": row["note"]}


def place_of(row: Row) -> Place:
    """Return where a note stands in the order of a customer's story."""
    return Place(row["written_at"], "note", row["id"])


def _held(transaction: Transaction, customer_id: str) -> int:
    """Lock a customer until the transaction ends, so that they are not erased meanwhile; return their key."""
    customers.hold(transaction, [existing(transaction, customer_id)["id"]])
    # They may have been erased while it was waited for the lock.
    return int(existing(transaction, customer_id)["id"])
