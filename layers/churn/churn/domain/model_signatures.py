"""Signatures of the model's versions and of what serves: write access to the bucket is no power over scores.

A version's metadata hold the checksum of its model. The signature is an HMAC over all of them, so that neither the
model nor what decides on a promotion can be exchanged without the key. The record of promotions has one too.
"""

import hmac
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

FIELD = "signature"
SHORTEST_KEY = 32


class Signed(StrEnum):
    """What a signature is of; that of one kind is none of the other."""

    VERSION = "model version"
    PROMOTIONS = "promotions"


def signature_of(key: str, content: Mapping[str, Any], kind: Signed) -> str:
    """Return the signature of what JSON can hold; a signature within it is left out."""
    signed = {name: value for name, value in content.items() if name != FIELD}
    # As they are read back: a tuple has become a list then.
    text = json.dumps(json.loads(json.dumps(signed)), sort_keys=True)
    return hmac.digest(key.encode(), f"{kind}:{text}".encode(), "sha256").hex()


def is_signed(key: str, content: Mapping[str, Any], kind: Signed) -> bool:
    """Return whether the content has the signature that the key gives it."""
    given = str(content.get(FIELD, "")).encode(errors="replace")
    return hmac.compare_digest(signature_of(key, content, kind).encode(), given)
