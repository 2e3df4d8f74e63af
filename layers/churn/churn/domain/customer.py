"""A customer's state: a fold over the customer's events.

The fold is commutative: any order of the events, and any split into batches, gives the same state (the store ensures
that an event is folded once). The state keeps instants and a ledger of orders rather than numbers that depend on the
clock, so `churn.domain.features` can compute the features of any instant, also one in the past.
"""

import json
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from churn.domain.events import Event
from churn.domain.timestamps import DAY, from_millis, to_millis
from churn.domain.values import amount

# So many instants of a kind are kept, the newest: counts above it saturate, and a state stays small.
MAX_INSTANTS = 200

_COUNTED = {
    "support_ticket_created": "support_tickets",
    "order_returned": "product_returns",
    "payment_failed": "payment_failures",
    "login": "login_frequency",
    "email_sent": "email_sent",
    "email_opened": "email_opened",
    "email_clicked": "email_clicked",
}
LOYALTY = "loyalty_points"
_PROFILE_FIELDS = {"name": 255, "email": 255, "phone": 64, "address": 512}
_ACTIVATING = frozenset({"customer_registered", "order_placed"})


@dataclass(slots=True)
class Order:
    """One order of the ledger. Instants in milliseconds, value in hundredths of the currency's unit."""

    placed_at: int | None = None
    cents: int = 0
    discounted: bool | None = None
    cancelled_at: int | None = None

    def counts_at(self, at: int) -> bool:
        """Return whether the order stood at that instant."""
        return (
            self.placed_at is not None
            and self.placed_at <= at
            and (self.cancelled_at is None or self.cancelled_at > at)
        )


@dataclass(slots=True)
class CustomerState:
    """What the features, the profile and the account's status need of a customer's events."""

    since: int | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    instants: dict[str, list[int]] = field(default_factory=dict)
    balance: tuple[int, float] | None = None
    point_changes: list[tuple[int, float]] = field(default_factory=list)
    profile: dict[str, tuple[int, str]] = field(default_factory=dict)
    activated_at: int | None = None
    unsubscribed_at: int | None = None
    deleted: bool = False

    def apply(self, event: Event) -> None:
        """Fold one event in; the caller ensures that none is folded twice.

        A deleted customer stays deleted, whatever event follows.
        """
        if self.deleted:
            return
        if event.event_type == "customer_deleted":
            self._forget()
            return
        at = event.at
        self.since = at if self.since is None else min(self.since, at)
        if event.event_type in _ACTIVATING:
            self.activated_at = _later(self.activated_at, at)
        if event.event_type in _COUNTED:
            self._count(event, at)
        match event.event_type:
            case "order_placed":
                self._place(event, at)
            case "order_cancelled":
                self._cancel(event, at)
            case "customer_registered" | "profile_updated":
                self._update_profile(event, at)
            case "loyalty_points_changed":
                self._change_points(event, at)
            case "subscription_cancelled":
                self.unsubscribed_at = _later(self.unsubscribed_at, at)

    @property
    def is_active(self) -> bool:
        """Whether the account stands: neither deleted nor its subscription cancelled since it was last activated."""
        if self.deleted:
            return False
        return self.unsubscribed_at is None or (self.activated_at or 0) > self.unsubscribed_at

    def last_order_at(self, as_of: datetime) -> datetime | None:
        """Return the instant of the newest order that stood at `as_of`."""
        at = to_millis(as_of)
        newest = max((order.placed_at or 0 for order in self.orders.values() if order.counts_at(at)), default=None)
        return None if newest is None else from_millis(newest)

    def is_eligible(self, at: int, within_days: int) -> bool:
        """Return whether models are judged by this customer at that instant (milliseconds since 1970).

        That is an account that was active, with an order that stood, placed at most so many days before. Of several
        cancellations of the account the last is known.
        """
        recent = any(
            order.placed_at is not None and order.placed_at >= at - within_days * DAY and order.counts_at(at)
            for order in self.orders.values()
        )
        left = self.unsubscribed_at
        if left is None or left > at or not recent:
            return recent and not self.deleted
        back = [self.activated_at, *(order.placed_at for order in self.orders.values())]
        return any(left < instant <= at for instant in back if instant is not None)

    def ordered_between(self, start: int, end: int) -> bool:
        """Return whether an order of `start` to before `end` (milliseconds since 1970) stood at `end`.

        Orders without a value do not count: this is the label that models learn, and the outcome of a prediction.
        """
        return any(
            order.cents > 0 and order.placed_at is not None and start <= order.placed_at < end and order.counts_at(end)
            for order in self.orders.values()
        )

    def to_json(self) -> str:
        """Return compact JSON; equal states give equal text."""
        return json.dumps(
            {
                "since": self.since,
                "orders": {
                    key: [order.placed_at, order.cents, order.discounted, order.cancelled_at]
                    for key, order in sorted(self.orders.items())
                },
                "instants": dict(sorted(self.instants.items())),
                "balance": self.balance,
                "point_changes": self.point_changes,
                "profile": dict(sorted(self.profile.items())),
                "activated_at": self.activated_at,
                "unsubscribed_at": self.unsubscribed_at,
                "deleted": self.deleted,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the state that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        return cls(
            since=raw["since"],
            orders={key: Order(*values) for key, values in raw["orders"].items()},
            instants=raw["instants"],
            balance=None if raw["balance"] is None else tuple(raw["balance"]),
            point_changes=[(at, points) for at, points in raw["point_changes"]],
            profile={name: (at, value) for name, (at, value) in raw["profile"].items()},
            activated_at=raw["activated_at"],
            unsubscribed_at=raw["unsubscribed_at"],
            deleted=raw["deleted"],
        )

    def _forget(self) -> None:
        self.since = self.balance = self.activated_at = self.unsubscribed_at = None
        for collection in (self.orders, self.instants, self.point_changes, self.profile):
            collection.clear()
        self.deleted = True

    def _count(self, event: Event, at: int) -> None:
        if event.event_type == "login" and event.data.get("success") is False:
            return
        instants = self.instants.setdefault(_COUNTED[event.event_type], [])
        insort(instants, at)
        if len(instants) > MAX_INSTANTS:
            del instants[0]

    def _cancel(self, event: Event, at: int) -> None:
        order = self.orders.setdefault(event.order_id, Order())
        order.cancelled_at = at if order.cancelled_at is None else min(order.cancelled_at, at)

    def _place(self, event: Event, at: int) -> None:
        data = event.data
        order = self.orders.setdefault(event.order_id, Order())
        discounted: bool | None = None
        if data.get("discount_used") is not None:
            discounted = bool(data["discount_used"])
        elif data.get("discount_value") is not None:
            discounted = amount(data["discount_value"]) > 0
        cents = round(amount(data["order_value"]) * 100)
        # An order that is sent again is a correction of it: the newest counts, whichever came first.
        newest = max(
            (order.placed_at or -1, order.cents, _rank(order.discounted), order.discounted),
            (at, cents, _rank(discounted), discounted),
            key=lambda version: version[:3],
        )
        order.placed_at, order.cents, _, order.discounted = newest

    def _update_profile(self, event: Event, at: int) -> None:
        for name, longest in _PROFILE_FIELDS.items():
            value = event.data.get(name)
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
                self.profile[name] = max(self.profile.get(name, (-1, "")), (at, text[:longest]))
        if event.data.get("loyalty_points") is not None:
            self._set_balance(at, amount(event.data["loyalty_points"]))

    def _change_points(self, event: Event, at: int) -> None:
        if event.data.get("balance") is not None:
            self._set_balance(at, amount(event.data["balance"]))
        elif self.balance is None or at > self.balance[0]:
            insort(self.point_changes, (at, float(event.data["points"])))

    def _set_balance(self, at: int, points: float) -> None:
        self.balance = max(self.balance or (-1, 0.0), (at, points))
        known = self.balance[0]
        self.point_changes = [change for change in self.point_changes if change[0] > known]


def replay(events: Iterable[Event]) -> CustomerState:
    """Return the state after a customer's events, in any order.

    Each counts once by its id; of two with one id the first does.
    """
    state = CustomerState()
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.event_id, event)
    for event in first.values():
        state.apply(event)
    return state


def observed_kinds(events: Iterable[Event]) -> dict[str, int]:
    """Return since when each kind of event that a feature counts has been seen, in milliseconds since 1970."""
    since: dict[str, int] = {}
    for event in events:
        kind = _COUNTED.get(event.event_type)
        if event.event_type == "loyalty_points_changed" or event.data.get("loyalty_points") is not None:
            kind = LOYALTY
        if kind is not None:
            since[kind] = min(since.get(kind, event.at), event.at)
    return since


def _rank(discounted: bool | None) -> int:
    return -1 if discounted is None else int(discounted)


def _later(instant: int | None, at: int) -> int:
    return at if instant is None else max(instant, at)
