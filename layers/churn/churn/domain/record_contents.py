"""What a record of Kafka holds that is no event: its JSON or its texts, in whatever way they were written.

Text in UTF-8, UTF-16 or Latin-1, also as part of an address (``%40``); all of it in base64, compressed by gzip, or
behind the prefix of a schema. Of each record a bounded part is looked at.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from churn.domain.values import storable

LOOKED_AT = 1024 * 1024
"""Bytes of a record that are looked at, and of what is compressed in it; Kafka's own limit of a record."""

# How deep contents are looked for in one another, such as gzip within base64.
_LAYERS = 3
# A zero byte and a schema id of four before the content, in Confluent's wire format.
_WIRE_PREFIX = 5
_GZIP = b"\x1f\x8b"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\(.)", re.DOTALL)
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BLANKS = {"n": "\n", "r": "\n", "t": "\t"}


def texts_of(raw: bytes | None) -> Iterator[str]:
    """Yield every text that the bytes of a record may mean."""
    for content in _contents((raw or b"")[:LOOKED_AT], _LAYERS):
        for text in dict.fromkeys(_decoded(content)):
            yield text
            if "%" in text:
                yield from_address(text)


def parsed(text: str) -> Any | None:
    """Return the value of a text that is JSON, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def unescaped(text: str) -> str:
    """Return the text of a part of JSON, which may be cut, without its escapes."""
    return storable(_ESCAPES.sub(_plain, text))


def from_address(text: str) -> str:
    """Return the text of a part of an address, or of a form, without its escapes."""
    return _PERCENT.sub(
        lambda escape: bytes.fromhex(escape[0].replace("%", "")).decode("utf-8", "replace"), text.replace("+", " ")
    )


def is_plain(raw: bytes | None) -> bool:
    """Return whether the bytes are JSON that can be searched as they stand."""
    try:
        return isinstance(parsed((raw or b"").decode()), dict | list)
    except UnicodeDecodeError:
        return False


def _contents(raw: bytes, layers: int) -> Iterator[bytes]:
    yield raw
    for inner in _unwrapped(raw) if layers else ():
        yield from _contents(inner, layers - 1)


def _unwrapped(raw: bytes) -> Iterator[bytes]:
    if raw.startswith(b"\0"):
        yield raw[_WIRE_PREFIX:]
    if raw.startswith(_GZIP):
        with suppress(zlib.error):
            # What is cut short is read as far as it goes.
            yield zlib.decompressobj(wbits=31).decompress(raw, LOOKED_AT)
    bare = raw.strip(b'" \r\n\t')
    if _BASE64.fullmatch(bare):
        with suppress(binascii.Error):
            inner = base64.b64decode(bare.translate(_URL_SAFE).rstrip(b"=") + b"==")
            if inner.startswith((_GZIP, b"\0")) or _is_text(inner):
                yield inner


def _decoded(raw: bytes) -> Iterator[str]:
    try:
        yield raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield raw.decode("latin-1")
        # Of what was cut within a character, or holds a few other bytes, the rest can be read.
        yield raw.decode("utf-8", "ignore")
    if b"\0" in raw:
        for encoding in ("utf-16-le", "utf-16-be"):
            yield raw.decode(encoding, "ignore").lstrip("\ufeff")


def _is_text(raw: bytes) -> bool:
    try:
        return raw.decode().isprintable() or b"\n" in raw
    except UnicodeDecodeError:
        return False


def _plain(escape: re.Match[str]) -> str:
    if escape[1]:
        return _BLANKS.get(escape[1], escape[1])
    # Two escapes may stand for the two halves of one character.
    return str(json.loads(f'"{escape[0]}"'))
