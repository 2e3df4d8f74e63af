"""What was taken of a stored order and is given back again, such as by a chargeback that is reversed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from churn.domain.events import Event, order_cents
from churn.domain.orders import Order
from churn.domain.timestamps import from_millis, iso, to_millis
from infra.tools.importer.events import digest
from infra.tools.importer.replaced import Replaced


class GivenBack:
    """The versions of stored orders to which something is given back."""

    def __init__(self, now: datetime, replaced: Replaced) -> None:
        """Count in `replaced`."""
        self._now = now
        self._replaced = replaced

    @staticmethod
    def is_by(event: Event, own: Sequence[Event], subtracted: set[str]) -> bool:
        """Return whether what is new of an event gives back more than it takes of an order.

        `own`: the stored events of the order, which have `subtracted` these refunds.
        """
        new = [amount for key, amount in event.data["refunds"].items() if key not in subtracted]
        return sum(new) < 0 and any(map(_has_refunds, own))

    def version(self, event: Event, order: Order, own: Sequence[Event], subtracted: set[str]) -> Event | None:
        """Return the order with what is given back, None if others have cancelled it.

        It is worth no more than it was, and one that was cancelled by refunds alone stands again.
        """
        refunds = {key: amount for key, amount in event.data["refunds"].items() if key not in subtracted}
        cents = -round(sum(refunds.values()) * 100)
        cancelled = [one for one in own if one.event_type == "order_cancelled"]
        is_by_others = order.cancelled_at is not None and not all(map(_has_refunds, cancelled))
        worth = max((order_cents(one.data) or 0 for one in own), default=0)
        if is_by_others or not worth:
            self._replaced.known_refunds += len(event.data["refunds"])
            return None
        before = 0 if order.cancelled_at is not None else order.cents or 0
        after = min(before + cents, worth)
        placed_at = order.placed_at if order.placed_at is not None else min(one.at for one in own)
        self._replaced.given_back += len(refunds)
        self._replaced.given_back_cents += after - before
        revised_at = max(to_millis(self._now), (order.revised_at or 0) + 1)
        data: dict[str, Any] = {
            "order_id": event.data["order_id"],
            "order_value": after / 100,
            "refunds": sorted(refunds),
            "revised_at": iso(from_millis(revised_at)),
        }
        if order.cancelled_at is not None:
            data["reinstated_at"] = iso(self._now)
        if order.discounted is not None:
            data["discount_used"] = order.discounted
        event_id = "refund-" + digest([event.customer_id, event.order_id, *sorted(refunds)])
        return Event(event_id, "order_placed", event.customer_id, from_millis(placed_at), data)


def _has_refunds(event: Event) -> bool:
    return isinstance(event.data.get("refunds"), list)
