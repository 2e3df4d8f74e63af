"""The encoding of a text file, found from its bytes."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NAMES = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
}
"""What people call the encodings that are found."""

# Signs in Windows-1252 that no word holds; in Windows-1250 they are letters.
_SIGN_IN_A_WORD = re.compile(
    "[A-Za-z\u00c0-\u00ff][\u00b3\u00b9\u00bf\u00a3\u00a5\u00be\u00bc\u00af]|[\u00b3\u00b9\u00bc\u00be\u00af][a-z\u00e0-\u00ff]"
)
# Letters of no one language in Windows-1252: in Windows-1250 the first of each pair are those of Czech.
_UNLIKELY_TOGETHER = (
    (frozenset("\u00f8"), frozenset("\u00ed\u00e1\u00fd\u017e\u0161")),
    (frozenset("\u00ec\u00f9"), frozenset("\u00fd\u017e\u0161")),
)
_UNDEFINED_IN_1252 = frozenset(b"\x8d\x8f\x9d")


@dataclass(slots=True)
class _Evidence:
    valid: int = 0
    invalid: int = 0
    central: int = 0


def find_encoding(head: bytes, lines: Iterable[bytes]) -> str:
    """Return the name of the codec for a file that begins with `head` and has these lines.

    Without a mark, text that is not UTF-8 is Windows-1250 if its bytes stand for letters there that are signs in
    Windows-1252, else Windows-1252. A file that is UTF-8 but for a few bytes is UTF-8.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\x00" in head[:4096]:
        even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
        half = max(len(head[:4096]) // 2, 1)
        if max(even, odd) > half * 0.4 and min(even, odd) < half * 0.1:
            return "utf-16-le" if odd > even else "utf-16-be"
    evidence = _Evidence()
    for line in lines:
        if not line.isascii():
            _take(line, evidence)
    if evidence.invalid <= evidence.valid / 10:
        return "utf-8-sig"
    return "cp1250" if evidence.central else "cp1252"


def _take(line: bytes, evidence: _Evidence) -> None:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        evidence.invalid += 1
        text = line.decode("cp1252", "replace")
        is_central = not _UNDEFINED_IN_1252.isdisjoint(line)
        evidence.central += is_central or _is_central(text)
    else:
        evidence.valid += 1


def _is_central(text: str) -> bool:
    signs = frozenset(text)
    mixed = any(signs & first and signs & second for first, second in _UNLIKELY_TOGETHER)
    return mixed or _SIGN_IN_A_WORD.search(text) is not None
