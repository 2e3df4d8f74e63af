"""Table `customer_notes`: what people have noted about customers."""

from datetime import datetime

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.errors import ConflictError, NotFoundError
from churn.domain.timeline import Window


class NoteNotFoundError(NotFoundError):
    """The customer has no note with this id."""

    sentence = "The customer has no such note."


class NoteOfAnotherError(ConflictError):
    """Somebody else wrote the note."""

    def __init__(self, author: str) -> None:
        super().__init__(f"{author} wrote this note, and alone can delete it.")


def add(transaction: Transaction, customer_pk: int, note: str, by: str, now: datetime) -> int:
    """Store a note about a customer, who is locked; return its id."""
    return transaction.insert(
        "INSERT INTO customer_notes (customer_pk, written_at, written_by, note) VALUES (%s, %s, %s, %s)",
        (customer_pk, now, by, note),
    )


def get(transaction: Transaction, customer_pk: int, note_id: int) -> Row:
    """Return a note about a customer. Raises NoteNotFoundError."""
    row = transaction.row(
        "SELECT id, written_at, written_by, note FROM customer_notes WHERE id = %s AND customer_pk = %s",
        (note_id, customer_pk),
    )
    if row is None:
        raise NoteNotFoundError(note_id)
    return row


def of_customer(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> list[Row]:
    """Return the notes about a customer, the newest first."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    conditions.add_window(window, "written_at", "id")
    return transaction.rows(
        "SELECT id, written_at, written_by, note FROM customer_notes FORCE INDEX (customer_notes_by_customer) "
        f"{conditions.where()} ORDER BY written_at DESC, id DESC LIMIT %s",
        [*conditions.values, limit],
    )


def delete(transaction: Transaction, customer_pk: int, note_id: int, by: str) -> None:
    """Delete a note of one's own. Raises NoteNotFoundError, NoteOfAnotherError."""
    author = get(transaction, customer_pk, note_id)["written_by"]
    if author != by:
        raise NoteOfAnotherError(author)
    transaction.execute("DELETE FROM customer_notes WHERE id = %s", (note_id,))


def erase(transaction: Transaction, customer_pk: int) -> None:
    """Delete all notes about a customer."""
    transaction.execute("DELETE FROM customer_notes WHERE customer_pk = %s", (customer_pk,))
