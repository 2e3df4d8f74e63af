"""Instants: milliseconds since 1970, and how they are read from input and written as text."""

from datetime import UTC, datetime, timedelta

from churn.domain.values import number

DAY = 86_400_000
"""Milliseconds of a day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
# Later than any plausible number of seconds (the year 5138), earlier than any plausible one of milliseconds (1973).
_MILLISECONDS_FROM = 1e11
# Earlier than any plausible number of microseconds (1973), later than any plausible one of milliseconds (5138).
_MICROSECONDS_FROM = 1e14
# ISO 8601 without any sign between the digits is at most YYYYMMDD; more digits count seconds or milliseconds.
_LONGEST_DATE = 8
_NO_TIMESTAMP = "must be ISO 8601, or a number of seconds or milliseconds since 1970"
_OUT_OF_RANGE = "is outside the range of times that can be stored"


def to_millis(instant: datetime) -> int:
    """Return the whole milliseconds between 1970 and the instant, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the instant that lies so many milliseconds after 1970."""
    return _EPOCH + timedelta(milliseconds=millis)


def iso(instant: datetime) -> str:
    """Return ISO 8601 in UTC with ``Z``, with milliseconds only if there are some."""
    precision = "milliseconds" if instant.microsecond >= 1000 else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def parse_timestamp(value: object) -> datetime:
    """Return an instant from ISO 8601 text (UTC where it names no zone) or seconds or milliseconds since 1970.

    Raises ValueError with a sentence for the sender.
    """
    if isinstance(value, str):
        value = _parse_text(value.strip())
    if isinstance(value, datetime):
        return _checked(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(_NO_TIMESTAMP)
    try:
        count = number(value)
    except ValueError:
        raise ValueError(_OUT_OF_RANGE if isinstance(value, int) else _NO_TIMESTAMP) from None
    if abs(count) >= _MICROSECONDS_FROM:
        raise ValueError("counts microseconds or smaller: give seconds or milliseconds since 1970")
    try:
        return _checked(from_millis(round(count if abs(count) >= _MILLISECONDS_FROM else count * 1000)))
    except OverflowError:
        raise ValueError(_OUT_OF_RANGE) from None


def _parse_text(text: str) -> datetime | float:
    """Return the instant that a text writes in ISO 8601, else the number that it writes. Raises ValueError."""
    if not (text.isdigit() and len(text) > _LONGEST_DATE):
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            try:
                return from_millis(to_millis(parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed))
            except OverflowError:
                raise ValueError(_OUT_OF_RANGE) from None
    try:
        return float(text)
    except ValueError:
        raise ValueError(_NO_TIMESTAMP) from None


def _checked(instant: datetime) -> datetime:
    if instant < _EARLIEST:
        raise ValueError("is before 1971")
    return instant
