"""Signatures of the model's versions: write access to where they are stored is no power over scores.

A version's metadata hold the checksum of its model. The signature is an HMAC over all of them, so that neither the
model nor what decides on a promotion can be exchanged without the key.
"""

import hmac
import json
from collections.abc import Mapping
from typing import Any

FIELD = "signature"
SHORTEST_KEY = 32


def signature_of(key: str, metadata: Mapping[str, Any]) -> str:
    """Return the signature of metadata that JSON can hold."""
    signed = {name: value for name, value in metadata.items() if name != FIELD}
    # As they are read back: a tuple has become a list then.
    text = json.dumps(json.loads(json.dumps(signed)), sort_keys=True)
    return hmac.digest(key.encode(), b"model version:" + text.encode(), "sha256").hex()


def is_signed(key: str, metadata: Mapping[str, Any]) -> bool:
    """Return whether metadata have the signature that the key gives them."""
    given = str(metadata.get(FIELD, "")).encode(errors="replace")
    return hmac.compare_digest(signature_of(key, metadata).encode(), given)
