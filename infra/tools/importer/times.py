"""Times as shops write them: the order of day and month is decided by a whole column."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from churn.domain.timestamps import OUT_OF_RANGE, TOO_EARLY, from_millis, parse_timestamp, to_millis
from infra.tools.importer.faults import BadRowError, DoubtError, ImplausibleTimeError
from infra.tools.importer.scripts import plain_time

type DateOrder = Literal["dmy", "mdy"]

_ISO = re.compile(r"\d{4}-(?!\d{1,2}-\d(?!\d)|\d-)", re.ASCII)
# A clock behind such a date that is not one of ISO 8601, where 10.30 would be a part of an hour.
_OTHER_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}[T\s,]+(?:\d{1,2}[.,h]\d|\d:\d|.*[AaPp]\.?\s?[Mm]\.?$)", re.ASCII)
_ISO_COLUMN = re.compile(r"(?:\d{4}-[^\n]*\n)*", re.ASCII)
_CLOCKS = {
    re.compile(r" \d\d?:\d\d"): " %H:%M",
    re.compile(r" \d\d?:\d\d:\d\d"): " %H:%M:%S",
    re.compile(r"T\d\d:\d\d:\d\d"): "T%H:%M:%S",
}
_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?!\d)", re.ASCII)
_WEEKDAY = re.compile(r"[^\W\d]{2,12}\.?,?\s+(?=\d)|[^\W\d]{2,12}\.?,\s+|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+(?=[A-Z])")
_DAY_MONTH = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|\.|º)?[\s-]*(?:de\s+)?([^\W\d]{3,12})\.?[,\s-]*(?:de\s+)?(\d{4}|\d{2})(?!\d)"
)
_MONTH_DAY = re.compile(r"([^\W\d]{3,12})\.?[\s-]*(\d{1,2})(?:st|nd|rd|th)?[,\s-]+(\d{4}|\d{2})(?!\d)")
_CLOCK = re.compile(
    r"[T,\s]*(?:at\s+|um\s+|à\s+)?(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?\s*(?:[Uu]hr|hr?s\.?(?=\s|$))?\s*"
    r"([AaPp])?(?(5)\.?\s?[Mm]\.?)\s*(.*)",
    re.ASCII | re.DOTALL,
)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2}):?(\d{2})?", re.ASCII)
_NAME_BEHIND = re.compile(r"(?<=\d)\s*\([^()]*\)\s*$")
_ZONE_BEHIND = re.compile(r"(.*\d) ([A-Z][A-Za-z]+/[A-Za-z_/]+|[A-Z]{3,4})", re.ASCII)
_BEFORE_ZONE = re.compile(r"(?<=\d)\s+(?=[+-]\d{2}:?\d{2}$)", re.ASCII)
_COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%f"}
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier janv enero ene gennaio gen januari janeiro stycznia styczen sty",
            "feb february februar février févr fevrier fev febrero febbraio februari fevereiro lutego luty lut",
            "mar march märz mär mrz mars marzo maart mrt março marco marca marzec",
            "apr april avril avr abril abr aprile kwietnia kwiecien kwi",
            "may mai mayo maggio mag mei maio maja maj",
            "jun june juni juin junio giugno giu junho czerwca czerwiec cze",
            "jul july juli juillet juil julio luglio lug julho lipca lipiec lip",
            "aug august août aout agosto ago augustus sierpnia sierpien sie",
            "sep sept september septembre septiembre settembre set setembro września wrzesnia wrzesien wrz",
            "oct october oktober okt octobre octubre ottobre ott outubro out października pazdziernika paz",
            "nov november novembre noviembre novembro listopada listopad lis",
            "dec december dezember dez décembre decembre déc diciembre dic dicembre dezembro grudnia grudzien gru",
        ),
        1,
    )
    for name in names.split()
}
_ZONES = {
    "": 0,
    "z": 0,
    "utc": 0,
    "gmt": 0,
    "(utc)": 0,
    "wet": 0,
    "bst": 1,
    "west": 1,
    "cet": 1,
    "mez": 1,
    "cest": 2,
    "mesz": 2,
    "eet": 2,
    "eest": 3,
    "msk": 3,
    "jst": 9,
    "aest": 10,
    "aedt": 11,
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "akst": -9,
    "hst": -10,
}
_ZONE_NAMES = {
    "eastern time (us & canada)": "America/New_York",
    "central time (us & canada)": "America/Chicago",
    "mountain time (us & canada)": "America/Denver",
    "pacific time (us & canada)": "America/Los_Angeles",
}
# A day in Excel counts from here; its counts of days lie between (the years 1954 and 2119).
_EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_EXCEL_DAYS = (20_000, 80_000)
_MICROSECONDS_FROM = 1e14
_NANOSECONDS_FROM = 1e17
_LATEST_COMPACT = 2100
_FIRST_YEAR = 1971
# So many characters has ISO 8601 up to the second.
_SECONDS = 19
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_MILLISECOND = timedelta(milliseconds=1)
_PLAUSIBLE_FROM = to_millis(datetime(_FIRST_YEAR + 1, 1, 1, tzinfo=UTC))


@dataclass(slots=True)
class TimeSurvey:
    """What the texts of one column say about the order of day and month; a text for each thing that was seen."""

    column: str
    day_first: str = ""
    month_first: str = ""
    unclear: str = ""
    _seen: set[str] = field(default_factory=set)
    _years_last: bool = False
    """Whether a date was seen that cannot begin with a year of two digits."""
    _firsts: dict[int, str] = field(default_factory=dict)
    _lasts: set[int] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Take a text of the column."""
        plain = plain_time(text)
        day = plain[:10]
        if day in self._seen or _ISO.match(day):
            return
        if len(self._seen) < 100_000:
            self._seen.add(day)
        match = _DATE.match(plain)
        if match is None:
            return
        first, second = int(match[1]), int(match[3])
        if len(match[4]) == 4 or second > 12 or first <= 12 or int(match[4]) > 31:
            self._years_last = True
        elif not self._years_last:
            self._firsts.setdefault(first, text)
            self._lasts.add(int(match[4]))
        if first > 12 >= second:
            self.day_first = self.day_first or text
        elif second > 12 >= first:
            self.month_first = self.month_first or text
        elif first != second:
            if match[2] == ".":
                # Only where the day stands first do points divide a date.
                self.day_first = self.day_first or text
            self.unclear = self.unclear or text

    def add_column(self, texts: Sequence[str]) -> None:
        """Take many texts of the column, also empty ones."""
        if not _ISO_COLUMN.fullmatch("\n".join(texts) + "\n"):
            for text in filter(None, texts):
                self.add(text)

    def order(self, usual: DateOrder | None = None) -> DateOrder:
        """Return the column's order of day and month; `usual`: that of the system whose export it is, if it has one.

        Raises DoubtError if the column contradicts itself, or can be read in both ways.
        """
        if self.day_first and self.month_first:
            raise DoubtError(
                f"column {self.column!r} contradicts itself: {self.day_first!r} has the day first, "
                f"{self.month_first!r} the month; say which is right with --dates=dmy or --dates=mdy "
                "(the others are rejected then)"
            )
        if self.day_first or self.month_first:
            return "dmy" if self.day_first else "mdy"
        if not self.unclear or usual:
            return usual or "dmy"
        readings = [_named(self.unclear, order) for order in ("dmy", "mdy")]
        raise DoubtError(
            f"column {self.column!r} can be read in two ways: {self.unclear!r} is {readings[0]} with --dates=dmy, or "
            f"{readings[1]} with --dates=mdy; any other form can be named with --date-format, such as '%d/%m/%Y'"
        )

    def assumed(self, usual: DateOrder) -> str:
        """Return how a date is read that has the order of a system, where none tells its own; empty if one does."""
        if self.day_first or self.month_first or not self.unclear:
            return ""
        return f"{self.unclear!r} is read as {_named(self.unclear, usual)}"

    def refuse_years_in_doubt(self) -> None:
        """Raise DoubtError if all dates may begin with a year of two digits: days repeat less often than years do."""
        if self._years_last or not 0 < len(self._firsts) < len(self._lasts):
            return
        text = next(iter(self._firsts.values()))
        if not (match := _DATE.match(plain_time(text))):
            return
        year, month, day = (int(match[part]) for part in (1, 3, 4))
        clock = next((form for clock, form in _CLOCKS.items() if clock.fullmatch(text.strip()[match.end() :])), "")
        raise DoubtError(
            f"column {self.column!r} can be read in two ways: {text!r} is {_named(text, 'dmy')} with --dates=dmy, or "
            f"{day} {date(2000 + year, month, 1):%B %Y} with --date-format='%y{match[2]}%m{match[2]}%d{clock}'"
        )


def _named(text: str, order: Literal["dmy", "mdy"]) -> str:
    instant = from_millis(TimeReader("", order=order)(text))
    return f"{instant.day} {instant:%B %Y}"


class TimeReader:
    """The reader of one column's times; what names no zone is in UTC, or in the zone of the file."""

    def __init__(
        self, name: str, *, order: DateOrder = "dmy", date_format: str | None = None, zone: tzinfo = UTC
    ) -> None:
        """Read a field called `name`; `date_format`, in the notation of `datetime.strptime`, goes before all else."""
        self._name = name
        self._order = order
        self._format = date_format
        self._zone = zone
        self._days: dict[str, date] = {}

    def in_zone(self, zone: tzinfo) -> Self:
        """Return the reader for a file whose times are in this zone where they name none."""
        return type(self)(self._name, order=self._order, date_format=self._format, zone=zone)

    def __call__(self, value: Any, zone: str = "") -> int:
        """Return the instant in a cell, in milliseconds since 1970. Raises BadRowError.

        `zone`: the name of the time zone that the row has, if it has one.
        """
        try:
            if value is None:
                raise ValueError("is required")
            if isinstance(value, str):
                return self._text(value, zone)
            if isinstance(value, date):
                is_naive = not isinstance(value, datetime) or value.tzinfo is None
                return to_millis(self._aware(_as_time(value), zone) if is_naive else _in_range(value))
            return to_millis(_counted(value))
        except (ValueError, OverflowError) as error:
            # What Python says of a number that is too large is about Python.
            reason = OUT_OF_RANGE if isinstance(error, OverflowError) else str(error)
            if isinstance(value, str) and "ISO 8601" in reason:
                reason = f"{value!r:.80} is no known form of a time; name it with --date-format"
            kind = ImplausibleTimeError if reason in {OUT_OF_RANGE, TOO_EARLY} else BadRowError
            raise kind(f"{self._name}: {reason}") from None

    def column(self, texts: Sequence[str]) -> list[int]:
        """Return the instants in the texts of many cells. Raises BadRowError."""
        if self._zone is UTC and not self._format and {*map(len, texts)} == {_SECONDS}:
            try:
                instants = [(datetime.fromisoformat(text) - _NAIVE_EPOCH) // _MILLISECOND for text in texts]
            except (ValueError, TypeError):
                # One is of another form, or names a zone.
                instants = []
            if instants and min(instants) >= _PLAUSIBLE_FROM:
                return instants
        return [self(text) for text in texts]

    def _text(self, text: str, zone: str) -> int:
        text = plain_time(text)
        if self._format:
            # The zone may be part of the format.
            parsed = datetime.strptime(text, self._format)  # noqa: DTZ007
            return to_millis(self._aware(parsed, zone) if parsed.tzinfo is None else _in_range(parsed))
        if _ISO.match(text) and not _OTHER_CLOCK.match(text):
            return to_millis(self._iso(text, zone))
        if _NUMBER.fullmatch(text):
            return to_millis(_counted_text(text))
        found = self._day(text)
        if found is None:
            return to_millis(parse_timestamp(text))
        day, rest = found
        return to_millis(self._with_clock(day, rest, zone))

    def _iso(self, text: str, zone: str) -> datetime:
        if self._zone is UTC and not zone and len(text) == _SECONDS and text[10] in "T " and text[13] == ":":
            # Most are so; what is wrong with others is told below.
            try:
                return _in_range_utc(datetime.fromisoformat(text))
            except ValueError:
                pass
        plain = _BEFORE_ZONE.sub("", text)
        for name in (" UTC", " GMT"):
            plain = plain.removesuffix(name)
        if match := _ZONE_BEHIND.fullmatch(plain):
            plain, zone = match[1], match[2]
        if zone or self._zone is not UTC:
            parsed = datetime.fromisoformat(plain)
            if parsed.tzinfo is None:
                return self._aware(parsed, zone)
        return parse_timestamp(plain)

    def _day(self, text: str) -> tuple[date, str] | None:
        """Return the date that a text begins with, and what is behind it; None if it begins with none."""
        if match := _DATE.match(text):
            key = match[0]
            if key not in self._days:
                first, second = int(match[1]), int(match[3])
                day, month = (first, second) if self._order == "dmy" else (second, first)
                self._days[key] = date(_year(match[4]), month, day)
            return self._days[key], text[match.end() :]
        if match := _YEAR_FIRST.match(text):
            return date(int(match[1]), int(match[3]), int(match[4])), text[match.end() :]
        for plain in (text, _WEEKDAY.sub("", text, count=1)):
            if (match := _DAY_MONTH.match(plain)) and (named := _MONTHS.get(match[2].casefold())):
                return date(_year(match[3]), named, int(match[1])), plain[match.end() :]
            if (match := _MONTH_DAY.match(plain)) and (named := _MONTHS.get(match[1].casefold())):
                return date(_year(match[3]), named, int(match[2])), plain[match.end() :]
        return None

    def _with_clock(self, day: date, rest: str, zone: str) -> datetime:
        if not rest.strip():
            return self._aware(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001
        match = _CLOCK.fullmatch(rest)
        if match is None:
            raise ValueError(f"{rest.strip()!r:.40} is no time of day")
        hour = int(match[1])
        if match[5]:
            if not 1 <= hour <= 12:
                raise ValueError(f"{rest.strip()!r:.40} is no time of day")
            hour = hour % 12 + (12 if match[5] in "pP" else 0)
        micros = int((match[4] or "0").ljust(6, "0")[:6])
        naive = datetime(day.year, day.month, day.day, hour, int(match[2]), int(match[3] or 0), micros)  # noqa: DTZ001
        return self._aware(naive, match[6].strip() or zone)

    def _aware(self, naive: datetime, zone: str) -> datetime:
        return _in_range(naive.replace(tzinfo=zone_named(zone) if zone else self._zone))


def zone_named(name: str) -> tzinfo:
    """Return a time zone by offset, by abbreviation or by name. Raises ValueError if there is none of that name."""
    plain = name.strip().casefold()
    if plain in _ZONES:
        return timezone(timedelta(hours=_ZONES[plain])) if _ZONES[plain] else UTC
    if plain not in _ZONE_NAMES:
        # Browsers write the zone's name behind its offset.
        name = _NAME_BEHIND.sub("", name)
    if match := _OFFSET.fullmatch(name.strip().upper()):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(_ZONE_NAMES.get(plain, name.strip()))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r:.40} is no time zone that is known here") from None


def _as_time(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001


def _in_range_utc(naive: datetime) -> datetime:
    instant = naive.replace(tzinfo=UTC)
    return instant if instant.year > _FIRST_YEAR else _in_range(instant)


def _in_range(instant: date) -> datetime:
    return parse_timestamp(instant.isoformat())


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text) - (100 if int(text) >= 70 else 0)


def _counted_text(text: str) -> datetime:
    """Return the instant that digits write: a date without signs between its parts, or a count."""
    is_compact = text.isdigit() and len(text) in _COMPACT
    if is_compact and (len(text) == 8 or 1970 <= int(text[:4]) < _LATEST_COMPACT):
        try:
            return _in_range(datetime.strptime(text, _COMPACT[len(text)]))  # noqa: DTZ007
        except ValueError:
            if len(text) == 8:
                raise ValueError(f"{text!r} is no date") from None
    return _counted(float(text))


def _counted(value: Any) -> datetime:
    """Return the instant that lies so many days after Excel's first, or seconds to nanoseconds after 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if _EXCEL_DAYS[0] <= value < _EXCEL_DAYS[1]:
            return from_millis(to_millis(_EXCEL_EPOCH) + round(value * 86_400) * 1000)
        if value >= _NANOSECONDS_FROM:
            return parse_timestamp(value / 1e6)
        if value >= _MICROSECONDS_FROM:
            return parse_timestamp(value / 1e3)
    return parse_timestamp(value)
