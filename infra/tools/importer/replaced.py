"""What an import has changed of orders that were stored before."""

from dataclasses import dataclass, fields


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
    known_refunds: int = 0
    """Refunds that were subtracted before."""
    without_order: int = 0
    """Refunds of orders that are not stored."""

    def add(self, other: "Replaced") -> None:
        """Add what others say."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
