"""The audit trail: who read, changed, exported or erased what, and the chain that shows whether an entry was touched.

A link of the chain is the HMAC of an entry and of the link before it, so that whoever alters, drops or inserts an entry
without the key breaks the chain there. Customers stand in entries as HMACs of their ids, as in tombstones: an entry
need not change when its customer is erased.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from churn.domain.timestamps import iso

AuditAction = Literal["read", "change", "export", "erasure", "intake"]
"""`intake` hands in events. Its entry and that of a read may be missing; nothing else is done without its entry."""

AUDIT_ACTIONS: tuple[str, ...] = get_args(AuditAction)
BEST_EFFORT: frozenset[AuditAction] = frozenset({"read", "intake"})
"""What is done although its entry cannot be stored."""

LONGEST_OBJECT = 10_000
LINKED_WITHIN = timedelta(minutes=15)
"""An entry without a link so long after its request was not there when it should have been."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what.

    `operation`: the name of the route, of the message on a socket, or of the event. `customer_hmac`: whose data, if one
    customer's. `object`: what else, such as the id of an alert. `status`: how it ended; None for an entry that was made
    before it was begun.
    """

    at: datetime
    subject: str | None
    role: str | None
    action: AuditAction
    operation: str
    customer_hmac: str | None = None
    object: str | None = None
    status: int | None = None
    request_id: str | None = None

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the entry as JSON has it."""
        return asdict(self) | {"at": iso(self.at)}


class StoredEntry(NamedTuple):
    """An entry and the number that it was given."""

    id: int
    entry: AuditEntry


class End(NamedTuple):
    """A place between two links: the position of the link before it, and its digest; 0 and none at the beginning."""

    position: int = 0
    digest: str = ""


class Link(NamedTuple):
    """A link of the chain, and the entry that it holds; None where that is gone."""

    position: int
    entry_id: int
    digest: str
    entry: AuditEntry | None


class Break(NamedTuple):
    """The first link that does not hold, and why, as a sentence."""

    position: int
    entry_id: int | None
    reason: str


class AuditChain:
    """The chain under a key, which is asked for when it is first needed."""

    def __init__(self, key: Callable[[], str]) -> None:
        self._key = key

    def extend(self, end: End, entries: Iterable[StoredEntry]) -> Iterator[Link]:
        """Yield a link for each entry, after the end of the chain."""
        position, digest = end
        for number, entry in entries:
            position, digest = position + 1, self._digest(digest, number, entry)
            yield Link(position, number, digest, entry)

    def first_break(self, begin: End, links: Iterable[Link], end: End) -> Break | None:
        """Return the first link between two ends that does not hold; None if all do."""
        position, digest = begin
        for link in links:
            if link.position != position + 1:
                return Break(position + 1, None, "the link is gone")
            if link.entry is None:
                return Break(link.position, link.entry_id, "the entry is gone")
            if not hmac.compare_digest(link.digest, self._digest(digest, link.entry_id, link.entry)):
                return Break(link.position, link.entry_id, "the entry or its link was altered")
            position, digest = link.position, link.digest
        if (position, digest) != end:
            return Break(position + 1, None, "the chain ends elsewhere than it was noted")
        return None

    def _digest(self, before: str, number: int, entry: AuditEntry) -> str:
        text = json.dumps([before, number, entry.to_dict()], ensure_ascii=True, sort_keys=True)
        key = hmac.digest(self._key().encode(), b"audit chain", "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()
