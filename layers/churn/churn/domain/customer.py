"""A customer's state: a fold over the customer's events, bounded in size.

The fold is commutative: any order of the events, and any split into batches, gives the same state (the store ensures
that an event is folded once). The state keeps instants rather than numbers that depend on the clock, so
`churn.domain.features` can compute the features of any instant from the newest folded event on. What an account of
any age may need again (every order, old changes of loyalty points) is in a `Ledger`, and the state carries exact sums.
"""

import json
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from operator import attrgetter
from typing import Any, Self

from churn.domain.errors import DATA_ERRORS, ChurnError
from churn.domain.events import Event, instant_of, order_cents
from churn.domain.json_text import write_compact
from churn.domain.orders import Ledger, MemoryLedger, Order, Purchases, bought_between, ordered_between
from churn.domain.timestamps import DAY, from_millis
from churn.domain.values import amount

FOLD_VERSION = 2
"""What a stored state was made by; one of another version is made again from the customer's history."""

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
EVENT_TYPES_OF_KIND = {
    **{kind: event_type for event_type, kind in _COUNTED.items()},
    LOYALTY: "loyalty_points_changed",
}
"""The type of event that each kind comes by, of those whose first occurrence is remembered."""
_PROFILE_FIELDS = {"name": 255, "email": 255, "phone": 64, "address": 512}
_MICRO = 1_000_000
_NO_ORDER = Order()


def _no_number(name: str) -> float:
    raise ValueError(f"a state holds {name}")


# Made once: to make one takes longer than to read a state.
_DECODER = json.JSONDecoder(parse_constant=_no_number)


class OutdatedStateError(ChurnError):
    """A stored state was made by another version of the fold."""


class UnreadableStateError(ChurnError, ValueError):
    """A stored state is none: it is damaged."""


@dataclass(slots=True)
class Loyalty:
    """The balance of loyalty points, in millionths of a point: integers, as a sum of floats depends on the order."""

    balance: tuple[int, int] | None = None
    """The newest balance that the shop told, and its instant."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """The newest changes since the balance, by instant, at most MAX_INSTANTS."""
    older: tuple[int, int] | None = None
    """The sum of all changes since the balance that are older than these, and the instant of the newest of them."""

    def points_at(self, at: int) -> float:
        """Return the balance at an instant that is not before the newest folded event; never below 0."""
        base = self.balance[1] if self.balance is not None and self.balance[0] <= at else 0
        older = 0 if self.older is None else self.older[1]
        return max(0, base + older + sum(micros for changed_at, micros in self.changes if changed_at <= at)) / _MICRO

    def set_balance(self, at: int, points: float, ledger: Ledger) -> None:
        """Take a balance that the shop told: changes up to its instant are in it."""
        before, self.balance = self.balance, max(self.balance or (-1, 0), (at, micro_points(points)))
        if self.balance == before:
            return
        known = self.balance[0]
        if self.older is not None and self.older[0] > known:
            self._keep(sorted(ledger.point_changes(known)))
            return
        self.older = None
        self.changes = [change for change in self.changes if change[0] > known]

    def change(self, at: int, points: float, ledger: Ledger) -> None:
        """Take a change of the balance."""
        micros = micro_points(points)
        ledger.add_point_change(at, micros)
        if self.balance is None or at > self.balance[0]:
            insort(self.changes, (at, micros))
            self._keep(self.changes, self.older)

    def _keep(self, changes: list[tuple[int, int]], older: tuple[int, int] | None = None) -> None:
        self.changes = changes[-MAX_INSTANTS:]
        for at, micros in changes[:-MAX_INSTANTS]:
            older = (at, micros) if older is None else (max(at, older[0]), micros + older[1])
        self.older = older


@dataclass(slots=True)
class CustomerState:
    """What the features, the profile and the account's status need of a customer's events.

    `ledger` is not part of the state: it is where the orders are.
    """

    ledger: Ledger = field(default_factory=MemoryLedger, compare=False)
    clock: int | None = None
    """Up to this instant (milliseconds since 1970) events are folded; those after it wait in the history."""
    pruned_until: int | None = None
    """The history before this instant was deleted; the state has what was in it."""
    since: int | None = None
    purchases: Purchases = field(default_factory=Purchases)
    instants: dict[str, list[int]] = field(default_factory=dict)
    loyalty: Loyalty = field(default_factory=Loyalty)
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
        if event.event_type in _COUNTED:
            self._count(event, at)
        match event.event_type:
            case "order_placed":
                self._place(event, at)
            case "order_cancelled":
                self._cancel(event, at)
            case "customer_registered":
                self.activated_at = _later(self.activated_at, at)
                self._update_profile(event, at)
            case "profile_updated":
                self._update_profile(event, at)
            case "loyalty_points_changed":
                self._change_points(event, at)
            case "subscription_cancelled":
                self.unsubscribed_at = _later(self.unsubscribed_at, at)

    def advance(self, events: Iterable[Event], clock: int) -> bool:
        """Fold events that lie no later than `clock` (milliseconds since 1970), and move the state's clock there.

        Return whether anything may have changed besides the clock.
        """
        has_events = False
        # Balances first: a ledger of stored changes does not have those of this batch yet. Then by time, which seldom
        # needs to look up anything.
        by_time = sorted(events, key=attrgetter("timestamp"))
        for event in sorted(by_time, key=_tells_no_balance):
            self.apply(event)
            has_events = True
        self.clock = clock
        return self.purchases.forget_spend_before(clock) or has_events

    def is_too_late(self, event: Event) -> bool:
        """Return whether an event lies in the part of the history that was deleted; erasing is never too late."""
        is_before = self.pruned_until is not None and event.at < self.pruned_until
        return is_before and event.event_type != "customer_deleted"

    @property
    def is_active(self) -> bool:
        """Whether the account stands: neither deleted nor its subscription cancelled since it was last activated."""
        if self.deleted:
            return False
        return self.unsubscribed_at is None or (self.activated_at or 0) > self.unsubscribed_at

    @property
    def last_order_at(self) -> datetime | None:
        """The instant of the newest order that counts."""
        recent = self.purchases.recent
        return from_millis(recent[-1]) if recent else None

    def returned_at(self, inactivity_days: int) -> datetime | None:
        """Return the instant of the newest order that came more than so many days after the one before it.

        Of the newest orders (MAX_RECENT); None without one.
        """
        lapse = inactivity_days * DAY
        returns = [later for earlier, later in pairwise(self.purchases.recent) if later - earlier > lapse]
        return from_millis(returns[-1]) if returns else None

    def is_eligible(self, at: int, within_days: int) -> bool:
        """Return whether models are judged by this customer at that instant (milliseconds since 1970).

        That is an account that was active, with an order that counted, placed at most so many days before. Of several
        cancellations of the account the last is known.
        """
        orders = self.ledger.orders()
        recent = any(
            order.placed_at is not None and order.placed_at >= at - within_days * DAY and order.counts_at(at)
            for order in orders
        )
        left = self.unsubscribed_at
        if left is None or left > at or not recent:
            return recent and not self.deleted
        back = [self.activated_at, *(order.placed_at for order in orders if order.cents != 0)]
        return any(left < instant <= at for instant in back if instant is not None)

    def ordered_between(self, start: int, end: int) -> bool:
        """Return whether the customer ordered from `start` to before `end` (`churn.domain.orders.ordered_between`)."""
        return ordered_between(self.ledger.orders(), start, end)

    def copy(self) -> Self:
        """Return the same state, to be changed while this one is not; its ledger knows no order of before."""
        bought, points = self.purchases, self.loyalty
        return replace(
            self,
            ledger=MemoryLedger(),
            purchases=replace(bought, recent=[*bought.recent], spent={**bought.spent}, changed_days={}),
            instants={kind: [*instants] for kind, instants in self.instants.items()},
            loyalty=replace(points, changes=[*points.changes]),
            profile={**self.profile},
        )

    def bought_between(self, start: int, end: int) -> tuple[int, int | None]:
        """Return the days with an order and their hundredths (`churn.domain.orders.bought_between`)."""
        return bought_between(self.ledger.orders(), start, end)

    def to_json(self) -> str:
        """Return compact JSON; equal states give equal text."""
        return write_compact(
            {
                "fold": FOLD_VERSION,
                "clock": self.clock,
                "pruned_until": self.pruned_until,
                "since": self.since,
                "purchases": self.purchases.to_json(),
                "instants": dict(sorted(self.instants.items())),
                "balance": self.loyalty.balance,
                "point_changes": self.loyalty.changes,
                "older_points": self.loyalty.older,
                "profile": dict(sorted(self.profile.items())),
                "activated_at": self.activated_at,
                "unsubscribed_at": self.unsubscribed_at,
                "deleted": self.deleted,
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes, ledger: Ledger) -> Self:
        """Return the state that `to_json` wrote.

        Raises OutdatedStateError if another version of the fold made it, UnreadableStateError if it is damaged.
        """
        try:
            return cls._from_raw(_DECODER.decode(text if isinstance(text, str) else text.decode()), ledger)
        except DATA_ERRORS as error:
            raise UnreadableStateError(f"the state cannot be read: {type(error).__name__}") from error

    @classmethod
    def _from_raw(cls, raw: dict[str, Any], ledger: Ledger) -> Self:
        if raw.get("fold") != FOLD_VERSION:
            raise OutdatedStateError(f"the state was made by version {raw.get('fold', 1)}, this is {FOLD_VERSION}")
        return cls(
            ledger,
            clock=raw["clock"],
            pruned_until=raw["pruned_until"],
            since=raw["since"],
            purchases=Purchases.from_json(raw["purchases"]),
            instants=raw["instants"],
            loyalty=Loyalty(
                _pair(raw["balance"]), [(at, micros) for at, micros in raw["point_changes"]], _pair(raw["older_points"])
            ),
            profile={name: (at, value) for name, (at, value) in raw["profile"].items()},
            activated_at=raw["activated_at"],
            unsubscribed_at=raw["unsubscribed_at"],
            deleted=raw["deleted"],
        )

    def _forget(self) -> None:
        self.since = self.activated_at = self.unsubscribed_at = None
        self.purchases, self.loyalty = Purchases(), Loyalty()
        self.instants.clear()
        self.profile.clear()
        self.ledger.clear()
        self.deleted = True

    def _count(self, event: Event, at: int) -> None:
        if event.event_type == "login" and event.data.get("success") is False:
            return
        instants = self.instants.setdefault(_COUNTED[event.event_type], [])
        insort(instants, at)
        if len(instants) > MAX_INSTANTS:
            del instants[0]

    def _cancel(self, event: Event, at: int) -> None:
        order_id = event.order_id
        order = self.ledger.get(order_id) or _NO_ORDER
        after = order.cancelled(at, instant_of(event.data, "revised_at"))
        self.purchases.replace(order_id, order, after, self.ledger)

    def _place(self, event: Event, at: int) -> None:
        data = event.data
        discounted: bool | None = None
        if data.get("discount_used") is not None:
            discounted = bool(data["discount_used"])
        elif data.get("discount_value") is not None:
            discounted = amount(data["discount_value"]) > 0
        cents = order_cents(data)
        if cents != 0:
            self.activated_at = _later(self.activated_at, at)
        order_id = event.order_id
        order = self.ledger.get(order_id) or _NO_ORDER
        after = order.placed(at, cents, discounted, instant_of(data, "revised_at"))
        if (reinstated_at := instant_of(data, "reinstated_at")) is not None:
            after = after.reinstated(reinstated_at)
        self.purchases.replace(order_id, order, after, self.ledger)

    def _update_profile(self, event: Event, at: int) -> None:
        for name, longest in _PROFILE_FIELDS.items():
            value = event.data.get(name)
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
                self.profile[name] = max(self.profile.get(name, (-1, "")), (at, text[:longest]))
        if event.data.get("loyalty_points") is not None:
            self.loyalty.set_balance(at, amount(event.data["loyalty_points"]), self.ledger)

    def _change_points(self, event: Event, at: int) -> None:
        if event.data.get("balance") is not None:
            self.loyalty.set_balance(at, amount(event.data["balance"]), self.ledger)
        else:
            self.loyalty.change(at, float(event.data["points"]), self.ledger)


def replay(events: Iterable[Event], clock: int | None = None, ledger: Ledger | None = None) -> CustomerState:
    """Return the state after a customer's events, in any order; with a clock, after those no later than it.

    Each counts once by its id; of two with one id the first does. The orders go to `ledger`, if one is given.
    """
    state = CustomerState(MemoryLedger() if ledger is None else ledger)
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.event_id, event)
    if clock is not None:
        state.advance((event for event in first.values() if event.at <= clock), clock)
        return state
    for event in sorted(first.values(), key=attrgetter("timestamp")):
        state.apply(event)
    return state


def pruned_until(text: str | None) -> int | None:
    """Return up to where a stored state says that the history was deleted (milliseconds since 1970).

    None if all of it is kept, and of a state that cannot be read.
    """
    try:
        until: int | None = None if text is None else json.loads(text).get("pruned_until")
    except DATA_ERRORS:
        return None
    return until


def micro_points(points: float) -> int:
    """Return loyalty points in millionths of a point."""
    return round(float(points) * _MICRO)


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


def _tells_no_balance(event: Event) -> bool:
    return event.data.get("balance") is None and event.data.get("loyalty_points") is None


def _pair(raw: list[int] | None) -> tuple[int, int] | None:
    return None if raw is None else (raw[0], raw[1])


def _later(instant: int | None, at: int) -> int:
    return at if instant is None else max(instant, at)
