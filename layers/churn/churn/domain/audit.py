"""The audit trail: who read, changed, exported or erased what, and the chain that shows whether an entry was touched.

A link of the chain is the HMAC of an entry, of when it was linked and of the link before it, so that whoever alters,
drops or inserts an entry without the key breaks the chain there. Both ends of the chain are signed. Customers stand in
entries as HMACs of their ids, as in tombstones: an entry need not change when its customer is erased.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from churn.domain.errors import ChurnError
from churn.domain.timestamps import iso

AuditAction = Literal["read", "change", "export", "erasure", "intake"]
"""`intake` hands in events. Its entry and that of a read may be missing; nothing else is done without its entry."""

AUDIT_ACTIONS: tuple[str, ...] = get_args(AuditAction)
BEST_EFFORT: frozenset[AuditAction] = frozenset({"read", "intake"})
"""What is done although its entry cannot be stored."""

LONGEST_OBJECT = 10_000
LINKED_WITHIN = timedelta(minutes=15)
"""How much later than its time an entry may be stored: no call of a function runs longer."""

Side = Literal["begin", "end"]


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


class AlteredTrailError(ChurnError):
    """The audit trail was altered, so it is neither extended nor pruned; the text says where."""


class End(NamedTuple):
    """A place between two links: the position of the link before it, and its digest; 0 and none at the beginning.

    `at`: at the beginning, when the chain was begun or last pruned; at the end, when it last held all entries, None
    before it did.
    """

    position: int = 0
    digest: str = ""
    at: datetime | None = None


class SignedEnd(NamedTuple):
    """An end of the chain as it was noted, with its HMAC."""

    end: End
    signature: str


class Link(NamedTuple):
    """A link of the chain, and the entry that it holds; None where that is gone.

    `complete_at`: when the chain had last held all entries, None before it did.
    """

    position: int
    entry_id: int
    digest: str
    linked_at: datetime
    complete_at: datetime | None
    entry: AuditEntry | None

    @property
    def is_late(self) -> bool:
        """Whether the entry was not there when the chain held all of its time: it was stored later than it says.

        An outage of the job makes no entry late.
        """
        if self.entry is None or self.complete_at is None:
            return False
        return self.entry.at + LINKED_WITHIN < self.complete_at


class Break(NamedTuple):
    """The first link that does not hold, and why, as a sentence."""

    position: int
    entry_id: int | None
    reason: str


class AuditChain:
    """The chain under a key, which is asked for when it is first needed."""

    def __init__(self, key: Callable[[], str]) -> None:
        self._key = key

    def sign(self, side: Side, end: End) -> SignedEnd:
        """Return an end of the chain with its HMAC."""
        return SignedEnd(end, self._hmac([side, end.position, end.digest, _iso(end.at)]))

    def opened(self, side: Side, noted: SignedEnd | None) -> End:
        """Return an end that was noted. Raises AlteredTrailError if this chain did not sign it, or it is gone."""
        if noted is None:
            raise AlteredTrailError(f"the {side} of the chain is not noted")
        if not hmac.compare_digest(noted.signature, self.sign(side, noted.end).signature):
            raise AlteredTrailError(f"what is noted of the {side} of the chain was altered")
        return noted.end

    def extend(self, end: End, entries: Iterable[StoredEntry], now: datetime) -> Iterator[Link]:
        """Yield a link for each entry, after the end of the chain."""
        position, digest = end.position, end.digest
        for number, entry in entries:
            link = Link(position + 1, number, "", now, end.at, entry)
            position, digest = link.position, self._digest(digest, link, entry)
            yield link._replace(digest=digest)

    def first_break(self, begin: End, links: Iterable[Link], end: End) -> Break | None:
        """Return the first link between two ends that does not hold; None if all do."""
        position, digest = begin.position, begin.digest
        for link in links:
            if link.position != position + 1:
                return Break(position + 1, None, "the link is gone")
            if link.entry is None:
                return Break(link.position, link.entry_id, "the entry is gone")
            if not hmac.compare_digest(link.digest, self._digest(digest, link, link.entry)):
                return Break(link.position, link.entry_id, "the entry or its link was altered")
            position, digest = link.position, link.digest
        if (position, digest) != (end.position, end.digest):
            return Break(position + 1, None, "the chain ends elsewhere than it was noted")
        return None

    def _digest(self, before: str, link: Link, entry: AuditEntry) -> str:
        return self._hmac([before, link.entry_id, entry.to_dict(), _iso(link.linked_at), _iso(link.complete_at)])

    def _hmac(self, told: list[object]) -> str:
        text = json.dumps(told, ensure_ascii=True, sort_keys=True)
        key = hmac.digest(self._key().encode(), b"audit chain", "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def _iso(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
