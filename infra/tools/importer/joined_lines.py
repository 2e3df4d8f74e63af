"""An order as its lines add up: what was bought, what was paid back, and what other lines cancel of it."""

from dataclasses import dataclass, field

from churn.domain.timestamps import DAY
from infra.tools.importer.export_format import LineKind
from infra.tools.importer.staging import Line

HALF_A_CENT = 0.005
FAR_APART = 90 * DAY
"""Lines of one order are placed together; so long after them a number has been given again (milliseconds)."""
_MOST_REFUNDS = 1000


@dataclass(slots=True)
class Order:
    """An order as its lines add up."""

    first: Line
    at: int
    value: float | None
    discount: float | bool | None
    items: int | None
    cancelled_at: int | None
    refunded: float
    updated_at: int | None
    repetition: int = 0
    refunds: list[tuple[int, float]] = field(default_factory=list)
    """Instants and amounts of the lines that only pay back, at most _MOST_REFUNDS."""
    refunded_on_each: float = 0.0
    """The refund that each line tells, 0 if they tell different ones."""
    taken_off: float = 0.0
    """Of a cancelled one: what its lines take off the order."""

    @classmethod
    def of(cls, line: Line) -> "Order":
        """Return the order that begins with a line."""
        order = cls(line, line.at, None, line.discount, line.items, line.cancelled_at, line.refunded, line.updated_at)
        order.refunded_on_each = line.refunded
        order._add_value(line)
        order._note_refund(line)
        return order

    def add(self, line: Line) -> None:
        """Add a further line of the same order."""
        self._add_value(line)
        self.refunded += line.refunded
        self.refunded_on_each = self.refunded_on_each if line.refunded == self.refunded_on_each else 0.0
        self._join(line)
        self._note_refund(line)
        if line.items is not None:
            self.items = (self.items or 0) + line.items
        if line.discount is not None:
            both_values = not isinstance(self.discount, bool) and not isinstance(line.discount, bool)
            self.discount = (
                (self.discount or 0.0) + line.discount if both_values else bool(self.discount) or bool(line.discount)
            )

    def replace(self, line: Line) -> None:
        """Take a further line that has the whole order: the one that was changed last counts, or else the last."""
        if line.value is not None and line.value < 0:
            # It pays back a part, and says nothing else of the whole.
            self.refunded -= line.value
            self._note_refund(line)
        elif self.value is not None and self.value < 0:
            self.refunded -= self.value
            self.value = line.value
        elif not _is_older(line, self):
            self.value = self.value if line.value is None else line.value
        self.refunded = max(self.refunded, line.refunded)
        self._join(line)

    def is_of_another_time(self, line: Line) -> bool:
        """Return whether a line tells another time of the last change than this order."""
        return self.updated_at is not None and line.updated_at not in {None, self.updated_at}

    def is_taken_back_by(self, cancelled: "Order", kind: LineKind) -> bool:
        """Return whether the cancelled lines of the same number take all of this order back.

        If not, `cancelled.taken_off` is what they take off it. An amount below 0 is taken off; of items also one that
        comes later, while an item that was cancelled at once is no part of the order. Of whole orders, so is a smaller
        amount that comes later: that is what was paid back.
        """
        if self.value is None or cancelled.value is None:
            return kind != "item" and not _is_older(cancelled, self)
        if not cancelled.taken_off:
            is_later = cancelled.at > self.at
            is_part = kind == "order" and is_later and 0 < cancelled.value < self.value - HALF_A_CENT
            if kind != "item" and not is_part:
                return not _is_older(cancelled, self)
            cancelled.taken_off = cancelled.value if is_later else 0.0
        return cancelled.taken_off > self.value - self.refunded - HALF_A_CENT

    def _add_value(self, line: Line) -> None:
        if line.value is None:
            return
        value = line.value
        if line.cancelled_at is not None and value < 0:
            value = -value
            self.taken_off += value
        self.value = value if self.value is None else self.value + value

    @property
    def only_pays_back(self) -> bool:
        """Whether no line placed the order: they pay back, or give back again, what an earlier file has."""
        return not self.value and (self.refunded != 0 or any(amount < 0 for _, amount in self.refunds))

    def _note_refund(self, line: Line) -> None:
        if line.value is None or (line.value > 0 and not line.refunded):
            return
        only_pays_back = line.value < 0 or (line.refunded and not line.value)
        if only_pays_back and len(self.refunds) < _MOST_REFUNDS:
            self.refunds.append((line.at, line.refunded or -line.value))

    def _join(self, line: Line) -> None:
        self.at = min(self.at, line.at)
        if self.cancelled_at is not None and line.cancelled_at is not None:
            self.cancelled_at = min(self.cancelled_at, line.cancelled_at)
        if line.updated_at is not None:
            self.updated_at = max(self.updated_at or 0, line.updated_at)


def _is_older(one: Line | Order, other: Order) -> bool:
    """Return whether one was changed before another, as the file says."""
    return one.updated_at is not None and other.updated_at is not None and one.updated_at < other.updated_at
