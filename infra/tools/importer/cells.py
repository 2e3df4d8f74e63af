"""The values of a file's cells that are neither numbers nor times: identifiers, discounts, cancellations."""

import math
import re
from collections.abc import Container
from datetime import date, datetime
from typing import Any

from churn.domain import identifiers
from churn.domain.values import truth
from infra.tools.importer.faults import BadRowError, NobodyError
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.times import TimeReader

# What spreadsheets write for yes and no, besides what means a truth value everywhere.
_YES = frozenset({"1.0", "x", "ja", "oui", "s\u00ed", "si", "s\u00ec", "sim", "tak", "wahr", "vrai"})
_NO = frozenset({"0.0", "none", "null", "nan", "-", "nein", "non", "nee", "nie", "n\u00e3o", "nao", "falsch", "faux"})
_WHOLE_NUMBER = re.compile(r"\d+(\.0+)?", re.ASCII)
_LOST_DIGITS = re.compile(r"\d([.,]\d+)?[eE]\+?\d+", re.ASCII)
# What MySQL writes where there is no time.
_NO_TIME = re.compile(r"0000-00-00([ T]00:00(:00(\.0+)?)?)?Z?")
_FORMULA = re.compile(r'="?([^"]*)"?')
_MOST_ITEMS = 10**15
_MARKS = "\ufeff\u200b\u200e\u200f\u2060"


def clean(value: Any) -> Any:
    """Return a cell without surrounding spaces, or None if it is empty."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def unwrapped(value: Any) -> Any:
    """Return an identifier without what spreadsheets wrap around it: ``="007"``, a leading apostrophe, marks."""
    if not isinstance(value, str) or value.isalnum():
        return value
    text = value.strip(_MARKS + " \t\r\n\u00a0")
    if text.startswith("=") and (match := _FORMULA.fullmatch(text)):
        text = match[1]
    elif text.startswith("'") and not text.endswith("'"):
        text = text[1:]
    elif len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text


def identifier(value: Any, field: str, *, is_whole_number: bool, is_table: bool = False) -> str:
    """Return an identifier in the form that the file has it in; `is_whole_number`: in its column all are.

    `is_table`: the file is one, which spreadsheets may have written.

    Raises BadRowError.
    """
    if value is None:
        raise BadRowError(f"{field}: is required")
    if isinstance(value, str):
        if value.isascii() and value.isalnum() and len(value) <= identifiers.MAX_ID_LENGTH and "E" not in value.upper():
            # Most are so, and nothing can be wrong with them.
            return value
        value = unwrapped(value) if is_table else value
        if is_whole_number:
            # Tools that read a column with gaps as floats write 12346 as 12346.0.
            value = value.split(".")[0]
        elif _LOST_DIGITS.fullmatch(value):
            raise BadRowError(
                f"{field}: {value!r:.80} is a number that lost its digits in a spreadsheet: export it as text"
            )
    try:
        identifiers.identifier(value)
        return identifiers.as_sent(value)
    except ValueError as error:
        raise BadRowError(f"{field}: {error}") from None


def customer_identifier(value: Any, *, is_whole_number: bool, allowed: Container[str], is_table: bool = False) -> str:
    """Return the identifier of a customer. Raises BadRowError, NobodyError if it stands for none."""
    text = identifier(value, "customer_id", is_whole_number=is_whole_number, is_table=is_table)
    if identifiers.stands_for_nobody(text, allowed):
        raise NobodyError(text)
    return text


def looks_like_a_whole_number(text: str) -> bool:
    """Return whether text writes a whole number, also as a float."""
    return text.isdigit() or _WHOLE_NUMBER.fullmatch(text) is not None


def items_count(value: Any) -> int | None:
    """Return a number of items, or None if it cannot be read."""
    try:
        count = abs(int(float(value))) if value is not None else None
    except (TypeError, ValueError, OverflowError):
        return None
    return count if count is None or count <= _MOST_ITEMS else None


def is_below_0(value: Any) -> bool:
    """Return whether a quantity is below 0."""
    if isinstance(value, str):
        return value.startswith(("-", "\u2212"))
    return isinstance(value, int | float) and value < 0


def discount(value: Any, number: NumberReader) -> float | bool:
    """Return the discount's value, or whether there was one; an empty cell means none."""
    if value is None or isinstance(value, bool):
        return bool(value)
    try:
        return abs(number(value))
    except BadRowError:
        meant = said(value)
        # A coupon's code is a discount.
        return True if meant is None else meant


def paid_back(value: Any, number: NumberReader, of: float | None) -> float:
    """Return what was paid back of a value: where a cell says whether in place of how much, all or nothing.

    Raises BadRowError.
    """
    if value is None or isinstance(value, bool):
        return abs(of or 0.0) if value else 0.0
    try:
        return abs(number(value))
    except BadRowError:
        meant = said(value)
        if meant is None:
            raise
        return abs(of or 0.0) if meant else 0.0


def said(value: Any) -> bool | None:
    """Return the truth value that a cell means, None if it means none."""
    text = str(value).strip().lower()
    if text in _YES | _NO:
        return text in _YES
    try:
        return truth(text)
    except ValueError:
        return None


def cancellation(value: Any, placed_at: int, time: TimeReader) -> int | None:
    """Return when an order was cancelled: None if it was not, and `placed_at` if the cell only says that it was.

    Instants in milliseconds since 1970. Raises BadRowError.
    """
    if isinstance(value, datetime | date):
        return time(value)
    meant = said(value if value is not None else "")
    if isinstance(value, str) and _NO_TIME.fullmatch(value):
        return None
    if meant is not None:
        return placed_at if meant else None
    try:
        return time(value)
    except BadRowError:
        raise BadRowError(f"cancelled: {str(value)!r:.80} is neither yes, no, a status nor a time") from None
