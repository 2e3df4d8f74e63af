"""The types of the answers about who may call, as `churn.domain.answers` has the others."""

from typing import TypedDict

from churn.domain.answers import Instant
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
