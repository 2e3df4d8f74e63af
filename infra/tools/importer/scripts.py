"""Digits of other scripts, which stand for those of ASCII, and marks of the direction in which a text is read."""

import re
import unicodedata

DIRECTION_MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_MARKS = re.compile(f"[{DIRECTION_MARKS}]")
# "Before noon" and "after noon" in Arabic, behind a time of day.
_NOON = re.compile("(?<=\\d)\\s*([\u0635\u0645])(?!\\w)")
_NAMES = {"\u0635": " AM", "\u0645": " PM"}
# What divides the parts of a time: the Arabic comma, and signs of full width.
_SIGNS = str.maketrans("\u060c\uff0c\uff1a\uff0f\uff0d\uff0e", ",,:/-.")


def with_ascii_digits(text: str) -> str:
    """Return a text with the decimal digits of any script as those of ASCII."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def plain_time(text: str) -> str:
    """Return a text that writes a time with digits, commas and the halves of a day as in ASCII."""
    if text.isascii():
        return text
    plain = with_ascii_digits(_MARKS.sub("", text)).translate(_SIGNS)
    return _NOON.sub(lambda match: _NAMES[match[1]], plain)
