"""The audit trail after its entries were stored: linked to a chain each minute, read, verified, and pruned."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from churn.adapters import secrets_manager
from churn.adapters.mysql import Database, audit
from churn.adapters.mysql.audit import AuditFilter
from churn.domain.audit import LINKED_WITHIN, AlteredTrailError, AuditChain, Break, End, Link
from churn.domain.timestamps import from_millis, iso, to_millis
from churn.services.cursors import read_audit_cursor, write_audit_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from churn.adapters.mysql import Transaction
    from churn.adapters.mysql.database import Row
    from churn.domain.access_answers import AuditPage, KnownAuditEntry
    from churn.settings import Settings

_LINKS = 1000
_MOST_MISSED = 100


def link_entries(database: Database, settings: Settings, now: datetime, copy: Callable[[Sequence[Link]], None]) -> int:
    """Let the chain hold what was stored since; return how many entries.

    `copy` gets the links before they are stored, and may get them again after a failure. Raises AlteredTrailError,
    DatabaseUnavailableError, SecretUnavailableError.
    """
    chain, now = chain_of(settings), from_millis(to_millis(now))

    def work(transaction: Transaction) -> int:
        end = _held_end(transaction, chain, now)
        links = [*chain.extend(end, audit.without_link(transaction, now - LINKED_WITHIN, _LINKS), now)]
        if links:
            copy(links)
            audit.link(transaction, links)
            end = End(links[-1].position, links[-1].digest, end.at)
        complete_at = now if len(links) < _LINKS else end.at
        audit.note(transaction, "end", chain.sign("end", end._replace(at=complete_at)))
        return len(links)

    linked = number = database.run(work)
    while number == _LINKS:
        number = database.run(work)
        linked += number
    return linked


def _held_end(transaction: Transaction, chain: AuditChain, now: datetime) -> End:
    """Return the end of the chain, which is begun where there is nothing of one. Raises AlteredTrailError."""
    noted = audit.hold(transaction, "end")
    if noted is None and not audit.ends(transaction) and audit.positions(transaction) is None:
        audit.note(transaction, "begin", chain.sign("begin", End(at=now)))
        return End()
    return chain.opened("end", noted)


def prune(database: Database, settings: Settings, *, now: datetime, time_left: Callable[[], bool]) -> int:
    """Delete entries that were linked too long ago, and let the chain begin after them; return how many.

    Raises AlteredTrailError if what would be deleted does not hold, DatabaseUnavailableError, SecretUnavailableError.
    """
    chain, days = chain_of(settings), settings.retention.audit
    before = now - timedelta(days=days)

    def step(transaction: Transaction) -> int:
        noted = audit.hold(transaction, "begin")
        if noted is None and audit.positions(transaction) is None:
            return 0
        begin = chain.opened("begin", noted)
        links = [*takewhile(lambda link: link.linked_at < before, audit.oldest(transaction, begin, _LINKS))]
        if links:
            after = End(links[-1].position, links[-1].digest, from_millis(to_millis(now)))
            if (broken := chain.first_break(begin, links, after)) is not None:
                raise AlteredTrailError(f"link {broken.position}: {broken.reason}")
            audit.delete(transaction, links)
            audit.note(transaction, "begin", chain.sign("begin", after))
        return len(links)

    pruned = 0
    while days and time_left():
        number = database.run(step)
        pruned += number
        if number < _LINKS:
            break
    return pruned


def chain_of(settings: Settings) -> AuditChain:
    """Return the chain under the service's key."""
    return AuditChain(lambda: secrets_manager.resolve(settings.erasure_key))


class Verdict(NamedTuple):
    """What verifying found: the first break, if any, and entries that were stored later than they say.

    `missed` have no link, `late` were linked after the chain had held all of their time.
    """

    begin: End
    end: End
    broken: Break | None
    missed: list[int]
    late: list[int]


def verify(database: Database, settings: Settings, now: datetime) -> Verdict:
    """Go through the whole chain.

    Raises AlteredTrailError if an end of it was altered or is gone, DatabaseUnavailableError, SecretUnavailableError.
    """
    noted, stored = database.read(lambda transaction: (audit.ends(transaction), audit.positions(transaction)))
    chain = chain_of(settings)
    begin, end = chain.opened("begin", noted.get("begin")), chain.opened("end", noted.get("end"))
    late: list[int] = []

    def links() -> Iterator[Link]:
        for link in audit.chain(database, begin, end):
            if link.is_late:
                late.append(link.entry_id)
            yield link

    broken = chain.first_break(begin, links(), end)
    if broken is None and stored is not None and not begin.position < stored[0] <= stored[1] <= end.position:
        broken = Break(stored[1], None, "a link lies outside the ends that were noted")
    missed = database.run(partial(audit.missed, before=now - LINKED_WITHIN, limit=_MOST_MISSED))
    return Verdict(begin, end, broken, missed, late[:_MOST_MISSED])


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
