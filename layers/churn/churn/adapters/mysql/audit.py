"""Tables `audit`, `audit_links`, `audit_ends`: who did what, and the chain over it."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import NamedTuple

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Database, Row, Transaction, placeholders
from churn.domain.audit import AuditEntry, End, Link, StoredEntry

_NAMES = [field.name for field in fields(AuditEntry)]
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES ({placeholders(_NAMES)})"
_PAGE = 1000


class AuditFilter(NamedTuple):
    """Which entries; None for any."""

    subject: str | None = None
    action: str | None = None
    customer_hmac: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def by(self) -> str:
        """The index whose rows are the fewest and lie in the order of the list."""
        if self.customer_hmac is not None:
            return "audit_by_customer"
        if self.subject is not None:
            return "audit_by_subject"
        return "audit_by_time" if self.action is None else "audit_by_action"


def append(database: Database, entry: AuditEntry) -> None:
    """Store an entry. Raises DatabaseUnavailableError, StatementRefusedError."""
    database.append(_INSERT, astuple(entry))


def add(transaction: Transaction, entry: AuditEntry) -> None:
    """Store an entry in the transaction that does what it tells."""
    transaction.execute(_INSERT, astuple(entry))


def newest(transaction: Transaction, wanted: AuditFilter, after: tuple[datetime, int] | None, limit: int) -> list[Row]:
    """Return a page of entries, the newest first, with their positions in the chain; None before they have one."""
    conditions = Conditions()
    conditions.add_equal("customer_hmac", wanted.customer_hmac)
    conditions.add_equal("subject", wanted.subject)
    conditions.add_equal("action", wanted.action)
    conditions.add_between("at", wanted.since, wanted.until)
    if after is not None:
        conditions.add("at <= %s AND (at < %s OR id < %s)", after[0], *after)
    return transaction.rows(
        f"SELECT audit.id, {_COLUMNS}, position FROM audit FORCE INDEX ({wanted.by}) "
        f"LEFT JOIN audit_links ON audit_links.entry_id = audit.id {conditions.where()} "
        f"ORDER BY at DESC, audit.id DESC LIMIT %s",
        [*conditions.values, limit],
    )


def hold(transaction: Transaction, side: str) -> End:
    """Return an end of the chain, `begin` or `end`, which nobody moves until the transaction ends."""
    transaction.execute("INSERT IGNORE INTO audit_ends (side, position, digest) VALUES (%s, %s, %s)", (side, *End()))
    rows = transaction.rows("SELECT position, digest FROM audit_ends WHERE side = %s FOR UPDATE", (side,))
    return _end(rows)


def ends(transaction: Transaction) -> tuple[End, End]:
    """Return where the chain begins and ends."""
    rows = transaction.rows("SELECT side, position, digest FROM audit_ends")
    begin, end = (_end([row for row in rows if row["side"] == side]) for side in ("begin", "end"))
    return begin, end


def without_link(transaction: Transaction, linked_before: datetime, limit: int) -> list[StoredEntry]:
    """Return entries that the chain does not hold, of those since the last one that was linked before an instant."""
    row = transaction.row(
        "SELECT entry_id FROM audit_links WHERE linked_at < %s ORDER BY linked_at DESC, position DESC LIMIT 1",
        (linked_before,),
    )
    rows = transaction.rows(
        f"SELECT audit.id, {_COLUMNS} FROM audit LEFT JOIN audit_links ON audit_links.entry_id = audit.id "
        "WHERE audit.id > %s AND audit_links.entry_id IS NULL ORDER BY audit.id LIMIT %s",
        (row["entry_id"] if row else 0, limit),
    )
    return [StoredEntry(row["id"], _entry(row)) for row in rows]


def link(transaction: Transaction, links: Sequence[Link], now: datetime) -> None:
    """Store links at the end of the chain."""
    transaction.insert_many(
        "INSERT INTO audit_links (position, entry_id, digest, linked_at)",
        [(one.position, one.entry_id, one.digest, now) for one in links],
    )
    _move(transaction, "end", End(links[-1].position, links[-1].digest))


def chain(database: Database, begin: End, end: End) -> Iterator[Link]:
    """Yield the links between two ends, each with its entry."""
    rows = database.pages(
        f"SELECT position, entry_id, digest, audit.id, {_COLUMNS} FROM audit_links "
        "LEFT JOIN audit ON audit.id = audit_links.entry_id "
        "WHERE position > %(position)s AND position <= %(last)s ORDER BY position LIMIT %(size)s",
        {"position": begin.position},
        _PAGE,
        last=end.position,
    )
    for row in rows:
        yield Link(row["position"], row["entry_id"], row["digest"], None if row["id"] is None else _entry(row))


def missed(transaction: Transaction, before: datetime, limit: int) -> list[int]:
    """Return entries from before an instant that the chain does not hold, the oldest first."""
    rows = transaction.rows(
        "SELECT audit.id FROM audit LEFT JOIN audit_links ON audit_links.entry_id = audit.id "
        "WHERE audit.at < %s AND audit_links.entry_id IS NULL ORDER BY audit.id LIMIT %s",
        (before, limit),
    )
    return [row["id"] for row in rows]


def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Delete entries that were linked before an instant, and let the chain begin after them; return how many."""
    hold(transaction, "begin")
    rows = transaction.rows(
        "SELECT position, entry_id, digest FROM audit_links WHERE linked_at < %s ORDER BY linked_at, position LIMIT %s",
        (before, limit),
    )
    if rows:
        _move(transaction, "begin", End(rows[-1]["position"], rows[-1]["digest"]))
        transaction.execute_among("DELETE FROM audit WHERE id IN ({values})", [row["entry_id"] for row in rows])
        transaction.execute("DELETE FROM audit_links WHERE position <= %s", (rows[-1]["position"],))
    return len(rows)


def _move(transaction: Transaction, side: str, end: End) -> None:
    transaction.execute(
        "UPDATE audit_ends SET position = %s, digest = %s WHERE side = %s", (end.position, end.digest, side)
    )


def _end(rows: Sequence[Row]) -> End:
    """Return the end that a row tells, that of an empty chain without one."""
    return End(rows[0]["position"], rows[0]["digest"]) if rows else End()


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(**{name: row[name] for name in _NAMES})
