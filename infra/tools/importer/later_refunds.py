"""Refunds that name their order and nobody: they are read once all orders are, whose customers are theirs."""

from collections.abc import Iterator

from infra.tools.importer.faults import RefundOfNobodyError
from infra.tools.importer.rows import Row
from infra.tools.importer.staging import Staging

_MOST = 10_000


class LaterRefunds:
    """The rows of refunds that name nobody."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: list[tuple[Row, RefundOfNobodyError]] = []

    def take(self, row: Row, error: RefundOfNobodyError) -> bool:
        """Keep a row; return whether there was room for it."""
        if has_room := len(self._rows) < _MOST:
            self._rows.append((row, error))
        return has_room

    def with_customers(self, staging: Staging) -> Iterator[tuple[Row, RefundOfNobodyError, str | None]]:
        """Yield the rows with the customers of their orders, None of an order that the file does not have."""
        customers = staging.customers_of({error.number for _, error in self._rows})
        for row, error in self._rows:
            yield row, error, customers.get(error.number)
