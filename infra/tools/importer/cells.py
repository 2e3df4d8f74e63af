"""The values of a file's cells, in the many forms that shops write them."""

import math
import re
from collections.abc import Container
from datetime import date, datetime
from typing import Any

from churn.domain import identifiers
from churn.domain.timestamps import parse_timestamp
from churn.domain.values import truth

# What spreadsheets write for yes and no, besides what means a truth value everywhere.
_YES = frozenset({"1.0", "x"})
_NO = frozenset({"0.0", "none", "null", "nan", "-"})
_CANCELLED = frozenset({"cancelled", "canceled", "cancel", "void", "voided", "refunded", "failed", "declined"})
_WHOLE_NUMBER = re.compile(r"\d+(\.0+)?", re.ASCII)
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+),\d{1,2}")


class BadRowError(ValueError):
    """A row that is no order, event or customer; the text says why."""


class NobodyError(BadRowError):
    """A row whose customer is what tools write where there is none."""

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"customer_id: {customer_id!r} stands for no customer; if it is one, import with --allow-id={customer_id}"
        )
        self.customer_id = customer_id


def clean(value: Any) -> Any:
    """Return a cell without surrounding spaces, or None if it is empty."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def identifier(value: Any, field: str, *, is_whole_number: bool) -> str:
    """Return an identifier in the form that the file has it in; `is_whole_number`: in its column all are.

    Raises BadRowError.
    """
    if value is None:
        raise BadRowError(f"{field}: is required")
    if is_whole_number and isinstance(value, str):
        # Tools that read a column with gaps as floats write 12346 as 12346.0.
        value = value.split(".")[0]
    try:
        identifiers.identifier(value)
        return identifiers.as_sent(value)
    except ValueError as error:
        raise BadRowError(f"{field}: {error}") from None


def customer_identifier(value: Any, *, is_whole_number: bool, allowed: Container[str]) -> str:
    """Return the identifier of a customer. Raises BadRowError, NobodyError if it stands for none."""
    text = identifier(value, "customer_id", is_whole_number=is_whole_number)
    if identifiers.stands_for_nobody(text, allowed):
        raise NobodyError(text)
    return text


def looks_like_a_whole_number(text: str) -> bool:
    """Return whether text writes a whole number, also as a float."""
    return _WHOLE_NUMBER.fullmatch(text) is not None


def number(value: Any, field: str) -> float:
    """Return a number, with or without currency sign, thousands separators or a decimal comma.

    Raises BadRowError.
    """
    if value is None:
        raise BadRowError(f"{field}: is required")
    text = re.sub(r"[\s€$£¥']", "", str(value))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    try:
        parsed = float(text)
    except ValueError:
        raise BadRowError(f"{field}: {value!r:.80} is not a number") from None
    if not math.isfinite(parsed):
        raise BadRowError(f"{field}: {value!r:.80} is not a number")
    return parsed


def items_count(value: Any) -> int | None:
    """Return a number of items, or None if it cannot be read."""
    try:
        return abs(int(float(value))) if value is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def discount(value: Any) -> float | bool:
    """Return the discount's value, or whether there was one; an empty cell means none."""
    if value is None or isinstance(value, bool):
        return bool(value)
    try:
        return abs(number(value, "discount"))
    except BadRowError:
        said = _said(value)
        # A coupon's code is a discount.
        return True if said is None else said


def _said(value: Any) -> bool | None:
    """Return the truth value that a cell means, None if it means none."""
    text = str(value).strip().lower()
    if text in _YES | _NO:
        return text in _YES
    try:
        return truth(text)
    except ValueError:
        return None


def instant(value: Any, field: str, date_format: str | None) -> datetime:
    """Return a time in UTC, read in `date_format` if there is one.

    Raises BadRowError.
    """
    try:
        if value is None:
            raise ValueError("is required")
        if date_format and isinstance(value, str):
            # The zone may be part of the format; without one it is UTC.
            return parse_timestamp(datetime.strptime(value, date_format).isoformat())  # noqa: DTZ007
        if isinstance(value, date):
            return parse_timestamp(value.isoformat())
        text = str(value)
        if text.isdigit() and len(text) == 8:
            return parse_timestamp(f"{text[:4]}-{text[4:6]}-{text[6:]}")
        return parse_timestamp(float(text) if text.isdigit() else value)
    except ValueError as error:
        reason = str(error)
        if isinstance(value, str) and not date_format and "ISO 8601" in reason:
            reason = f"{value!r:.80} is neither ISO 8601 nor YYYYMMDD; name its form with --date-format"
        raise BadRowError(f"{field}: {reason}") from None


def cancellation(value: Any, column: str, placed_at: datetime, date_format: str | None) -> datetime | None:
    """Return when an order was cancelled: None if it was not, and `placed_at` if the cell only says that it was.

    Raises BadRowError.
    """
    if isinstance(value, datetime | date):
        return instant(value, "cancelled", date_format)
    text = str(value if value is not None else "").strip().lower()
    said = True if text in _CANCELLED else _said(text)
    if said is not None:
        return placed_at if said else None
    if "status" in column.lower():
        return None
    try:
        return instant(value, "cancelled", date_format)
    except BadRowError:
        raise BadRowError(f"cancelled: {text!r:.80} is neither yes, no nor a time") from None
