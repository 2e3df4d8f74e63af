"""Tables `audit`, `audit_links`, `audit_ends`: who did what, and the chain over it."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import NamedTuple

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Database, Row, Transaction, placeholders
from churn.domain.audit import AuditEntry, End, Link, Side, SignedEnd, StoredEntry

_NAMES = [field.name for field in fields(AuditEntry)]
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES ({placeholders(_NAMES)})"
_LINK_NAMES = [name for name in Link._fields if name != "entry"]
_LINK = ", ".join(_LINK_NAMES)
_LINKS = (
    f"SELECT {_LINK}, audit.id, {_COLUMNS} FROM audit_links LEFT JOIN audit ON audit.id = audit_links.entry_id "
    "WHERE position > %(position)s AND position <= %(last)s ORDER BY position LIMIT %(size)s"
)
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


def hold(transaction: Transaction, side: Side) -> SignedEnd | None:
    """Return an end of the chain as it was noted, which nobody moves until the transaction ends; None before that."""
    row = transaction.row("SELECT position, digest, at, signature FROM audit_ends WHERE side = %s FOR UPDATE", (side,))
    return None if row is None else _end(row)


def ends(transaction: Transaction) -> dict[Side, SignedEnd]:
    """Return where the chain begins and ends, as far as it was noted."""
    rows = transaction.rows("SELECT side, position, digest, at, signature FROM audit_ends")
    return {row["side"]: _end(row) for row in rows}


def note(transaction: Transaction, side: Side, noted: SignedEnd) -> None:
    """Note an end of the chain."""
    transaction.execute(
        "INSERT INTO audit_ends (side, position, digest, at, signature) VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY "
        "UPDATE position = VALUES(position), digest = VALUES(digest), at = VALUES(at), signature = VALUES(signature)",
        (side, *noted.end, noted.signature),
    )


def positions(transaction: Transaction) -> tuple[int, int] | None:
    """Return the first and the last position of stored links, None if there are none."""
    row = transaction.row("SELECT MIN(position) AS first, MAX(position) AS last FROM audit_links")
    return None if row is None or row["first"] is None else (row["first"], row["last"])


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


def link(transaction: Transaction, links: Sequence[Link]) -> None:
    """Store links."""
    transaction.insert_many(
        f"INSERT INTO audit_links ({_LINK})", [tuple(getattr(one, name) for name in _LINK_NAMES) for one in links]
    )


def chain(database: Database, begin: End, end: End) -> Iterator[Link]:
    """Yield the links between two ends, each with its entry."""
    rows = database.pages(_LINKS, {"position": begin.position}, _PAGE, last=end.position)
    return map(_link, rows)


def oldest(transaction: Transaction, begin: End, limit: int) -> list[Link]:
    """Return the first links after the beginning of the chain, each with its entry."""
    values = {"position": begin.position, "last": begin.position + limit, "size": limit}
    return [_link(row) for row in transaction.rows(_LINKS, values)]


def missed(transaction: Transaction, before: datetime, limit: int) -> list[int]:
    """Return entries from before an instant that the chain does not hold, the oldest first."""
    rows = transaction.rows(
        "SELECT audit.id FROM audit LEFT JOIN audit_links ON audit_links.entry_id = audit.id "
        "WHERE audit.at < %s AND audit_links.entry_id IS NULL ORDER BY audit.id LIMIT %s",
        (before, limit),
    )
    return [row["id"] for row in rows]


def delete(transaction: Transaction, links: Sequence[Link]) -> None:
    """Delete links, which the chain begins with, and their entries."""
    transaction.execute_among("DELETE FROM audit WHERE id IN ({values})", [link.entry_id for link in links])
    transaction.execute("DELETE FROM audit_links WHERE position <= %s", (links[-1].position,))


def _end(row: Row) -> SignedEnd:
    return SignedEnd(End(row["position"], row["digest"], row["at"]), row["signature"])


def _link(row: Row) -> Link:
    return Link(**{name: row[name] for name in _LINK_NAMES}, entry=None if row["id"] is None else _entry(row))


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(**{name: row[name] for name in _NAMES})
