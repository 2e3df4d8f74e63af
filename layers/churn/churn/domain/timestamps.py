"""Instants: milliseconds since 1970, and how they are read from input and written as text."""

import re
from datetime import UTC, date, datetime, timedelta

from churn.domain.values import number

DAY = 86_400_000
"""Milliseconds of a day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Up to here (the year 2100) a float of seconds is exact to less than half a microsecond.
_EXACT_UNTIL = 4_102_444_800_000
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
# Later than any plausible number of seconds (the year 5138), earlier than any plausible one of milliseconds (1973).
_MILLISECONDS_FROM = 1e11
# Earlier than any plausible number of microseconds (1973), later than any plausible one of milliseconds (5138).
_MICROSECONDS_FROM = 1e14
# ISO 8601 without any sign between the digits is at most YYYYMMDD; more digits count seconds or milliseconds.
_LONGEST_DATE = 8
# A week of ISO 8601 without a day.
_WEEK = re.compile(r"\d{4}-?W\d{2}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NO_DAY = "must be a day such as 2026-01-31"
_NO_TIMESTAMP = "must be ISO 8601, or a number of seconds or milliseconds since 1970"
TOO_EARLY = f"is before {_EARLIEST.year}"
OUT_OF_RANGE = "is outside the range of times that can be stored"


def to_millis(instant: datetime) -> int:
    """Return the whole milliseconds between 1970 and the instant, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the instant that lies so many milliseconds after 1970."""
    if 0 <= millis < _EXACT_UNTIL:
        # The same in a fifth of the time.
        return datetime.fromtimestamp(millis / 1000, UTC)
    return _EPOCH + timedelta(milliseconds=millis)


def to_micros(instant: datetime) -> int:
    """Return the microseconds between 1970 and the instant."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the instant that lies so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def micros_text(instant: datetime) -> str:
    """Return an instant as SQL compares it with a column of microseconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def iso_micros(instant: datetime) -> str:
    """Return ISO 8601 in UTC with ``Z`` and six digits of a second, as the times of alerts are told and read."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of the hour (UTC) of an instant."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def iso(instant: datetime) -> str:
    """Return ISO 8601 in UTC with ``Z``, with milliseconds only if there are some."""
    precision = "milliseconds" if instant.microsecond >= 1000 else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def parse_timestamp(value: object) -> datetime:
    """Return an instant from ISO 8601 text (UTC where it names no zone) or seconds or milliseconds since 1970.

    What is smaller than a millisecond is dropped. Raises ValueError with a sentence for the sender.
    """
    return _parse(value, is_exact=False)


def parse_exact_timestamp(value: object) -> datetime:
    """Return an instant as `parse_timestamp` does, to the microsecond, as the times of alerts are told.

    Raises ValueError with a sentence for the sender.
    """
    return _parse(value, is_exact=True)


def parse_end(value: object) -> datetime:
    """Return an instant as `parse_timestamp` does, and of a day, or of a week of ISO 8601, its last millisecond.

    Raises ValueError with a sentence for the sender.
    """
    instant = parse_timestamp(value)
    day = _date_of(value.strip()) if isinstance(value, str) else None
    if day is None:
        return instant
    try:
        last = day + timedelta(days=6) if _WEEK.fullmatch(str(value).strip()) else day
    except OverflowError:
        raise ValueError(OUT_OF_RANGE) from None
    # The last day that there is has no next one to reckon from.
    return datetime(last.year, last.month, last.day, 23, 59, 59, 999_000, tzinfo=UTC)


def parse_day(value: object) -> date:
    """Return the day that a text writes as 2026-01-31. Raises ValueError with a sentence for the sender."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError(_NO_DAY)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(_NO_DAY) from None


def _date_of(text: str) -> date | None:
    """Return the date that a text writes without a time of day, in any form of ISO 8601 that instants have."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        # Eight digits that are no date are seconds.
        return None


def _parse(value: object, *, is_exact: bool) -> datetime:
    if isinstance(value, str):
        value = _parse_text(value.strip(), is_exact=is_exact)
    if isinstance(value, datetime):
        return _checked(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(_NO_TIMESTAMP)
    try:
        count = number(value)
    except ValueError:
        raise ValueError(OUT_OF_RANGE if isinstance(value, int) else _NO_TIMESTAMP) from None
    if abs(count) >= _MICROSECONDS_FROM:
        raise ValueError("counts microseconds or smaller: give seconds or milliseconds since 1970")
    millis = count if abs(count) >= _MILLISECONDS_FROM else count * 1000
    try:
        return _checked(from_micros(round(millis * 1000)) if is_exact else from_millis(round(millis)))
    except OverflowError:
        raise ValueError(OUT_OF_RANGE) from None


def _parse_text(text: str, *, is_exact: bool) -> datetime | float:
    """Return the instant that a text writes in ISO 8601, else the number that it writes. Raises ValueError."""
    if not (text.isdigit() and len(text) > _LONGEST_DATE):
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            try:
                aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
                return aware.astimezone(UTC) if is_exact else from_millis(to_millis(aware))
            except OverflowError:
                raise ValueError(OUT_OF_RANGE) from None
    try:
        return float(text)
    except ValueError:
        raise ValueError(_NO_TIMESTAMP) from None


def _checked(instant: datetime) -> datetime:
    if instant < _EARLIEST:
        raise ValueError(TOO_EARLY)
    return instant
