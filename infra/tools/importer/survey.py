"""The first reading of a file: what its columns say as a whole, before any cell is read."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from churn.domain.identifiers import stands_for_nobody
from infra.tools.importer.cells import clean, looks_like_a_whole_number, said, unwrapped
from infra.tools.importer.column_words import likeliest
from infra.tools.importer.columns import AMOUNTS, TIMES, Columns, find_columns, named_here
from infra.tools.importer.events import CUSTOMER_COLUMNS, NUMBER_COLUMNS
from infra.tools.importer.export_format import Kind
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.first_lines import FirstLines
from infra.tools.importer.not_kept import NotKept, never_orders, not_kept
from infra.tools.importer.numbers import DecimalSign, NumberReader, NumberSurvey
from infra.tools.importer.prices import Prices
from infra.tools.importer.regions import are_regions, may_be_regions
from infra.tools.importer.rows import Block, Row
from infra.tools.importer.scripts import with_ascii_digits
from infra.tools.importer.statuses import STATUSES, plain_status
from infra.tools.importer.times import DateOrder, TimeReader, TimeSurvey
from infra.tools.importer.unknown_header import missing_fields
from infra.tools.importer.zero_numbers import ZeroNumbers

_IDENTIFIERS = ("customer_id", "order_id")
_LOOKED_AT = 1000
_MOST_WORDS = 50
# JSON has a header for each combination of keys.
_MOST_HEADERS = 20
_LONGEST_WORD = 80
_MOSTLY = 0.8
# What customers do in a shop, as `plain_status` writes it.
_PURCHASES = frozenset(
    {"purchase", "purchased", "buy", "bought", "transaction", "order", "orderplaced", "ordercompleted"}
)
_VISITS = frozenset(
    {
        *("view", "pageview", "productview", "viewitem", "itemview", "cart", "addtocart", "cartadd", "removefromcart"),
        *("cartremove", "cartabandoned", "login", "logout", "signup", "search", "click", "visit", "sessionstart"),
        *("wishlist", "addtowishlist", "checkout", "begincheckout", "emailopened", "emailclicked", "impression"),
    }
)
_OF_FULFILMENT = re.compile("fulfil|shipping.?status|delivery.?status|versandstatus|lieferstatus")
_ADDRESSES_LOOKED_AT = 20_000
# An amount above 0, or a yes.
_ABOVE_0 = re.compile(r"\D{0,4}[\d.,' ]*[1-9][\d.,' ]*\D{0,4}|true|yes|ja|oui|s[i\u00ed\u00ec]|sim|tak", re.IGNORECASE)


@dataclass(slots=True)
class Survey:
    """What the columns of a file say."""

    rows: int = 0
    numbers: dict[str, NumberSurvey] = field(default_factory=dict)
    times: dict[str, TimeSurvey] = field(default_factory=dict)
    identifiers: set[str] = field(default_factory=set)
    no_whole_numbers: set[str] = field(default_factory=set)
    prices: dict[tuple[str, ...], Prices] = field(default_factory=dict)
    """What tells whether amounts are of one piece, by the names of all columns."""
    zeros: dict[tuple[str, ...], ZeroNumbers] = field(default_factory=dict)
    """The lines with the order number 0, by the columns of number, customer and time."""

    unread: dict[str, Counter[str]] = field(default_factory=dict)
    """The first words of each column of orders that is not read."""
    states: Counter[str] = field(default_factory=Counter)
    """The first words for the state of orders."""
    read: set[str] = field(default_factory=set)
    """The fields of orders that have a column."""
    maybe_regions: dict[str, tuple[Sequence[str], Counter[str]]] = field(default_factory=dict)
    """A header and the first words of each column that may be of regions rather than of the state of orders."""
    regions: frozenset[str] = frozenset()
    """Those of them that are."""
    first_lines: dict[tuple[str, ...], FirstLines] = field(default_factory=dict)
    """The first lines with each header of which not all columns are known."""
    cases: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Two addresses of each column of customers that differ in upper and lower case alone."""
    may_have_states: bool = False
    """Whether a column that is not read may be the state of orders: exports of known systems have theirs."""

    def unread_columns(self) -> list[str]:
        """Return a sentence for each column that is not read, and that says what did not stay of orders."""
        told = [sentence for column, words in self.unread.items() if (sentence := self._unread(column, words))]
        return told + [
            f"column {column!r} is read as one of addresses ({_shown(self.maybe_regions[column][1])}), as others "
            f"beside it are: if it is the state of orders, {shlex.quote(f'--column=status={column}')} reads it so"
            for column in sorted(self.regions)
        ]

    def differing_cases(self) -> list[str]:
        """Return a sentence for customers whose addresses differ in upper and lower case alone."""
        return [
            f"WARNING: customers of column {column!r} differ in upper and lower case alone, such as {one[:80]!r} and "
            f"{other[:80]!r}, and count as several: write their addresses in lower case if they are the same"
            for column, (one, other) in self.cases.items()
        ]

    def decide_regions(self) -> None:
        """Decide which columns are of regions, once all rows were looked at."""
        found = [name for name, (header, words) in self.maybe_regions.items() if are_regions(name, header, words)]
        self.regions = frozenset(found)
        if found:
            self.read.discard("status")

    def zero_numbers(self) -> list[str]:
        """Return a sentence for lines with the order number 0."""
        return [sentence for zeros in self.zeros.values() if (sentence := zeros.told())]

    def zero_is_a_number(self, columns: Columns) -> bool:
        """Return whether 0 is the number of an order in these columns."""
        zeros = ZeroNumbers.of(columns)
        return zeros is not None and zeros.columns in self.zeros and self.zeros[zeros.columns].is_an_order

    def visits(self) -> str:
        """Return why lines are what customers did in a shop, and how the purchases alone are read; empty if not so."""
        for column, words in self.unread.items() if self.may_have_states and "status" not in self.read else ():
            if others := _no_purchases(words):
                classes = " ".join(shlex.quote(f"--status=never={word}") for word in others)
                return (
                    f"column {column!r} reads like what customers did ({_shown(words)}): "
                    f"{shlex.quote(f'--column=status={column}')} {classes} leaves out what is no order; "
                    "if each line is an order: KIND=orders"
                )
        return ""

    def _unread(self, column: str, words: Counter[str]) -> str:
        if not_orders := never_orders(column, words):
            kinds = ((word, "never" if word in not_orders else "counts") for word in words if word)
            classed = " ".join(shlex.quote(f"--status={kind}={word}") for word, kind in kinds)
            told = (
                f"WARNING: column {column!r} may say which lines never were orders ({_shown(not_orders)}); they count: "
            )
            if "status" in self.read:
                return told + "take them out of the file if they were none"
            return told + f"{shlex.quote(f'--column=status={column}')} {classed} leaves them out"
        known = {word: STATUSES[plain_status(word)] for word in words if plain_status(word) in STATUSES}
        is_state = sum(words[word] for word in known) >= _MOSTLY * words.total()
        may_be_read = is_state if self.may_have_states else _OF_FULFILMENT.search(column.casefold())
        # Known systems have a column of their own for the state; what was sent may say something else.
        tells = {*known.values()} - {"counts"} if self.may_have_states else {*known.values()} & {"cancelled"}
        if may_be_read and tells:
            field_ = next((name for name in ("status", "cancelled") if name not in self.read), None)
            what = "the state of orders"
        elif "refunded" not in self.read and _is_refund(column, words):
            # A column of 0 and 1 says whether, not how much.
            says = all(said(word) is not None for word in words)
            field_ = "cancelled" if says and "cancelled" not in self.read else "refunded"
            what = "what was paid back of orders"
        elif self.may_have_states and (found := self._not_kept(column, words)):
            field_, what = found.field, "what did not stay of orders"
            words = found.words
        else:
            return ""
        sentence = f"WARNING: column {column!r} reads like {what} ({_shown(words)}), and is not used"
        return sentence + (f": {shlex.quote(f'--column={field_}={column}')} uses it" if field_ else "")

    def _not_kept(self, column: str, words: Counter[str]) -> NotKept | None:
        """Return what a column says of orders that did not stay, unless what is read of the file says so already."""
        found = not_kept(column, words)
        if found is None or found.field == "refunded":
            return None if "refunded" in self.read else found
        if any(STATUSES.get(plain_status(word)) in {"cancelled", "never"} for word in self.states):
            return None
        if "cancelled" in self.read:
            return found._replace(field=None)
        # Where another column has amounts, not all of an order may have come back.
        amounts = any(one and one.field == "refunded" for one in map(not_kept, self.unread, self.unread.values()))
        return found._replace(field=None) if amounts else found

    @property
    def whole_numbers(self) -> frozenset[str]:
        """The columns of identifiers in which every text is a whole number, or stands for nobody."""
        return frozenset(self.identifiers - self.no_whole_numbers)

    def number_reader(self, name: str, column: str | None, decimal: DecimalSign | None) -> NumberReader:
        """Return the reader of a column's numbers. Raises DoubtError."""
        survey = self.numbers.get(column or "")
        if decimal is not None or survey is None:
            return NumberReader(name, decimal or ".")
        others = {sign for one in self.numbers.values() if len(one.decimal) == 1 for sign in one.decimal}
        return NumberReader(name, survey.sign(frozenset(others)))

    def tells_returns(self, column: str | None) -> bool:
        """Return whether quantities below 0 are of what came back: not where all of a column are below 0."""
        survey = self.numbers.get(column or "")
        return survey is None or not survey.is_below

    def assumed_order(self, column: str | None, usual: DateOrder | None, system: str) -> str:
        """Return what is to be told of days and months whose order no date tells; empty if one does."""
        times = self.times.get(column or "")
        if times is None or usual is None or not (said_ := times.assumed(usual)):
            return ""
        other = "dmy" if usual == "mdy" else "mdy"
        return (
            f"no date of column {column!r} tells the day from the month: {said_}, as in {system} (else --dates={other})"
        )

    def time_reader(
        self, name: str, column: str | None, order: DateOrder | None, usual: DateOrder | None, date_format: str | None
    ) -> TimeReader:
        """Return the reader of a column's times. Raises DoubtError."""
        survey = self.times.get(column or "")
        if order is None and survey is not None and date_format is None:
            if usual is None:
                survey.refuse_years_in_doubt()
            others = {
                other.order() for other in self.times.values() if bool(other.day_first) != bool(other.month_first)
            }
            order = survey.order(usual or (others.pop() if len(others) == 1 else None))
        return TimeReader(name, order=order or "dmy", date_format=date_format)


class _Look(Protocol):
    """What takes the texts of a column."""

    def add(self, text: str, /) -> None:
        """Take a text."""

    def add_column(self, texts: Sequence[str], /) -> None:
        """Take many texts, also empty ones."""


def look_through(
    records: Iterable[Row | Block], kind: Kind, named: Mapping[str, str], progress: Callable[[int], None]
) -> Survey:
    """Return what the columns of a file's records say."""
    survey = Survey()
    looks: dict[tuple[str, ...], list[tuple[str, _Look]]] = {}
    whole: dict[tuple[str, ...], list[Prices | ZeroNumbers | FirstLines]] = {}
    for record in records:
        survey.rows += len(record.lines) if isinstance(record, Block) else 1
        progress(survey.rows)
        values = record.columns if isinstance(record, Block) else record.values
        if values is None:
            continue
        names = tuple(values)
        if names not in looks:
            looks[names] = _looks(survey, kind, names, named)
            whole[names] = _looks_at_lines(survey, names, kind, named)
        for of_lines in whole[names]:
            of_lines.add_block(record) if isinstance(record, Block) else of_lines.add(values)
        for column, look in looks[names]:
            cell = values[column]
            if isinstance(record, Block):
                look.add_column([text.strip() for text in record.columns[column]])
            elif isinstance(cell, str) and (text := cell.strip()):
                look.add(text)
            elif isinstance(look, NumberSurvey) and isinstance(cell, int | float):
                look.add_number(cell)
            elif isinstance(look, _First) and isinstance(cell, int | float):
                look.add(str(cell))
    survey.decide_regions()
    return survey


def _looks(survey: Survey, kind: Kind, names: tuple[str, ...], named: Mapping[str, str]) -> list[tuple[str, _Look]]:
    """Return what to do with the texts of which columns."""
    if kind == "events":
        columns = Columns({})
        own = {name: name for name in names}
        by_field = {"timestamp": own["timestamp"]} if "timestamp" in own else {}
        amounts = [name for name in NUMBER_COLUMNS if name in own]
        ids = [name for name in CUSTOMER_COLUMNS if name in own]
    else:
        try:
            columns = find_columns(kind, names, named_here(named, names))
        except UnreadableFileError:
            # Whoever reads the rows says so.
            return []
        by_field = dict(columns.by_field)
        amounts = [by_field[name] for name in AMOUNTS if name in by_field]
        ids = [by_field[name] for name in _IDENTIFIERS if name in by_field]
    looks: list[tuple[str, _Look]] = []
    for column in ids:
        survey.identifiers.add(column)
        looks.append((column, _Identifiers(survey, column)))
    if kind == "orders" and "customer_id" in by_field and not columns.customers_are_emails:
        looks.append((by_field["customer_id"], _Cases(survey, by_field["customer_id"])))
    times = [by_field[name] for name in TIMES if name in by_field]
    looks += [(column, survey.numbers.setdefault(column, NumberSurvey(column))) for column in amounts]
    looks += [(column, survey.times.setdefault(column, TimeSurvey(column))) for column in times]
    known = columns.format
    # What pays orders back is in entries of their own in some exports.
    state = by_field.get("status")
    if kind == "orders" and state is not None and "status" not in named and may_be_regions(state, names):
        looks.append((state, _First(survey.maybe_regions.setdefault(state, (names, Counter()))[1])))
    if kind == "orders" and (known is None or not known.refund_types):
        survey.read |= by_field.keys()
        survey.may_have_states = known is None or not known.is_of_a_system
        unread = [name for name in names if name not in by_field.values()]
        looks += [(column, _First(survey.unread.setdefault(column, Counter()))) for column in unread]
        looks += [(by_field["status"], _First(survey.states))] if "status" in by_field else []
    return looks


def _looks_at_lines(
    survey: Survey, names: tuple[str, ...], kind: Kind, named: Mapping[str, str]
) -> list[Prices | ZeroNumbers | FirstLines]:
    """Return what looks at several cells of a line at once."""
    if kind == "events":
        return []
    try:
        columns = find_columns(kind, names, named_here(named, names))
    except UnreadableFileError:
        return []
    looks: list[Prices | ZeroNumbers | FirstLines] = []
    is_without_number = kind == "orders" and "order_id" not in columns.by_field
    if len(survey.first_lines) < _MOST_HEADERS and (is_without_number or missing_fields(kind, names, columns)):
        looks.append(survey.first_lines.setdefault(names, FirstLines()))
    if kind != "orders":
        return looks
    if (prices := Prices.of(columns)) is not None:
        survey.prices[names] = prices
        looks.append(prices)
    if (zeros := ZeroNumbers.of(columns)) is not None:
        looks.append(survey.zeros.setdefault(zeros.columns, zeros))
    return looks


class _Identifiers:
    """Whether all identifiers of a column are whole numbers."""

    def __init__(self, survey: Survey, column: str) -> None:
        self._survey = survey
        self._column = column
        self._is_over = False

    def add_column(self, texts: Sequence[str]) -> None:
        if not self._is_over and not "".join(texts).isdigit():
            for text in filter(None, texts):
                self.add(text)

    def add(self, text: str) -> None:
        if self._is_over:
            return
        plain: Any = clean(unwrapped(text))
        if plain and not (looks_like_a_whole_number(plain) or stands_for_nobody(plain)):
            self._survey.no_whole_numbers.add(self._column)
            self._is_over = True


class _Cases:
    """Whether the first addresses of a column differ in upper and lower case alone."""

    def __init__(self, survey: Survey, column: str) -> None:
        self._survey = survey
        self._column = column
        self._forms: dict[str, str] = {}
        self._left = _ADDRESSES_LOOKED_AT

    def add_column(self, texts: Sequence[str]) -> None:
        for text in texts if self._left else ():
            self.add(text)

    def add(self, text: str) -> None:
        if not self._left:
            return
        self._left -= 1
        if "@" in text:
            form = self._forms.setdefault(text.lower(), text)
            if form != text:
                self._survey.cases[self._column] = form, text
                self._left = 0


class _First:
    """The different words among the first texts of a column, with how often each stands there."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._left = _LOOKED_AT

    def add_column(self, texts: Sequence[str]) -> None:
        for text in filter(None, texts) if self._left else ():
            self.add(text)

    def add(self, text: str) -> None:
        if not self._left:
            return
        self._left -= 1
        word = text[:_LONGEST_WORD]
        if word and (word in self._counts or len(self._counts) < _MOST_WORDS):
            self._counts[word] += 1


def _no_purchases(words: Counter[str]) -> list[str]:
    """Return those of a column's words that are no purchases, if nearly all are of what customers do in a shop."""
    others = [word for word in words if plain_status(word) in _VISITS]
    bought = [word for word in words if plain_status(word) in _PURCHASES]
    return others if sum(words[word] for word in others + bought) >= _MOSTLY * words.total() else []


def _shown(words: Counter[str]) -> str:
    return ", ".join(f"{word!r} ({count:,})" for word, count in words.most_common(4))


def _is_refund(column: str, words: Counter[str]) -> bool:
    """Return whether a column is of what was paid back, and something was."""
    return likeliest("refunded", [column], ()) is not None and any(
        _ABOVE_0.fullmatch(with_ascii_digits(word)) for word in words
    )
