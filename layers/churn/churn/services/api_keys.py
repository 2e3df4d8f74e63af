"""API keys: made, listed and revoked by an admin, and recognised when a machine shows one."""

from __future__ import annotations

import hmac
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError, api_keys
from churn.adapters.mysql import websocket_connections as sockets
from churn.domain.api_keys import ApiKey, subject_of
from churn.domain.timestamps import iso
from churn.observability import logger

if TYPE_CHECKING:
    from datetime import datetime

    from churn.adapters.mysql import Transaction
    from churn.adapters.mysql.database import Row
    from churn.domain.access_answers import ApiKeyList, KnownApiKey, MadeApiKey
    from churn.domain.roles import Role


class Holder(NamedTuple):
    """Who holds a key that is valid, and what it may do until when."""

    subject: str
    role: str
    expires_at: datetime


def make(database: Database, name: str, role: Role, days: int, *, by: str, now: datetime) -> MadeApiKey:
    """Return a new key, whose text is shown this once. Raises ApiKeyNameTakenError, ApiKeysFullError."""
    key, expires_at = ApiKey.new(), now + timedelta(days=days)
    database.run(lambda transaction: api_keys.add(transaction, key, name, role, by=by, now=now, expires_at=expires_at))
    return {
        "key": key.text,
        "id": key.id,
        "name": name,
        "role": role,
        "created_at": iso(now),
        "created_by": by,
        "expires_at": iso(expires_at),
        "last_used_at": None,
    }


def listed(database: Database) -> ApiKeyList:
    """Return all keys, the newest first; the text of none."""
    return {"keys": [_shown(row) for row in database.read(api_keys.every)]}


def revoke(database: Database, key_id: str) -> None:
    """Delete a key and end the sockets of whoever holds it. Raises ApiKeyNotFoundError."""

    def work(transaction: Transaction) -> None:
        sockets.end(transaction, subject_of(api_keys.delete(transaction, key_id)))

    database.run(work)


def holder_of(database: Database, text: str, now: datetime) -> Holder | None:
    """Return who holds a key, and note its use; None if it is no key, or revoked, or expired."""
    key = ApiKey.parse(text)
    row = None if key is None else database.run(partial(api_keys.get, key_id=key.id))
    if key is None or row is None or not hmac.compare_digest(row["digest"], key.digest) or row["expires_at"] <= now:
        return None
    try:
        database.run(partial(api_keys.note_use, key_id=key.id, now=now))
    except (DatabaseUnavailableError, StatementRefusedError):
        logger.exception("when an API key was used cannot be stored")
    return Holder(subject_of(row["name"]), row["role"], row["expires_at"])


def _shown(row: Row) -> KnownApiKey:
    return {
        "id": row["id"],
        "name": row["name"],
        "role": row["role"],
        "created_at": iso(row["created_at"]),
        "created_by": row["created_by"],
        "expires_at": iso(row["expires_at"]),
        "last_used_at": None if row["last_used_at"] is None else iso(row["last_used_at"]),
    }
