"""What a client may do, as the role of its token says."""

from collections.abc import Iterable
from typing import Literal, get_args

Role = Literal["read", "predict", "act", "admin", "write"]
ROLES: tuple[str, ...] = get_args(Role)
WRITE = "write"
"""A role beside the ladder: it may hand in events and nothing else. Of the ladder, `admin` alone includes it."""
# From the weakest on; each may what those before it may.
_LADDER = ROLES[:-1]


def includes(role: str, needed: str) -> bool:
    """Return whether `role` may do all that `needed` may."""
    if WRITE in (role, needed):
        return role == needed or role == _LADDER[-1]
    return _LADDER.index(role) >= _LADDER.index(needed)


def strongest(roles: Iterable[str]) -> str | None:
    """Return the one of some roles that may most, None without any; one of the ladder goes before `write`."""
    given = set(roles)
    return next((role for role in (*reversed(_LADDER), WRITE) if role in given), None)
