"""Tombstones: what stands in place of the id of a customer who was erased.

A tombstone is the HMAC of the id. It tells nobody who the customer was, and yet a later event of the same customer is
recognised, so that it does not bring them back. The key never changes: with another one every erased customer would be
a stranger again.
"""

import base64
import hmac
import re
from collections.abc import Callable

from churn.domain.identifiers import canonical

PREFIX = "erased:"
"""How every tombstone begins."""

NEXT_PREFIX = "erased;"
"""The first text after every tombstone, for ranges of an index."""

_TOMBSTONE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class Tombstones:
    """The tombstones under one key, which is asked for when it is first needed."""

    def __init__(self, key: Callable[[], str]) -> None:
        self._key = key

    @property
    def fingerprint(self) -> str:
        """What the key is recognised by, and not found by."""
        return self.of("")

    def digest(self, content_hash: bytes) -> bytes:
        """Return what replaces the hash of an erased content: the same for the same one, and nobody can guess it."""
        return hmac.digest(self._key().encode(), b"content:" + content_hash, "sha256")

    def of(self, customer_id: str) -> str:
        """Return the tombstone of a customer, at most 64 characters like every id; that of a tombstone is itself."""
        if customer_id.startswith(PREFIX):
            return customer_id
        return PREFIX + self._hmac(customer_id)

    def hmac_of(self, customer_id: str) -> str:
        """Return the HMAC in the tombstone of a customer, by which the audit trail names them before and after."""
        if _TOMBSTONE.fullmatch(customer_id):
            return customer_id.removeprefix(PREFIX)
        return self._hmac(customer_id)

    def _hmac(self, customer_id: str) -> str:
        digest = hmac.digest(self._key().encode(), canonical(customer_id).encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
