"""Instants: milliseconds since 1970, and how they are read from input and written as text."""

import math
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
# Later than any plausible number of seconds (the year 5138), earlier than any plausible one of milliseconds (1973).
_MILLISECONDS_FROM = 1e11
# ISO 8601 without any sign between the digits is at most YYYYMMDD; more digits count seconds or milliseconds.
_LONGEST_DATE = 8


def to_millis(instant: datetime) -> int:
    """Whole milliseconds between 1970 and the instant, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """The instant that lies so many milliseconds after 1970."""
    return _EPOCH + timedelta(milliseconds=millis)


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with ``Z``, milliseconds only where there are some."""
    precision = "milliseconds" if instant.microsecond >= 1000 else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def parse_timestamp(value: object) -> datetime:
    """An instant from ISO 8601 text (UTC where it names no zone) or a number of seconds or milliseconds since 1970.

    Raises ValueError with a sentence for the sender.
    """
    if isinstance(value, str) and value.strip().isdigit() and len(value.strip()) > _LONGEST_DATE:
        value = float(value)
    if isinstance(value, str) and value.strip():
        try:
            parsed = datetime.fromisoformat(value.strip())
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                raise ValueError("must be ISO 8601, or a number of seconds or milliseconds since 1970") from None
        else:
            parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
            try:
                return _checked(from_millis(to_millis(parsed)))
            except OverflowError:
                raise ValueError("is outside the range of times that can be stored") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be ISO 8601, or a number of seconds or milliseconds since 1970")
    millis = value if abs(value) >= _MILLISECONDS_FROM else value * 1000
    try:
        return _checked(from_millis(round(millis)))
    except OverflowError:
        raise ValueError("is outside the range of times that can be stored") from None


def _checked(instant: datetime) -> datetime:
    if instant < _EARLIEST:
        raise ValueError("is before 1971")
    return instant


DAY = 86_400_000
"""Milliseconds of a day."""
