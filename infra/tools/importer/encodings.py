"""The encoding of a text file, found from its bytes."""

import codecs
import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from infra.tools.importer.faults import DoubtError

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
    "cp1254": "Windows-1254",
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
# Turkish writes these where Icelandic has letters of its own; Icelandic writes accents beside them.
_TURKISH = frozenset("\u00f0\u00fe\u00d0\u00de")
_ACCENTS = frozenset("\u00e1\u00e9\u00ed\u00f3\u00fa\u00e6\u00c1\u00c9\u00cd\u00d3\u00da\u00c6")
# What no Western or Central European writing has: three letters beyond ASCII one after the other, beyond some
# names, and bytes that both code pages leave free.
_FOREIGN = re.compile(rb"[\x80-\xff]*(?:[\x81\x90]|\x83[@-~\x80-\xff]|[\x80-\xff]{3})[\x80-\xff]*")
# Letters of DOS (code page 850) within or before a word, which are signs or nothing in Windows-1252.
_OF_DOS = re.compile(rb"(?<=[A-Za-z])[\x81\x82\x84\x87\x88\x89\x94](?=[a-z])|(?<![A-Za-z\x80-\xff])\x99(?=[a-z])")
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_LEAST_FOREIGN_BYTES = 6
_OTHERS = {
    "cp1251": "Cyrillic",
    "koi8-r": "Cyrillic",
    "cp1253": "Greek",
    "cp1255": "Hebrew",
    "cp1256": "Arabic",
    "cp874": "Thai",
    "cp932": "Japanese",
    "euc-jp": "Japanese",
    "gb18030": "Chinese",
    "big5": "Chinese",
    "cp949": "Korean",
}
_SCRIPTS = {
    "Cyrillic": re.compile("[\u0400-\u04ff]"),
    "Greek": re.compile("[\u0370-\u03ff]"),
    "Hebrew": re.compile("[\u0590-\u05ff]"),
    "Arabic": re.compile("[\u0600-\u06ff]"),
    "Thai": re.compile("[\u0e00-\u0e7f]"),
    "Japanese": re.compile("[\u3040-\u30ff\u4e00-\u9fff]"),
    "Chinese": re.compile("[\u4e00-\u9fff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
}
_MOST_SAMPLES = 200
_NEARLY_ALL = 0.9


@dataclass(slots=True)
class _Evidence:
    valid: int = 0
    invalid: int = 0
    central: int = 0
    turkish: int = 0
    accents: int = 0
    high_bytes: int = 0
    foreign_bytes: int = 0
    foreign: list[bytes] = field(default_factory=list)
    dos_bytes: int = 0
    dos: bytes = b""
    """The first word with letters of DOS."""


def find_encoding(head: bytes, lines: Iterable[bytes]) -> str:
    """Return the name of the codec for a file that begins with `head` and has these lines beyond ASCII.

    Without a mark, text that is not UTF-8 is Windows-1250 if its bytes stand for letters there that are signs in
    Windows-1252, Windows-1254 if they do for Turkish ones, else Windows-1252. A file that is UTF-8 but for a few bytes
    is UTF-8. Raises DoubtError for text that is in none of these.
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
        _take(line, evidence)
    if evidence.invalid <= evidence.valid / 10:
        return "utf-8-sig"
    if evidence.dos and evidence.dos_bytes >= evidence.high_bytes / 2:
        raise DoubtError(_told_as_of_dos(evidence.dos))
    if evidence.foreign_bytes >= max(_LEAST_FOREIGN_BYTES, evidence.high_bytes / 2):
        _refuse_in_doubt(evidence.foreign)
    if evidence.central:
        return "cp1250"
    return "cp1254" if evidence.turkish and not evidence.accents else "cp1252"


def _take(line: bytes, evidence: _Evidence) -> None:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        evidence.invalid += 1
        text = line.decode("cp1252", "replace")
        is_central = not _UNDEFINED_IN_1252.isdisjoint(line)
        evidence.central += is_central or _is_central(text)
        evidence.turkish += not _TURKISH.isdisjoint(text)
        evidence.accents += not _ACCENTS.isdisjoint(text)
        evidence.high_bytes += len(_BEYOND_ASCII.findall(line))
        found = _FOREIGN.findall(line)
        evidence.foreign_bytes += sum(map(len, found))
        if of_dos := _OF_DOS.findall(line):
            evidence.dos_bytes += len(of_dos)
            evidence.dos = evidence.dos or next(word for word in _WORD.findall(line) if _OF_DOS.search(word))
        if found and len(evidence.foreign) < _MOST_SAMPLES:
            evidence.foreign.append(line)
    else:
        evidence.valid += 1


def _told_as_of_dos(word: bytes) -> str:
    dos, windows = word.decode("cp850"), word.decode("cp1252", "replace")
    return (
        f"the text is in no encoding that its bytes tell: a word is {dos!r} with --encoding=cp850 (DOS), or "
        f"{windows!r} with --encoding=cp1252; or save the file as UTF-8"
    )


def _refuse_in_doubt(lines: list[bytes]) -> None:
    """Raise DoubtError if the text may be in another script, with how each likely encoding reads its first word."""
    readings = []
    for name, script in _OTHERS.items():
        with contextlib.suppress(UnicodeDecodeError):
            words = re.findall(r"[^\x00-\x7f]+", "\n".join(line.decode(name) for line in lines))
            if _are_of(words, script):
                readings.append(f"{words[0]!r} ({script}) with --encoding={name}")
    found = _FOREIGN.search(lines[0])
    if readings and found:
        raise DoubtError(
            "the text is in no encoding that its bytes tell: read as Windows-1252 it has "
            f"{found.group().decode('cp1252', 'replace')!r}. It may be {', '.join(readings)}; or save the file as UTF-8"
        )


def _are_of(words: list[str], script: str) -> bool:
    """Return whether nearly all words have letters of a script alone, and capital ones as words have them."""
    text = "".join(words)
    letters = sum(_SCRIPTS[script].match(letter) is not None for letter in text)
    usual = sum(word.islower() or word.isupper() or word.istitle() or word.lower() == word for word in words)
    return letters > len(text) * _NEARLY_ALL and usual > len(words) * _NEARLY_ALL


def _is_central(text: str) -> bool:
    signs = frozenset(text)
    mixed = any(signs & first and signs & second for first, second in _UNLIKELY_TOGETHER)
    return mixed or _SIGN_IN_A_WORD.search(text) is not None
