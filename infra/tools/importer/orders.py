"""Rows of orders: lines of one order add up, and each order becomes events."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from churn.domain.events import Event
from churn.domain.identifiers import canonical, stands_for_nobody
from churn.domain.timestamps import to_millis
from infra.tools.importer.cells import cancellation, discount, instant, items_count, number
from infra.tools.importer.events import build_event, digest
from infra.tools.importer.readers import Row


@dataclass(slots=True)
class Order:
    """An order as its lines add up."""

    row: Row
    customer_id: str
    order_id: str
    at: datetime
    value: float
    discount: float | bool | None
    items: int | None
    cancelled_at: datetime | None
    repetition: int = 0
    texts: set[str] = field(default_factory=set)

    def add(self, line: "Order") -> None:
        """Add a further line of the same order."""
        self.value += line.value
        self.at = min(self.at, line.at)
        self.texts.add(line.row.text)
        if self.cancelled_at is not None and line.cancelled_at is not None:
            self.cancelled_at = min(self.cancelled_at, line.cancelled_at)
        if line.items is not None:
            self.items = (self.items or 0) + line.items
        if line.discount is not None:
            both_values = not isinstance(self.discount, bool) and not isinstance(line.discount, bool)
            self.discount = (
                (self.discount or 0.0) + line.discount if both_values else bool(self.discount) or bool(line.discount)
            )

    def events(self, *, now: datetime, allowed: Container[str]) -> Iterator[Event]:
        """Yield the order, unless it was cancelled at once, and its cancellation.

        Raises InvalidEventError.
        """
        value = round(self.value, 2)
        identity = [self.customer_id, self.order_id, to_millis(self.at), value, self.discount, self.repetition]
        order_id = self.order_id
        if self.cancelled_at and not order_id:
            order_id = "row-" + digest(identity)
        data: dict[str, Any] = {"order_id": order_id} if order_id else {}
        data["order_value"] = value
        if self.cancelled_at is None or self.cancelled_at > self.at:
            event_id = "order-" + digest(identity)
            yield self._event(event_id, "order_placed", self.at, data | self._details(), now, allowed)
        if self.cancelled_at is not None:
            event_id = "cancel-" + digest([*identity, to_millis(self.cancelled_at)])
            yield self._event(event_id, "order_cancelled", self.cancelled_at, data, now, allowed)

    def _event(
        self, event_id: str, event_type: str, at: datetime, data: dict[str, Any], now: datetime, allowed: Container[str]
    ) -> Event:
        return build_event(event_id, event_type, self.customer_id, at, data, now=now, allowed=allowed)

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if isinstance(self.discount, bool):
            details["discount_used"] = self.discount
        elif self.discount is not None:
            details["discount_value"] = round(self.discount, 2)
        if self.items is not None:
            details["items_count"] = self.items
        return details


class Orders:
    """The orders of a file; `further_lines` counts the lines that were added to an order before them."""

    def __init__(self, date_format: str | None) -> None:
        self.further_lines = 0
        self._date_format = date_format
        self._orders: dict[tuple[str, ...], Order] = {}
        self._unnumbered: Counter[tuple[object, ...]] = Counter()

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def add(
        self, row: Row, customer_id: str, order_id: str, cells: Mapping[str, Any], columns: Mapping[str, str]
    ) -> None:
        """Add a row of a customer: to the order of its number, or, where that is empty, as an order of its own.

        Raises BadRowError.
        """
        # What tools write where there is no number joins no lines.
        number = "" if stands_for_nobody(order_id) else order_id
        order = self._read(row, customer_id, number, cells, columns)
        if not order.order_id:
            content = (order.customer_id, to_millis(order.at), order.value, order.discount, order.cancelled_at)
            order.repetition = self._unnumbered[content]
            self._unnumbered[content] += 1
            self._orders[("", str(row.line))] = order
            return
        order.texts.add(row.text)
        key = (canonical(order.customer_id), canonical(order.order_id), "cancelled" if order.cancelled_at else "placed")
        first = self._orders.setdefault(key, order)
        if first is not order and row.text not in first.texts:
            first.add(order)
            self.further_lines += 1

    def _read(
        self, row: Row, customer_id: str, order_id: str, cells: Mapping[str, Any], columns: Mapping[str, str]
    ) -> Order:
        at = instant(cells["timestamp"], "timestamp", self._date_format)
        value = _order_value(cells)
        cancelled_at = cancellation(cells.get("cancelled"), columns.get("cancelled", ""), at, self._date_format)
        return Order(
            row,
            customer_id,
            order_id,
            at,
            abs(value) if cancelled_at else value,
            discount(cells.get("discount")) if "discount" in cells else None,
            items_count(cells.get("items_count")),
            cancelled_at,
        )


def _order_value(cells: Mapping[str, Any]) -> float:
    if "order_value" in cells:
        return number(cells["order_value"], "order_value")
    quantity = number(cells["items_count"], "items_count") if "items_count" in cells else 1.0
    return number(cells["unit_price"], "unit_price") * quantity
