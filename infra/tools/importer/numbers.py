"""Numbers as shops write them: the decimal sign is decided by a whole column, currency signs and grouping come off."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from infra.tools.importer.faults import BadRowError, DoubtError
from infra.tools.importer.scripts import DIRECTION_MARKS, with_ascii_digits

type DecimalSign = Literal[".", ","]

_MINUS = str.maketrans(dict.fromkeys("\u2212\u2010\u2012\u2013\ufe63\uff0d", "-") | {"\uff0e": ".", "\uff0c": ","})
# The Arabic sign for thousands divides nothing else.
_BLANKS = re.compile(rf"[\s'\u2019\u02bc\u00b4`\u066c{DIRECTION_MARKS}]+")
_DECIMAL_ALONE = "\u066b"
"""The Arabic decimal sign, which divides nothing else: whatever the column's is, it is this number's."""
_ARABIC_CURRENCY = re.compile("([\u0621-\u064a])\\.([\u0621-\u064a])\\.?")
# Before an amount, a point belongs to a word that is written with one; to no sign: $.50 is half a dollar.
_NUMBER = re.compile(
    r"(?P<open>\()?(?P<before>[-+]?)(?P<currency>(?i:fr|sfr|rs|kr|rp|rm|tl|bs|dm|din|s/|\u043b\u0432|\u0440\u0443\u0431)\."
    r"|[^\d.,()+-]{0,5})(?P<sign>[-+]?)"
    r"(?P<digits>\d[\d.,]*|[.,]\d+)(?P<exponent>[eE][+-]?\d+)?"
    r"(?P<behind>[^\d.,()+-]{0,5}\.?)(?P<after>-?)(?P<close>\))?",
    re.ASCII,
)
_DASH_FOR_CENTS = re.compile(r"(?<=\d)[.,]-{1,2}(?=[^\d.,()+-]{0,5}\.?$)")
_ARABIC = dict(
    pair.split()
    for pair in (
        *("\u0631\u0633 SAR", "\u062f\u0625 AED", "\u062c\u0645 EGP", "\u062f\u0643 KWD", "\u0631\u0642 QAR"),
        *("\u062f\u0628 BHD", "\u0631\u0639 OMR", "\u062f\u0623 JOD", "\u062f\u0645 MAD", "\u062f\u062a TND"),
        *("\u062f\u062c DZD", "\u062f\u0639 IQD", "\u0644\u0644 LBP", "\u0631\u064a YER"),
    )
)
"""Currencies whose names in Arabic are two letters, each with a point behind it."""
# What stands beside an amount, besides signs of currencies and codes of three letters.
_CURRENCY_WORDS = frozenset(
    {
        *(
            "kr",
            "zl",
            "z\u0142",
            "kc",
            "k\u010d",
            "ft",
            "lei",
            "rs",
            "rp",
            "rm",
            "r",
            "fr",
            "sfr",
            "tl",
            "euro",
            "euros",
            "kn",
        ),
        *(
            "s/",
            "bs",
            "sr",
            "kd",
            "qr",
            "dm",
            "\u043b\u0432",
            "\u0440\u0443\u0431",
            "\u0111",
            "\u5143",
            "\u5186",
            "\uc6d0",
            "\u062a\u0648\u0645\u0627\u0646",
            "\u0631\u06cc\u0627\u0644",
            "\u0631\u064a\u0627\u0644",
        ),
        *_ARABIC,
    }
)
_SYMBOLS = _ARABIC | dict(
    pair.split()
    for pair in (
        *("\u20ac EUR", "\u00a3 GBP", "\u20b9 INR", "\u20ab VND", "\u20a9 KRW", "z\u0142 PLN", "\u20bd RUB"),
        *("\u20ba TRY", "rp IDR", "k\u010d CZK", "ft HUF", "r$ BRL", "us$ USD", "fr CHF", "sfr CHF"),
    )
)
_DIGITS_ALIKE = str.maketrans("12345678", "99999999")
_MOST_SHAPES = 20_000
_LONGEST_KNOWN = 60
"""Longer texts are read anew each time: what is known of a column stays small."""
# Texts, each with a line end, in which the sign can only be the decimal sign, and that say nothing else.
_DECIMALS: Mapping[DecimalSign, re.Pattern[str]] = {
    ".": re.compile(r"(?:\d+\.\d{1,2}\n)*", re.ASCII),
    ",": re.compile(r"(?:\d+,\d{1,2}\n)*", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class _Parts:
    digits: str
    is_negative: bool
    exponent: str
    currency: str
    decimal: str
    """The decimal sign among the digits, empty where the column decides."""


def _parts(text: str) -> _Parts | None:
    """Return what a text is made of that writes a number, None if it writes none."""
    plain = _DASH_FOR_CENTS.sub("", _BLANKS.sub("", text.translate(_MINUS)))
    decimal = ""
    if not plain.isascii():
        plain = _ARABIC_CURRENCY.sub(r"\1\2", with_ascii_digits(plain))
        if _DECIMAL_ALONE in plain:
            decimal = "," if "." in plain else "."
            plain = plain.replace(_DECIMAL_ALONE, decimal)
    match = _NUMBER.fullmatch(plain)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    beside = [match["currency"], match["behind"]]
    if any(sign and not _is_currency(sign) for sign in beside) or all(beside):
        return None
    signs = [match["before"], match["sign"], match["after"]]
    if sum(map(bool, signs)) > 1:
        return None
    return _Parts(
        match["digits"], bool(match["open"]) or "-" in signs, match["exponent"] or "", "".join(beside), decimal
    )


def _is_currency(text: str) -> bool:
    word = text.rstrip(".").casefold()
    letters = "".join(sign for sign in word if unicodedata.category(sign) != "Sc")
    has_symbol = len(letters) < len(word)
    return (
        letters in _CURRENCY_WORDS
        or (letters.isalpha() and len(letters) == 3)
        or (has_symbol and len(letters) <= 3 and (not letters or letters.isalpha()))
    )


def currency_of(text: str) -> str:
    """Return the code or the sign of the currency that stands beside an amount, empty if none does."""
    parts = _parts(text)
    if parts is None or not parts.currency:
        return ""
    word = parts.currency.rstrip(".")
    return _SYMBOLS.get(word.casefold(), word.upper())


@dataclass(slots=True)
class NumberSurvey:
    """What the texts of one column say about its decimal sign; a text for each thing that was seen."""

    column: str
    decimal: dict[DecimalSign, str] = field(default_factory=dict)
    """A text in which this sign can only be the decimal sign."""
    unclear: dict[DecimalSign, str] = field(default_factory=dict)
    """A text in which this sign divides either thousands or decimals, such as 1.234."""
    short: bool = False
    """Whether there are whole numbers below 1,000 without any sign."""
    long: bool = False
    """Whether there are whole numbers from 1,000 on without any sign."""
    is_above: bool = False
    """Whether there are numbers that are not below 0."""
    has_numbers: bool = False
    _shapes: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Take a text of the column."""
        shape = text.translate(_DIGITS_ALIKE)
        if shape in self._shapes:
            return
        if len(self._shapes) < _MOST_SHAPES and len(shape) <= _LONGEST_KNOWN:
            self._shapes.add(shape)
        parts = _parts(text)
        if parts is None:
            return
        self._note_sign(is_negative=parts.is_negative)
        digits = parts.digits
        signs = [sign for sign in digits if sign in ".,"]
        if not signs:
            self.short |= len(digits) <= 3
            self.long |= len(digits) > 3
            return
        last = signs[-1]
        sign: DecimalSign = "." if last == "." else ","
        other: DecimalSign = "," if last == "." else "."
        if parts.decimal and len(signs) == 1:
            # It says nothing of the others.
            return
        whole, _, decimals = digits.rpartition(last)
        if len(set(signs)) == 2:
            self.decimal.setdefault(sign, text)
        elif len(signs) > 1:
            self.decimal.setdefault(other, text)
        elif len(decimals) != 3 or len(whole) > 3 or whole.startswith("0") or not whole or parts.exponent:
            self.decimal.setdefault(sign, text)
        else:
            self.unclear.setdefault(sign, text)

    def add_number(self, value: float) -> None:
        """Take a number that is none in text, which says nothing about the decimal sign."""
        self._note_sign(is_negative=value < 0)

    def _note_sign(self, *, is_negative: bool) -> None:
        self.has_numbers = True
        self.is_above |= not is_negative

    def add_column(self, texts: Sequence[str]) -> None:
        """Take many texts of the column, also empty ones."""
        joined = "\n".join(texts) + "\n"
        if any(_DECIMALS[sign].fullmatch(joined) for sign in self.decimal):
            # They say the same as one before.
            return
        for text in filter(None, texts):
            self.add(text)

    @property
    def is_below(self) -> bool:
        """Whether there are numbers, all of which are below 0."""
        return self.has_numbers and not self.is_above

    def sign(self, elsewhere: frozenset[DecimalSign]) -> DecimalSign:
        """Return the column's decimal sign; `elsewhere`: the signs that other columns of the file have.

        Raises DoubtError if the column contradicts itself, or can be read in both ways.
        """
        if len(self.decimal) == 2:
            raise DoubtError(
                f"column {self.column!r} contradicts itself: in {self.decimal['.']!r} the point is the decimal sign, "
                f"in {self.decimal[',']!r} the comma; say which is right with --decimal=. or --decimal=, "
                "(lines with the other are rejected then)"
            )
        if self.decimal:
            return next(iter(self.decimal))
        if not self.unclear:
            return "."
        if len(self.unclear) == 2:
            raise self._doubt(".")
        [sign] = self.unclear
        if len(elsewhere) == 1:
            return next(iter(elsewhere))
        if self.short and not self.long:
            # Whole numbers below 1,000 beside it are written without a sign: this one divides thousands.
            return "," if sign == "." else "."
        raise self._doubt(sign)

    def _doubt(self, sign: DecimalSign) -> DoubtError:
        text = self.unclear[sign]
        other = "," if sign == "." else "."
        return DoubtError(
            f"column {self.column!r} can be read in two ways: {text!r} is {read_number(text, sign):,.3f} with "
            f"--decimal={sign}, or {read_number(text, other):,.0f} with --decimal={other}"
        )


def read_number(text: str, decimal: str) -> float:
    """Return the number that a text writes with this decimal sign. Raises ValueError if it writes none."""
    parts = _parts(text)
    if parts is None:
        raise ValueError(f"{text!r:.80} is not a number")
    decimal = parts.decimal or decimal
    grouping = "," if decimal == "." else "."
    whole, _, decimals = parts.digits.partition(decimal)
    groups = whole.split(grouping)
    if grouping in decimals or decimal in decimals or not _are_groups(groups):
        raise ValueError(f"{text!r:.80} is not a number with the decimal sign {decimal!r}")
    result = float(f"{''.join(groups) or '0'}.{decimals or '0'}{parts.exponent}")
    if not math.isfinite(result):
        raise ValueError(f"{text!r:.80} is not a number")
    return -result if parts.is_negative else result


def _are_groups(groups: list[str]) -> bool:
    """Return whether digits are grouped by thousands, or as in India: 12,34,567."""
    if len(groups) == 1:
        return True
    first, *middle, last = groups
    return (
        1 <= len(first) <= 3
        and len(last) == 3
        and (all(len(group) == 3 for group in middle) or (len(first) <= 2 and all(len(group) == 2 for group in middle)))
    )


_MOST_KNOWN = 100_000
_PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


class NumberReader:
    """The reader of one column's numbers, whose decimal sign is known; what it has read it knows."""

    def __init__(self, name: str, decimal: DecimalSign = ".") -> None:
        """Read a field called `name`."""
        self._name = name
        self.decimal = decimal
        self._known: dict[str, float] = {}

    def __call__(self, value: Any) -> float:
        """Return the number in a cell. Raises BadRowError."""
        if isinstance(value, str):
            known = self._known.get(value)
            return self._read(value) if known is None else known
        if value is None:
            raise BadRowError(f"{self._name}: is required")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadRowError(f"{self._name}: {value!r:.80} is not a number")
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            raise BadRowError(f"{self._name}: {value!r:.80} is not a number")
        return result

    def _read(self, text: str) -> float:
        try:
            if self.decimal == "." and _PLAIN.fullmatch(text):
                result = float(text)
                if not math.isfinite(result):
                    raise ValueError(f"{text!r:.80} is not a number")
            else:
                result = read_number(text, self.decimal)
        except ValueError as error:
            raise BadRowError(f"{self._name}: {error}") from None
        if len(self._known) < _MOST_KNOWN and len(text) <= _LONGEST_KNOWN:
            self._known[text] = result
        return result
