"""What an import has changed of orders that were stored before."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from churn.domain.events import Event
from churn.domain.orders import Order
from churn.domain.values import storable
from infra.tools.importer.joined_lines import FAR_APART


@dataclass(slots=True)
class Replaced:
    """Stored orders that an import says something else of."""

    smaller: int = 0
    larger: int = 0
    older: int = 0
    """Orders that were changed later than the import shows them: they stay as they are."""
    unknown: int = 0
    """Orders of value 0 that a file without values shows."""
    cancelled: int = 0
    voided: int = 0
    """Orders that never were any, as an import shows them (not paid, failed, drafts)."""
    known_voids: int = 0
    """Such orders that were taken back before, or that stay as they are."""
    reinstated: int = 0
    """Cancelled orders that count again."""
    cents: int = 0
    """By how much less the orders of a smaller or larger value come to, in hundredths."""
    refunds: int = 0
    """Refunds that were subtracted from orders of earlier files."""
    refund_cents: int = 0
    given_back: int = 0
    """Amounts that were taken of orders of earlier files, and given back again."""
    given_back_cents: int = 0
    known_refunds: int = 0
    """Refunds that were subtracted before."""
    without_order: int = 0
    """Refunds of orders that are not stored."""
    placed_otherwise: int = 0
    """Orders that were placed at another time, as the import shows them."""
    far_apart: int = 0
    """Of these, those whose times are more than FAR_APART from each other."""
    far_apart_example: str = ""
    moved: int = 0
    """Orders that were stored under another customer, and count for the one that the import shows."""
    moved_example: str = ""
    twice: int = 0
    """Orders that have number and time of one under another customer, and another value: both count."""
    twice_example: str = ""

    def note_time(self, event: Event, order: Order) -> None:
        """Note whether an order, whose stored version is given, was placed at another time."""
        if order.placed_at is None or event.at == order.placed_at:
            return
        self.placed_otherwise += 1
        if abs(event.at - order.placed_at) > FAR_APART:
            self.far_apart += 1
            self.far_apart_example = self.far_apart_example or event.order_id

    def add(self, other: "Replaced") -> None:
        """Add what others say."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            setattr(self, one.name, mine or theirs if isinstance(mine, str) else mine + theirs)


def describe_replaced(replaced: Replaced) -> Iterator[str]:
    """Yield what an import says about the stored orders that it has changed."""
    if replaced.reinstated:
        yield f"{replaced.reinstated:,} orders that were cancelled count again, as this file shows them as paid"
    if replaced.smaller or replaced.larger or replaced.cancelled:
        yield (
            f"replaced what was stored of orders: {replaced.smaller:,} have a smaller value, "
            f"{replaced.larger:,} a larger one ({-replaced.cents / 100:+,.2f} in all), "
            f"{replaced.cancelled:,} were cancelled"
        )
    if replaced.placed_otherwise:
        yield f"{replaced.placed_otherwise:,} orders were placed at another time than was stored, and count there now"
    if replaced.far_apart:
        yield (
            f"WARNING: {replaced.far_apart:,} of them more than 90 days before or after (such as "
            f"{storable(replaced.far_apart_example)!r}): if numbers begin again, as each year, the stored orders were "
            "others, and this file has taken their place; make numbers differ in the files, and import both again"
        )
    if replaced.moved:
        yield (
            f"{replaced.moved:,} orders were stored under another customer, with the same number, time and value "
            f"(such as {storable(replaced.moved_example)!r}): they count for the customers that this file shows"
        )
    if replaced.twice:
        yield (
            f"WARNING: {replaced.twice:,} orders have the number and the time of one that is stored under another "
            f"customer, and another value (such as {storable(replaced.twice_example)!r}): both count"
        )
    if replaced.older:
        yield f"{replaced.older:,} orders stay as they are stored: they were changed later than this file shows them"
    if replaced.voided:
        yield f"{replaced.voided:,} stored orders never were any, as this file shows them now: they were taken back"
    if replaced.unknown:
        yield f"{replaced.unknown:,} orders that were stored with a value of 0 count now, with an unknown value"
    yield from _describe_refunds(replaced)


def _describe_refunds(replaced: Replaced) -> Iterator[str]:
    if replaced.refunds:
        yield (
            f"subtracted from orders that were stored before: {replaced.refunds:,} refunds "
            f"({-replaced.refund_cents / 100:+,.2f})"
        )
    if replaced.given_back:
        yield (
            f"given back again to orders that were stored before: {replaced.given_back:,} refunds or chargebacks "
            f"({replaced.given_back_cents / 100:+,.2f})"
        )
    if replaced.without_order:
        yield (
            f"WARNING: {replaced.without_order:,} refunds are of orders that are not stored: "
            "import the file with these orders, then this one again"
        )
