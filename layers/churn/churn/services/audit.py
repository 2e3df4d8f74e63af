"""The audit trail after its entries were stored: linked to a chain each minute, read, and verified."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from churn.adapters import secrets_manager
from churn.adapters.mysql import Database, audit
from churn.adapters.mysql.audit import AuditFilter
from churn.domain.audit import LINKED_WITHIN, AuditChain, Break, End, Link
from churn.domain.timestamps import iso
from churn.services.cursors import read_audit_cursor, write_audit_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from churn.adapters.mysql import Transaction
    from churn.adapters.mysql.database import Row
    from churn.domain.access_answers import AuditPage, KnownAuditEntry
    from churn.settings import Settings

_LINKS = 1000
_MOST_MISSED = 100


def link_entries(database: Database, settings: Settings, now: datetime, copy: Callable[[Sequence[Link]], None]) -> int:
    """Let the chain hold what was stored since; return how many entries.

    `copy` gets the links before they are stored, and may get them again after a failure. Raises
    DatabaseUnavailableError, SecretUnavailableError.
    """
    chain = chain_of(settings)

    def work(transaction: Transaction) -> int:
        end = audit.hold(transaction, "end")
        links = [*chain.extend(end, audit.without_link(transaction, now - LINKED_WITHIN, _LINKS))]
        if links:
            copy(links)
            audit.link(transaction, links, now)
        return len(links)

    linked = number = database.run(work)
    while number == _LINKS:
        number = database.run(work)
        linked += number
    return linked


def chain_of(settings: Settings) -> AuditChain:
    """Return the chain under the service's key."""
    return AuditChain(lambda: secrets_manager.resolve(settings.erasure_key))


class Verdict(NamedTuple):
    """What verifying found: the first break, if any, and old entries without a link."""

    begin: End
    end: End
    broken: Break | None
    missed: list[int]


def verify(database: Database, settings: Settings, now: datetime) -> Verdict:
    """Go through the whole chain. Raises DatabaseUnavailableError, SecretUnavailableError."""
    begin, end = database.run(audit.ends)
    broken = chain_of(settings).first_break(begin, audit.chain(database, begin, end), end)
    missed = database.run(partial(audit.missed, before=now - LINKED_WITHIN, limit=_MOST_MISSED))
    return Verdict(begin, end, broken, missed)


def page(database: Database, wanted: AuditFilter, *, cursor: str | None, limit: int) -> AuditPage:
    """Return a page of entries, the newest first. Raises InvalidCursorError, DatabaseUnavailableError."""
    after = None if cursor is None else read_audit_cursor(cursor)
    rows = database.read(lambda transaction: audit.newest(transaction, wanted, after, limit + 1))
    shown = rows[:limit]
    return {
        "entries": [_shown(row) for row in shown],
        "next_cursor": write_audit_cursor(shown[-1]["at"], shown[-1]["id"]) if len(rows) > limit else None,
    }


def _shown(row: Row) -> KnownAuditEntry:
    return {
        "id": row["id"],
        "at": iso(row["at"]),
        "subject": row["subject"],
        "role": row["role"],
        "action": row["action"],
        "operation": row["operation"],
        "customer_hmac": row["customer_hmac"],
        "object": row["object"],
        "status": row["status"],
        "request_id": row["request_id"],
        "position": row["position"],
    }
