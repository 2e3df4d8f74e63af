"""The one reader of values from outside: numbers, truths and JSON, the same for Kafka, REST, sockets and files.

Each function raises ValueError with a sentence for the sender, and nothing else, whatever it is given.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Never
from unicodedata import category

MAX_AMOUNT = 1e12
"""The largest value of an order, discount or balance, in units of the currency: some have many."""
_NOT_IN_RANGE = f"must be between 0 and {MAX_AMOUNT:,.0f}"
MAX_SUM = 1e15
"""The largest sum of a customer's orders that is stored: what is larger is stored as this."""
MAX_DEPTH = 50
"""Levels of nesting of a JSON value; MySQL's own limit is 100."""

_TRUE = frozenset({"true", "yes", "y", "t", "1", "on"})
_FALSE = frozenset({"false", "no", "n", "f", "0", "off", ""})
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def number(value: object) -> float:
    """Return a finite number, also from text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        # An integer of JSON may have more digits than a float can hold.
        raise ValueError("must be a number" if isinstance(value, str) else "is too large") from None
    if not math.isfinite(result):
        raise ValueError("must be a finite number")
    return result


def amount(value: object) -> float:
    """Return a number from 0 to MAX_AMOUNT, also from text."""
    try:
        result = number(value)
    except ValueError as error:
        if str(error) == "must be a number":
            raise
        raise ValueError(_NOT_IN_RANGE) from None
    if not 0 <= result <= MAX_AMOUNT:
        raise ValueError(_NOT_IN_RANGE)
    return result


def some_text(value: str) -> str:
    """Return a text that says something; ValueError for blanks alone, and for control characters but line breaks."""
    if not value.strip():
        raise ValueError("must not be blank")
    if any(category(character) == "Cc" and character not in "\t\n\r" for character in value):
        raise ValueError("must not hold control characters")
    return value


def line_of_text(value: str) -> str:
    """Return a text of one line without invisible characters and blanks around it; ValueError for any other."""
    if not value.strip():
        raise ValueError("must not be blank")
    if not value.isprintable() or value != value.strip():
        raise ValueError("must not hold invisible characters, nor begin or end with a blank")
    return value


def truth(value: object) -> bool:
    """Return a truth value, also from a number or from text that means one, such as ``"false"`` or ``"0"``."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _TRUE | _FALSE:
            return word in _TRUE
    elif isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ValueError("must be true or false")


def json_value(value: Any, depth: int = 0) -> Any:
    """Return a JSON value that can be stored and shown: lone surrogates are replaced.

    Raises ValueError if it is nested too deeply, or holds a number that is none (1e999 is read as infinity).
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): json_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is too large")
    return value


def numbers_of_json(text: str) -> Any:
    """Return what JSON holds, of which names and numbers are read. Raises ValueError for a number that is none."""
    return json.loads(text, parse_constant=_no_number, parse_float=_number)


def _no_number(word: str) -> Never:
    raise ValueError(f"{word} is no number")


def _number(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits)


def shown_json(text: str) -> Any:
    """Return what stored JSON holds as JSON can show it: a number that is none (Infinity, 1e999) as its text."""
    return json.loads(text, parse_constant=str, parse_float=_finite)


def _finite(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def storable(text: str) -> str:
    """Return the text with its lone surrogates replaced, which UTF-8 has no bytes for."""
    return text if text.isascii() else _LONE_SURROGATE.sub(_REPLACEMENT, text)
