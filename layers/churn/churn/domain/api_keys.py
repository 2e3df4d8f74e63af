"""API keys for machines: a text that is shown once, of which the digest alone is kept."""

import hashlib
import re
import secrets
from dataclasses import dataclass

PREFIX = "churn_"
"""What an API key begins with, and no token does."""
MOST_KEYS = 200
MAX_NAME_LENGTH = 64
LONGEST_DAYS = 1825
"""For how long a key may be valid."""
_ID = re.compile(r"[0-9a-f]{16}")
_FORM = re.compile(rf"{PREFIX}({_ID.pattern})_[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key: its id, which is no secret, its whole text, and what is kept of that."""

    id: str
    text: str

    @property
    def digest(self) -> str:
        """What is kept of the text. It has 256 bits of chance, so one round of a hash is enough."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @classmethod
    def new(cls) -> "ApiKey":
        """Return a key that nobody has."""
        key_id = secrets.token_hex(8)
        return cls(key_id, f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}")

    @classmethod
    def parse(cls, text: str) -> "ApiKey | None":
        """Return the key that a text is, None if it has not the form of one."""
        form = _FORM.fullmatch(text)
        return cls(form[1], text) if form else None


def is_id(text: str) -> bool:
    """Return whether a text has the form of a key's id."""
    return _ID.fullmatch(text) is not None


def subject_of(name: str) -> str:
    """Return the name under which the holder of a key acts."""
    return f"key:{name}"
