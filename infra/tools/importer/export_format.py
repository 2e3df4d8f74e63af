"""An export of a known system: how it is recognised, and what its columns mean."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from infra.tools.importer.statuses import StatusClass
from infra.tools.importer.times import DateOrder

type Kind = Literal["orders", "events", "customers"]
type LineKind = Literal["order", "item", "total"]
"""A line is an order; a part of one, whose values add up; or an order's total, repeated on each of its lines."""


_LINE_ENDS = re.compile(r"\s*[\r\n]\s*")
_ACCENTS = re.compile("[\u0300-\u036f]")
# Letters that are no others with an accent.
_LETTERS = str.maketrans({"\u00df": "ss", "\u0142": "l", "\u00f8": "o", "\u00e6": "ae", "\u0153": "oe", "\u0131": "i"})


def words_of(name: str) -> str:
    """Return a column's name in lower case without accents, its words between blanks, also before and behind."""
    letters = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS))
    return f" {re.sub(r'[^a-z0-9]+', ' ', _ACCENTS.sub('', letters)).strip()} "


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a column's name as names are compared: in lower case and without accents, letters and digits alone."""
    return words_of(name).replace(" ", "")


def one_line(name: str) -> str:
    """Return a column's name with a blank for each end of a line in it, as spreadsheets have them in wide headers."""
    return _LINE_ENDS.sub(" ", name)


def names(text: str) -> frozenset[str]:
    """Return names that are divided by commas, as `plain` writes them."""
    return frozenset(plain(name) for name in text.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """An export of a known system."""

    name: str
    kind: Kind = "orders"
    signatures: tuple[frozenset[str], ...]
    fields: Mapping[str, tuple[str, ...]]
    """Field to the columns that have it, as `plain` writes them, the first that is there."""
    line: LineKind | None = None
    """What a line is; None: the values tell."""
    statuses: Mapping[str, StatusClass] = field(default_factory=dict)
    """Words that mean something else here than in other systems, as `plain_status` writes them."""
    dates: DateOrder | None = None
    """The order of day and month where no cell tells."""
    ignored_types: re.Pattern[str] | None = None
    """In the column `entry_type`: entries that are no payments."""
    refund_types: re.Pattern[str] | None = None
    """In the column `entry_type`: entries that pay an order back."""
    returned_types: re.Pattern[str] | None = None
    """Of the entries that pay an order back: those with an amount above 0 that give back again what was taken."""
    credit_numbers: re.Pattern[str] | None = None
    """Numbers of credit notes: they take back no order of their own number."""

    @property
    def is_of_a_system(self) -> bool:
        """Whether a system writes it, whose columns are known; ours is written by whoever likes, with further ones."""
        return self.kind != "orders" or self.line is not None
