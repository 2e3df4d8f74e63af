"""Whom a record is about that is no event: needed to erase it with its customer.

The ids that a record may name are found in one way (`customers_perhaps_named`), whether it was stored before its
customer was erased or comes later. While the customer is being erased, their e-mail, phone and name are known as well.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from churn.domain.events import EVENT_TYPES
from churn.domain.identifiers import identifier
from churn.domain.record_contents import from_address, is_plain, parsed, texts_of, unescaped
from churn.domain.values import storable

# Ids that are looked at of a record that names its customer in no field.
_MOST_NAMES = 2000
_ID_FIELD = re.compile(r"(?:customer|user)_?id", re.IGNORECASE)
# In what is no JSON (cut short, or another format): the field's name, and what follows it.
_NAMED = re.compile(
    rf"{_ID_FIELD.pattern}[\"']?\s*[:=]\s*(?:\"((?:[^\"\\]|\\.)*)\"?|'([^']*)'?|([^\s,;&\"'}}\]]+))", re.IGNORECASE
)
# Fields in which even a short number is somebody.
_OF_SOMEBODY = re.compile(r"id|.*(?:customer|user|client|account|member|buyer|contact).*", re.IGNORECASE)
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
_WORD = re.compile(r"[^\s,;:|=&?\"'(){}\[\]<>]+")
# What stands in records of anybody: a number of a few digits, or an amount.
_SMALL_NUMBER = re.compile(r"[+-]?\d{1,4}|[+-]?\d+[.,]\d+")
_LEAST_ID, _LEAST_NAME, _LEAST_DIGITS = 3, 6, 6


@dataclass(frozen=True)
class Person:
    """What tells that a record is about a customer: the id, and the names, e-mails and phones that the customer had."""

    customer_id: str
    details: frozenset[str]

    @cached_property
    def contacts(self) -> re.Pattern[str] | None:
        """What finds an e-mail or a phone, which belong to one person."""
        return _any_of(filter(None, (_email(one) or _phone(one) for one in self.details)))

    @cached_property
    def names(self) -> re.Pattern[str] | None:
        """What finds a full name, or one that is long and no word of events."""
        return _any_of(_name(one) for one in self.details if not (_email(one) or _phone(one)) and _is_telling(one))


@dataclass(slots=True)
class _Reading:
    """What was read of a key or a value: ids of its fields for them, what else may be an id, and every text."""

    ids: dict[str, None] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def add_id(self, value: object) -> None:
        if name := _identifier(value):
            self.ids[name] = None

    def add_other(self, value: object) -> None:
        if len(self.others) < _MOST_NAMES and (name := _identifier(value)):
            self.others[name] = None


def customers_named(key: bytes | None, value: bytes | None) -> list[str]:
    """Return the ids of customers that the fields of a record name, and what its key is."""
    return list(_read(value).ids | _read_key(key).ids)


def customer_of(value: bytes | None) -> str | None:
    """Return the id of the customer whom a record names that can be searched as it stands, None for any other."""
    return next(iter(_read(value).ids), None) if is_plain(value) else None


def customers_perhaps_named(key: bytes | None, value: bytes | None) -> list[str]:
    """Return the ids that a record names, or where no field of it names any, whatever in it may be an id.

    That is every value of JSON, and of what cannot be parsed each line, cell and word. What stands in anybody's records
    (a number of a few digits, a type of event) is one only in a field for persons, or first in a line.
    """
    return _names(_read_key(key), _read(value))


def is_about(person: Person, key: bytes | None, value: bytes | None) -> bool:
    """Return whether a record may name the customer, or holds an e-mail or phone of theirs.

    A name tells it only where no field names a customer: two people may share it.
    """
    of_key, of_value = _read_key(key), _read(value)
    if person.customer_id in _names(of_key, of_value):
        return True
    patterns = (person.contacts, None if of_value.ids else person.names)
    if not any(patterns):
        return False
    text = _folded("\n".join((*of_key.texts, *of_value.texts)))
    return any(pattern.search(text) for pattern in patterns if pattern)


def _names(of_key: _Reading, of_value: _Reading) -> list[str]:
    others = {} if of_value.ids else of_value.others | of_key.others
    return list(of_value.ids | of_key.ids | others)


def _read_key(raw: bytes | None) -> _Reading:
    """Read a key as a value is read; a key that is one word or number is an id itself."""
    reading = _read(raw)
    for text in texts_of(raw):
        content = parsed(text)
        reading.add_id(text if content is None else content)
    return reading


def _read(raw: bytes | None) -> _Reading:
    reading = _Reading()
    texts = [*texts_of(raw)]
    contents = [content for text in texts if (content := parsed(text)) is not None]
    for content in contents:
        _add_json(reading, content)
    if not contents:
        for text in texts:
            _add_text(reading, text)
    return reading


def _add_json(reading: _Reading, content: Any) -> None:
    """Add every part of a JSON value, without recursion: it may be nested deeply."""
    parts: list[tuple[str, Any]] = [("id", content)]
    while parts:
        name, part = parts.pop()
        if isinstance(part, dict):
            # A key may be an id as well, unless it is a word of events.
            reading.texts += part
            for key in part:
                _add_other(reading, key, is_first=False)
            parts.extend(reversed(part.items()))
        elif isinstance(part, list):
            parts.extend((name, item) for item in reversed(part))
        elif isinstance(part, str) and part.lstrip()[:1] in {"{", "[", '"'} and (inner := parsed(part)) is not None:
            parts.append((name, inner))
        elif part is not None and not isinstance(part, bool):
            reading.texts.append(str(part))
            if _ID_FIELD.fullmatch(name):
                reading.add_id(part)
            else:
                _add_other(reading, part, is_first=_OF_SOMEBODY.fullmatch(name) is not None)


def _add_text(reading: _Reading, text: str) -> None:
    """Add what cannot be parsed: JSON that was cut, a line of a table, or words."""
    plain = unescaped(text) if "\\" in text else text
    # JSON within the text of JSON has its escapes twice.
    forms = [*dict.fromkeys((text, plain, unescaped(plain)))]
    reading.texts += forms
    for form in forms:
        named = [*_NAMED.finditer(form)]
        for match in named:
            reading.add_id(_bare(match[3]) if match[3] else unescaped(match[1] or match[2] or ""))
        if named:
            return
    for line in text.splitlines():
        for is_first, word in _words(line):
            if len(reading.others) >= _MOST_NAMES:
                return
            _add_other(reading, word, is_first=is_first)


def _words(line: str) -> Iterator[tuple[bool, str]]:
    """Yield what may be an id in a line, and whether it stands first: the whole, its cells, and its words."""
    yield True, line
    for separators in (r"[;|\t]", r"[,;|\t]"):
        for place, cell in enumerate(re.split(separators, line)):
            yield place == 0, cell.strip(" \"'")
    for pattern in (_QUOTED, _WORD):
        for place, match in enumerate(pattern.finditer(line)):
            yield place == 0 and match.start() == 0, unescaped(match[pattern.groups])


def _add_other(reading: _Reading, value: object, *, is_first: bool) -> None:
    name = _identifier(value)
    is_anybodys = len(name) < _LEAST_ID or name.casefold() in EVENT_TYPES or _SMALL_NUMBER.fullmatch(name)
    if is_first or not is_anybodys:
        reading.add_other(name)


def _bare(word: str) -> object:
    """Return what stands without quotation marks: a number of JSON, or a part of an address."""
    content = parsed(word)
    return content if isinstance(content, int | float) and not isinstance(content, bool) else from_address(word)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    whole = "|".join(sorted(patterns))
    return re.compile(whole) if whole else None


def _email(detail: str) -> str:
    return rf"(?<![\w.+-]){re.escape(_folded(detail))}(?![\w-]|\.\w)" if "@" in detail.strip("@") else ""


def _phone(detail: str) -> str:
    """Return what finds a phone by its digits, however they are set apart, with 00, + or nothing before them."""
    digits = re.sub(r"\D", "", detail).lstrip("0")
    if len(digits) < _LEAST_DIGITS or any(character.isalpha() for character in detail):
        return ""
    return rf"(?<!\d)0{{0,2}}{r'[ ().\-/]{0,3}'.join(digits)}(?!\d)"


def _name(detail: str) -> str:
    return rf"(?<!\w){r'\s+'.join(map(re.escape, _folded(detail).split()))}(?!\w)"


def _is_telling(name: str) -> bool:
    words = _folded(name).split()
    return len(words) > 1 or (len("".join(words)) >= _LEAST_NAME and words[0] not in EVENT_TYPES)


def _folded(text: str) -> str:
    """Return text as it is compared: without cases, in one Unicode form, its blanks alike."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return re.sub(r"[^\S\n]", " ", plain)


def _identifier(value: object) -> str:
    """Return the identifier that a value of the record is, empty if it is none."""
    try:
        return identifier(storable(value) if isinstance(value, str) else value)
    except ValueError:
        return ""
