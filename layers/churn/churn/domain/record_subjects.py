"""Whom a record is about that is no event: needed to erase it with its customer."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from churn.domain.identifiers import identifier
from churn.domain.values import storable

_ID_FIELDS = ("customer_id", "user_id")
# A zero byte and a schema id of four before the JSON, in Confluent's wire format.
_WIRE_PREFIX = 5
# In what is no JSON (cut short, or another format): the field's name, and what follows it.
_NAMED = re.compile(
    rf"(?:{'|'.join(_ID_FIELDS)})[\"']?\s*[:=]\s*(?:\"((?:[^\"\\]|\\.)*)\"?|'([^']*)'?|([^\s,;\"'}}\]]+))"
)
_WORD = re.compile(r"[^\s,;:|=\"'(){}\[\]<>]+")
# Characters of what cannot be parsed in which words are looked for.
_LOOKED_AT = 1000
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)")


@dataclass(frozen=True, slots=True)
class Person:
    """What tells that a record is about a customer: the id; or name, e-mail and phone where it names nobody."""

    customer_id: str
    details: frozenset[str]


def customers_named(key: bytes | None, value: bytes | None) -> list[str]:
    """Return the ids of customers that a record names: those of its value first, and then its key."""
    return list(dict.fromkeys(name for name in (*_ids_of(value), _identifier(_text(key))) if name))


def customer_of(value: bytes | None) -> str | None:
    """Return the id of the customer whom the value of a record names, None if it names nobody."""
    return next(iter(_ids_of(value)), None)


def customers_perhaps_named(key: bytes | None, value: bytes | None) -> list[str]:
    """Return the ids that a record names, and of what cannot be parsed each of the first words: it may be one."""
    words = _WORD.findall(_text(value)[:_LOOKED_AT]) if _parsed(value) is None else []
    return list(dict.fromkeys((*customers_named(key, value), *filter(None, map(_identifier, words)))))


def is_about(person: Person, key: bytes | None, value: bytes | None) -> bool:
    """Return whether a record names the customer, or names nobody and holds one of the customer's details.

    What cannot be parsed is searched as text, for whole words alone: an id that is a part of another is not found.
    """
    named = customers_named(key, value)
    if person.customer_id in named:
        return True
    content = _parsed(value)
    if content is not None:
        texts = {text.strip() for text in _texts(content)}
        return not _ids(content) and not texts.isdisjoint({person.customer_id, *person.details})
    text = _text(value)
    return any(_has_word(text, word) for word in (person.customer_id, *person.details))


def _parsed(value: bytes | None) -> Any | None:
    """Return the JSON of a record, also from within a text or behind the prefix of a schema; None if there is none."""
    for raw in (value, (value or b"")[_WIRE_PREFIX:]) if (value or b"").startswith(b"\0") else (value,):
        content: Any = raw or b""
        try:
            while isinstance(content, bytes | str):
                content = json.loads(content)
        except (ValueError, RecursionError):
            continue
        return content
    return None


def _ids_of(value: bytes | None) -> list[str]:
    content = _parsed(value)
    return _ids_in_text(_text(value)) if content is None else _ids(content)


def _ids(content: Any) -> list[str]:
    fields = (part.get(field) for part in _walk(content) if isinstance(part, dict) for field in _ID_FIELDS)
    return [name for field in fields if (name := _identifier(field))]


def _ids_in_text(text: str) -> list[str]:
    found = (_unescaped(match[1] or match[2] or match[3] or "") for match in _NAMED.finditer(text))
    return [name for word in found if (name := _identifier(word))]


def _texts(content: Any) -> Iterator[str]:
    return (part for part in _walk(content) if isinstance(part, str))


def _walk(content: Any) -> Iterator[Any]:
    """Yield every part of a JSON value, without recursion: it may be nested deeply."""
    parts = [content]
    while parts:
        part = parts.pop()
        yield part
        if isinstance(part, dict):
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def _unescaped(text: str) -> str:
    return storable(_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text))


def _has_word(text: str, word: str) -> bool:
    pattern = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
    return any(re.search(pattern, form) for form in (text, _unescaped(text)))


def _identifier(value: object) -> str:
    """Return the identifier that a value of the record is, empty if it is none."""
    try:
        return identifier(storable(value) if isinstance(value, str) else value)
    except ValueError:
        return ""
