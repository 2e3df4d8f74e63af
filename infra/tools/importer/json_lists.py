"""The list that an object of JSON is made around: pages of APIs, such as ``{"object": "list", "data": [...]}``."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.tables import IsHeader

type Keys = tuple[str, ...]

# Names of lists of records, the likeliest first.
_LISTS = (
    *("orders", "transactions", "payments", "events", "customers", "edges", "nodes", "data", "results", "records"),
    *("rows", "items"),
)
# A record of a shop may have lists of such names, too.
_ALSO_OF_RECORDS = frozenset({"transactions", "payments", "events", "items"})
# What stands beside a list in a page of an API, as letters in lower case.
_OF_PAGES = re.compile(
    r"(next|prev|previous|first|last|current|total|has|per|num|page|paging|count|meta|links?|cursor|offset|limit|from|to|"
    r"size|start|end|status|success|ok|code|message|errors?|object|url|path|version|api|request|extensions|cost).*"
)
_SPACE = re.compile(r"[\s,]*")
_BLANK = re.compile(r"\s*")
_DECODER = json.JSONDecoder()
DEEPEST = 4
"""Keys lead to a list that is no deeper within objects."""
# Of names before this one in `_LISTS` it is sure what they are of.
_SURE_NAMES = _LISTS.index("edges")


@dataclass(slots=True)
class _Outline:
    """Where an object, as far as it is known, has lists of objects, an empty list, and other values."""

    lists: list[Keys] = field(default_factory=list)
    empty: list[Keys] = field(default_factory=list)
    others: list[Keys] = field(default_factory=list)


def list_within(text: str, is_header: IsHeader) -> Keys | None:
    """Return the keys that lead to the list that an object is made around; None if the object itself is a record.

    `text`: the beginning of the file, with an object or a part of one; `is_header`: whether names are of a record.
    """
    outline = _Outline()
    if text.startswith("{"):
        # It may go on behind what was read of the file.
        with suppress(ValueError, IndexError, RecursionError):
            _walk(text, 1, (), outline)
    found = min(outline.lists, key=_rank, default=None)
    if found is None:
        # A page without any order.
        return next((keys for keys in outline.empty if len(keys) == 1 and keys[0] in _LISTS), None)
    beside = [keys for keys in outline.others if not any(map(_is_of_pages, keys))]
    if not beside:
        return found
    is_named = found[-1].casefold() in _LISTS and found[-1] not in _ALSO_OF_RECORDS
    return found if is_named and not is_header([in_words(keys) for keys in outline.others]) else None


def likeliest_list(lists: Mapping[Keys, int], are_records: Mapping[Keys, bool]) -> Keys | None:
    """Return the keys to the list that has the records; `are_records`: whether the names of its first one say so."""

    def rank(keys: Keys) -> tuple[int, bool, tuple[int, int], int]:
        by_name = _rank(keys)
        return min(by_name[0], _SURE_NAMES), not are_records[keys], by_name, -lists[keys]

    return min(lists, key=rank, default=None)


def named_list(lists: Mapping[Keys, int], name: str) -> Keys:
    """Return the keys to the list of a name. Raises UnreadableFileError if there is none."""
    found = [keys for keys in lists if name == in_words(keys)] or [keys for keys in lists if name == keys[-1]]
    if not found:
        there = f"; its lists: {told_lists(lists)}" if lists else ", and no list of objects"
        raise UnreadableFileError(f"the file has no list {name!r}{there}")
    return found[0]


def told_lists(lists: Mapping[Keys, int]) -> str:
    """Return the names of lists with the number of their entries."""
    return ", ".join(
        f"{in_words(keys)!r} ({count:,} {'entry' if count == 1 else 'entries'})" for keys, count in lists.items()
    )


def _rank(keys: Keys) -> tuple[int, int]:
    names = [_LISTS.index(key.casefold()) for key in keys if key.casefold() in _LISTS]
    return min(names, default=len(_LISTS)), len(keys)


def _is_of_pages(key: str) -> bool:
    return _OF_PAGES.fullmatch("".join(filter(str.isalpha, key.casefold()))) is not None


def _walk(text: str, at: int, keys: Keys, outline: _Outline) -> int:
    """Note what an object has from a place on; return the place behind it. Raises ValueError or IndexError."""
    while text[at := _behind(_SPACE, text, at)] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _behind(_BLANK, text, at)
        if text[at] != ":" or not isinstance(key, str):
            raise ValueError("is not JSON")
        at, here = _behind(_BLANK, text, at + 1), (*keys, key)
        if text[at] == "{" and len(here) < DEEPEST:
            at = _walk(text, at + 1, here, outline)
            continue
        outline_of = outline.others
        if text[at] == "[":
            begin = text[_behind(_BLANK, text, at + 1)]
            outline_of = outline.lists if begin == "{" else outline.empty if begin == "]" else outline.others
        outline_of.append(here)
        _, at = _DECODER.raw_decode(text, at)
    return at + 1


def _behind(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def unwrapped(values: object) -> object:
    """Return the record within an edge of GraphQL, anything else as it is."""
    if isinstance(values, dict) and isinstance(values.get("node"), dict) and values.keys() <= {"node", "cursor"}:
        return values["node"]
    return values


def in_words(keys: Sequence[str]) -> str:
    """Return the keys to a list as one name."""
    return ".".join(keys)
