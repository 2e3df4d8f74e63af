"""The types of the answers about who may call, as `churn.domain.answers` has the others."""

from typing import TypedDict

from churn.domain.answers import Instant
from churn.domain.audit import AuditAction
from churn.domain.roles import Role


class KnownApiKey(TypedDict):
    """A key, without its text, which nobody can be told again."""

    id: str
    """Stands in the key's text, and is no secret."""
    name: str
    """Its holder acts as `key:` and this name."""
    role: Role
    """What the key may do: read < predict < act < admin; `write` hands in events and does nothing else."""
    created_at: Instant
    created_by: str
    """The name in the token of whoever made it."""
    expires_at: Instant
    """From when on the key opens nothing."""
    last_used_at: Instant | None
    """To the minute; null as it has not been used."""


class MadeApiKey(KnownApiKey):
    """A new key, with its text, which is shown this once."""

    key: str
    """For the header `Authorization: Bearer`."""


class ApiKeyList(TypedDict):
    """All keys, the newest first, those too that have expired."""

    keys: list[KnownApiKey]
    """Without their texts."""


class KnownAuditEntry(TypedDict):
    """Who did what and when."""

    id: int
    """Rises; an entry that was refused may leave out a number."""
    at: Instant
    """When it was asked for."""
    subject: str | None
    """The name in the token, `key:` and a name for an API key; null for an erasure by an event."""
    role: Role | None
    """What the token or key allowed; null for an erasure by an event."""
    action: AuditAction
    """`intake` hands in events."""
    operation: str
    """The name of the route in this description, `socket:` and the event of a message, or the type of an event."""
    customer_hmac: str | None
    """Whose data, if one customer's: the HMAC of the id, the same as in the tombstone of an erased customer."""
    object: str | None
    """What else it was about, such as the ids of alerts; null where that is not told."""
    status: int | None
    """How it ended; null in the entry that is made before a change, an export or an erasure begins."""
    request_id: str | None
    """`X-Request-Id` of the answer; two entries of one request have the same."""
    position: int | None
    """The link of the chain that holds the entry; null for a minute."""


class AuditPage(TypedDict):
    """A page of the audit trail, the newest entry first."""

    entries: list[KnownAuditEntry]
    """One for each request, two for each that changes, exports or erases; a page of a list has one."""
    next_cursor: str | None
