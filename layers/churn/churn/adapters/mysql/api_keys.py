"""Table `api_keys`: who holds a key, and what it may do."""

from datetime import datetime, timedelta

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.api_keys import MOST_KEYS, ApiKey, is_id
from churn.domain.errors import ConflictError, FieldError, NotFoundError

_SHOWN = "id, name, role, created_at, created_by, expires_at, last_used_at"
# Noted at most so often: a key may be used many times a second.
_USE_EVERY = timedelta(minutes=1)


class ApiKeyNotFoundError(NotFoundError):
    """There is no key with this id."""

    sentence = "There is no such API key."


class ApiKeyNameTakenError(ConflictError):
    """Another key has the name."""

    def __init__(self) -> None:
        super().__init__("Another API key has this name: revoke it first, or choose another name.")
        self.errors = (FieldError("name", "is taken"),)


class ApiKeysFullError(ConflictError):
    """There are as many keys as there may be."""

    def __init__(self) -> None:
        super().__init__(f"There are {MOST_KEYS} API keys, the most that there may be: revoke one first.")


def add(
    transaction: Transaction, key: ApiKey, name: str, role: str, *, by: str, now: datetime, expires_at: datetime
) -> None:
    """Store what is kept of a key. Raises ApiKeyNameTakenError, ApiKeysFullError."""
    stored = transaction.rows("SELECT name FROM api_keys FOR UPDATE")
    if any(row["name"] == name for row in stored):
        raise ApiKeyNameTakenError
    if len(stored) >= MOST_KEYS:
        raise ApiKeysFullError
    transaction.execute(
        "INSERT INTO api_keys (id, digest, name, role, created_at, created_by, expires_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (key.id, key.digest, name, role, now, by, expires_at),
    )


def every(transaction: Transaction) -> list[Row]:
    """Return all keys, the newest first; without their digests."""
    return transaction.rows(f"SELECT {_SHOWN} FROM api_keys ORDER BY created_at DESC, id")


def delete(transaction: Transaction, key_id: str) -> str:
    """Delete a key; return its name. Raises ApiKeyNotFoundError."""
    found = "SELECT name FROM api_keys WHERE id = %s FOR UPDATE"
    # A server compares a column of ASCII with no other text.
    row = transaction.row(found, (key_id,)) if is_id(key_id) else None
    if row is None:
        raise ApiKeyNotFoundError(key_id)
    transaction.execute("DELETE FROM api_keys WHERE id = %s", (key_id,))
    return str(row["name"])


def get(transaction: Transaction, key_id: str) -> Row | None:
    """Return a key with its digest, None if there is none."""
    return transaction.row(f"SELECT {_SHOWN}, digest FROM api_keys WHERE id = %s", (key_id,))


def note_use(transaction: Transaction, key_id: str, now: datetime) -> None:
    """Note when a key was used last, to the minute."""
    transaction.execute(
        "UPDATE api_keys SET last_used_at = %s WHERE id = %s AND (last_used_at IS NULL OR last_used_at <= %s)",
        (now, key_id, now - _USE_EVERY),
    )
