"""What a file was read as: its events, the lines that are none, and what its lines came to."""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property
from textwrap import shorten
from typing import Self

from churn.domain.events import Event
from infra.tools.importer.content import Scratch
from infra.tools.importer.export_format import Format, Kind, LineKind
from infra.tools.importer.numbers import DecimalSign
from infra.tools.importer.order_lines import Statuses
from infra.tools.importer.orders import Figures, Orders
from infra.tools.importer.readers import Source
from infra.tools.importer.refunds import VOID
from infra.tools.importer.staging import Reject, SharedNumbers, Staging
from infra.tools.importer.statuses import StatusClass
from infra.tools.importer.tallies import MOST_WORDS, tally
from infra.tools.importer.times import DateOrder

_LONGEST_EXAMPLE = 40
_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a file is to be read; what is None is found in the file.

    `columns` names columns that the file calls differently (field to column); `date_format` is in the notation of
    `datetime.strptime`; `allowed` are customers whose ids look as if there were no customer; `statuses` gives words
    their meaning.
    """

    kind: Kind | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    dates: DateOrder | None = None
    decimal: DecimalSign | None = None
    line: LineKind | None = None
    statuses: Mapping[str, StatusClass] = field(default_factory=dict)
    sheet: str | None = None
    encoding: str | None = None
    list_name: str | None = None
    zone: tzinfo = UTC
    allowed: Container[str] = ()


@dataclass(slots=True)
class Tally:
    """What became of a file's lines."""

    lines: int = 0
    continuations: int = 0
    amounts_alone: int = 0
    """Lines with nothing but an amount, which were added to the order above."""
    not_counted: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    """Rejected lines by reason, without what is particular to each."""
    examples: dict[str, str] = field(default_factory=dict)
    """What the first line of a reason is particular in."""
    nobodies: Counter[str] = field(default_factory=Counter)
    statuses: Statuses = field(default_factory=Statuses)
    types: Counter[str] = field(default_factory=Counter)
    """Events by type, of a file of events."""


class History:
    """A file that was read: its events by customer and time, the lines that are none, and notes for the user.

    A context manager, whose exit deletes what was kept on disk.
    """

    def __init__(
        self, source: Source, kind: Kind, known: Format | None, header: Sequence[str], scratch: Scratch
    ) -> None:
        """Begin with nothing."""
        self.source = source
        self.kind = kind
        self.format = known
        self.header = header
        self.tally = Tally()
        self.figures = Figures()
        """Whole once all events were taken."""
        self.columns: dict[str, str] = {}
        self.line: LineKind | None = None
        self.notes: list[str] = []
        self.staging = Staging()
        self._scratch = scratch
        self._orders: Callable[[], Orders] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.staging.close()
        self._scratch.cleanup()

    @property
    def currencies(self) -> Counter[str]:
        """The currencies of the amounts that count, with their lines, by name."""
        return Counter(dict(sorted(self.tally.statuses.currencies.items())))

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return self.tally.lines

    def events(self, *, with_voids: bool = False) -> Iterator[Event]:
        """Yield the events; what turns out to be no order is rejected meanwhile.

        `with_voids`: also those of orders that never were any, which take back what an earlier file showed.
        """
        if self._orders is None:
            yield from self.staging.events()
            return
        orders = self._orders()
        self.figures = orders.figures
        for item in orders.events(self.staging.lines()):
            if isinstance(item, Event):
                if with_voids or item.event_type != VOID:
                    yield item
            else:
                line, reason = item
                self.reject(Reject(line.line, reason, f"order {line.number or '(without a number)'}"))

    def expected_events(self) -> int:
        """Return about how many events there are, as a measure of progress."""
        return self.staging.count("events" if self._orders is None else "lines")

    @cached_property
    def shared_numbers(self) -> SharedNumbers:
        """The order numbers that stand under several customers; none in a file of events."""
        return self.staging.shared_numbers()

    @property
    def numbers_are_the_shops(self) -> bool:
        """Whether an order's number is of one order in the shop, rather than of one of each customer."""
        return self.kind == "orders" and self.shared_numbers.numbers == self.shared_numbers.same

    def rejects(self) -> Iterator[Reject]:
        """Yield the lines that were not taken, in the order of the file."""
        return self.staging.rejects()

    def reject(self, reject: Reject) -> None:
        """Note a line that is not taken."""
        self.staging.add_reject(reject)
        reason = _general(reject.reason)
        tally(self.tally.rejects, reason)
        parts = reject.reason.split("'")
        if len(parts) > 2 and len(self.tally.examples) < MOST_WORDS:
            self.tally.examples.setdefault(reason, parts[1][:_LONGEST_EXAMPLE])

    def take_orders(self, orders: Callable[[], Orders]) -> None:
        """Make orders of the lines that were kept, which are all."""
        self.staging.look_for_shared_numbers()
        self._orders = orders


def _general(reason: str) -> str:
    """Return a reason without what it quotes of the line; a long one ends at a word."""
    parts = reason.split("'")
    text = "'...'".join(parts[::2]) if len(parts) > 2 else "'".join(parts)
    return shorten(text, _LONGEST_REASON, placeholder=" ...")
