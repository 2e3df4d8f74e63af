"""A simulated shop: customers with a known hidden state, and their events.

The generative model, customer by customer (times in days, all draws independent):

- The customer registers at a moment drawn between the start and the end, twice as likely in the first third of that
  time, and orders for the first time within the following days.
- Purchases are a Poisson process with the customer's own rate, drawn from a gamma distribution (shape 1.8, mean one
  order in 32 days), until a hidden drop-out. The time to the drop-out is exponential with the customer's own hazard,
  drawn from a gamma distribution (shape 2, mean one in 400 days): the Pareto/NBD model of Schmittlein, Morrison and
  Colombo (1987). After it there are no orders any more.
- Engagement (log-ins, opened and clicked e-mails, product views) has a level of the customer's own. It fades in the 20
  to 70 days before the drop-out, linearly, to a tenth, and stays there. E-mails are sent to everyone every two weeks.
- Tickets and failed payments happen to everyone and are four times as frequent while the engagement fades.
- Orders have log-normal values around a level of the customer's own. Some are discounted (each customer's own share),
  a few are cancelled or returned, a few of the returned are refunded. Members collect a loyalty point for each whole
  unit of currency. A few of those who dropped out cancel their subscription.

With rate r and drop-out D known, the probability of no order in a horizon h after t is exp(-r * min(h, max(0, D - t))):
`true_churn_probability`.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from churn.domain.events import SIMULATED, Event
from churn.domain.timestamps import from_millis, to_millis

_DAY = 86_400_000

_FIRST_NAMES = (
    "Ada",
    "Alan",
    "Amara",
    "Anna",
    "Ben",
    "Carlos",
    "Chloe",
    "Daniel",
    "Elena",
    "Emma",
    "Fatima",
    "Felix",
    "Grace",
    "Hana",
    "Hugo",
    "Ines",
    "Ivan",
    "Jack",
    "Jana",
    "Julia",
    "Kofi",
    "Lara",
    "Leo",
    "Lina",
    "Lucas",
    "Maria",
    "Mei",
    "Mila",
    "Nadia",
    "Noah",
    "Nora",
    "Olga",
    "Omar",
    "Paul",
    "Priya",
    "Rosa",
    "Sam",
    "Sofia",
    "Tom",
    "Yusuf",
)
_LAST_NAMES = (
    "Adams",
    "Bauer",
    "Becker",
    "Brown",
    "Costa",
    "Diaz",
    "Dubois",
    "Eriksen",
    "Evans",
    "Fischer",
    "Garcia",
    "Haddad",
    "Hansen",
    "Hughes",
    "Ito",
    "Jensen",
    "Jones",
    "Kim",
    "Klein",
    "Kovacs",
    "Lange",
    "Lopez",
    "Martin",
    "Mensah",
    "Meyer",
    "Moreau",
    "Novak",
    "Okafor",
    "Patel",
    "Petrov",
    "Rossi",
    "Sato",
    "Schmidt",
    "Silva",
    "Smith",
    "Taylor",
    "Tanaka",
    "Vogel",
    "Walker",
    "Weber",
)
_CITIES = ("Berlin", "Bristol", "Lisbon", "Lyon", "Madrid", "Milan", "Oslo", "Porto", "Prague", "Vienna")
_TICKETS = ("delivery", "billing", "product", "account")
_FAILURES = ("insufficient_funds", "card_expired", "card_declined", "issuer_unavailable")
_DEVICES = ("desktop", "mobile", "tablet")


@dataclass(frozen=True, slots=True)
class SimulatedCustomer:
    """A customer's events up to the end of the simulation, oldest first, and the hidden state behind them.

    `rate` is in orders a day while the customer is one, `hazard` in drop-outs a day; `drops_out_at` may lie after the
    simulation's end.
    """

    customer_id: str
    events: list[Event]
    rate: float
    registered_at: datetime
    drops_out_at: datetime
    hazard: float


def simulate(
    customers: int, *, seed: int, start: datetime, end: datetime, prefix: str = "CUST-"
) -> Iterator[SimulatedCustomer]:
    """Yield the first `customers` customers of the shop; equal arguments give equal customers and events.

    Identifiers are the prefix and a number from 1 on, with at least three digits.
    """
    tag = hashlib.sha256(f"{seed} {start.isoformat()} {end.isoformat()}".encode()).hexdigest()[:8]
    for number in range(1, customers + 1):
        customer_id = f"{prefix}{number:03d}"
        yield _Life(Random(f"{seed}:{number}"), customer_id, number, to_millis(start), to_millis(end)).live(tag)


def true_churn_probability(customer: SimulatedCustomer, as_of: datetime, horizon_days: float) -> float:
    """Return the probability that the customer orders nothing in the horizon, given the hidden state."""
    left = (customer.drops_out_at - as_of) / timedelta(days=1)
    return math.exp(-customer.rate * min(horizon_days, max(0.0, left)))


def hazard_churn_probability(customer: SimulatedCustomer, as_of: datetime, horizon_days: float) -> float:
    """Return the probability that the customer orders nothing in the horizon, given rate, hazard and the orders.

    With rate r and hazard m, the customer is still one, t days after the last order, with the odds 1 to
    m / (r + m) * (exp((r + m) * t) - 1), and then orders nothing in the days h with the probability
    (m + r * exp(-(r + m) * h)) / (r + m) (Schmittlein, Morrison and Colombo 1987). It does not use what
    e-mails and log-ins say of the drop-out. 1 for a customer who has not ordered.
    """
    orders = (event.timestamp for event in customer.events if event.event_type == "order_placed")
    last = max((at for at in orders if at < as_of), default=None)
    if last is None:
        return 1.0
    both, silence = customer.rate + customer.hazard, (as_of - last) / timedelta(days=1)
    odds_against = customer.hazard / both * math.expm1(min(both * silence, 700))
    silent = (customer.hazard + customer.rate * math.exp(-both * horizon_days)) / both
    return 1 - (1 - silent) / (1 + odds_against)


def live_events(rng: Random, customer_ids: Sequence[str], now: Callable[[], datetime]) -> Iterator[Event]:
    """Yield events of these customers without end, each at `now()`; the caller sets the pace."""
    kinds = {
        "product_viewed": 30,
        "login": 22,
        "order_placed": 14,
        "email_sent": 12,
        "email_opened": 8,
        "loyalty_points_changed": 5,
        "cart_abandoned": 4,
        "support_ticket_created": 2,
        "payment_failed": 1.5,
        "order_returned": 1,
        "refund_requested": 0.5,
    }
    names, weights = list(kinds), list(kinds.values())
    while True:
        event_type = rng.choices(names, weights)[0]
        event_id = f"{SIMULATED}live-{rng.getrandbits(80):020x}"
        data = _data_of(rng, event_type, f"ORD-{rng.getrandbits(40):010X}", rng.lognormvariate(3.9, 0.6))
        yield Event(event_id, event_type, rng.choice(customer_ids), from_millis(to_millis(now())), data)


def _data_of(rng: Random, event_type: str, order_id: str, value: float, discount_share: float = 0.2) -> dict[str, Any]:
    """Return plausible `data` of an event; `order_id` and `value` are those of the order that it is about."""
    data: dict[str, Any] = {}
    match event_type:
        case "order_placed":
            discount = round(value * rng.choice((0.1, 0.15, 0.2)), 2) if rng.random() < discount_share else 0.0
            data = {"order_value": round(value - discount, 2), "discount_value": discount}
            data |= {"order_id": order_id, "items_count": 1 + int(rng.expovariate(0.6))}
        case "order_cancelled" | "order_returned" | "refund_requested":
            data = {"order_id": order_id, "order_value": round(value, 2)}
        case "payment_failed":
            data = {"order_id": order_id, "failure_reason": rng.choice(_FAILURES), "retry_count": rng.randrange(3)}
        case "support_ticket_created":
            data = {"ticket_id": f"T-{rng.getrandbits(32):08X}", "category": rng.choice(_TICKETS)}
            data["priority"] = rng.choices(("low", "medium", "high"), (5, 4, 1))[0]
        case "email_sent" | "email_opened" | "email_clicked":
            data = {"campaign_id": f"newsletter-{rng.randrange(1, 53):02d}"}
        case "login":
            data = {"success": rng.random() < 0.97, "device_type": rng.choice(_DEVICES)}
        case "loyalty_points_changed":
            data = {"points": int(value)}
        case "product_viewed" | "cart_abandoned":
            data = {"product_id": f"SKU-{rng.randrange(1, 2000):04d}"}
    return data


class _Life:
    """A customer's life: the hidden state, and the events that it causes. Instants are in milliseconds."""

    def __init__(self, rng: Random, customer_id: str, number: int, start: int, end: int) -> None:
        self.rng = rng
        self.customer_id = customer_id
        self.number = number
        self.end = end
        share = rng.random()
        share = share / 3 if rng.random() < 0.25 else share
        self.registered = start + int((end - start) * share)
        self.rate = max(1e-4, rng.gammavariate(1.8, 1 / 32 / 1.8))
        self.hazard = max(1e-6, rng.gammavariate(2.0, 1 / 400 / 2.0))
        self.drop = self.registered + min(int(rng.expovariate(self.hazard) * _DAY), 36500 * _DAY)
        self.fade = int(rng.uniform(20, 70) * _DAY)
        self.opens = rng.betavariate(4, 4)
        self.logins = 0.03 + self.rate * rng.uniform(0.2, 1.0)
        self.level = rng.lognormvariate(3.8, 0.5)
        self.discounts = rng.betavariate(1.2, 5)
        self.member = rng.random() < 0.6
        self.drafts: list[tuple[int, str, dict[str, Any]]] = []

    def live(self, tag: str) -> SimulatedCustomer:
        """Return the customer with all their events; `tag` begins the events' ids."""
        self._register()
        self._order()
        self._read_mails()
        self._happen("login", self.logins, by_engagement=True)
        self._happen("product_viewed", self.logins * 0.5, by_engagement=True)
        self._complain()
        if self.rng.random() < 0.05:
            self._add(self.drop + int(self.rng.uniform(0, 20) * _DAY), "subscription_cancelled", {})
        self.drafts.sort(key=lambda draft: (draft[0], draft[1]))
        events = [
            Event(f"{SIMULATED}{tag}-{self.customer_id}-{place}", event_type, self.customer_id, from_millis(at), data)
            for place, (at, event_type, data) in enumerate(self.drafts)
        ]
        return SimulatedCustomer(
            self.customer_id,
            events,
            self.rate,
            from_millis(self.registered),
            from_millis(self.drop),
            self.hazard,
        )

    def _add(self, at: int, event_type: str, data: dict[str, Any]) -> None:
        if self.registered <= at < self.end:
            self.drafts.append((at, event_type, data))

    def _engagement(self, at: int) -> float:
        return min(1.0, max(0.1, (self.drop - at) / self.fade))

    def _trouble(self, at: int) -> float:
        return 1.0 if self.drop - self.fade <= at <= self.drop else 0.25

    def _register(self) -> None:
        first, last = self.rng.choice(_FIRST_NAMES), self.rng.choice(_LAST_NAMES)
        profile: dict[str, Any] = {
            "name": f"{first} {last}",
            "email": f"{first}.{last}.{self.number}@example.com".lower(),
            "phone": f"+44 20 7946 0{self.rng.randrange(1000):03d}",
            "address": {"city": self.rng.choice(_CITIES)},
        }
        if self.member:
            profile["loyalty_points"] = 0
        self._add(self.registered, "customer_registered", profile)

    def _order(self) -> None:
        rng = self.rng
        at = self.registered + int(rng.expovariate(1 / 2) * _DAY)
        while at < min(self.drop, self.end):
            # The moment makes it an order of this simulation: another one of the same shop has others.
            order_id = f"ORD-{self.number}-{at // 1000}"
            value = self.level * rng.lognormvariate(0, 0.4)
            if rng.random() < 0.12 * self._trouble(at):
                self._add(at - 60_000, "payment_failed", _data_of(rng, "payment_failed", order_id, value))
            self._add(at, "order_placed", _data_of(rng, "order_placed", order_id, value, self.discounts))
            self._follow(at, order_id, value)
            at += int(rng.expovariate(self.rate) * _DAY)

    def _follow(self, at: int, order_id: str, value: float) -> None:
        rng = self.rng
        fate = rng.random()
        if fate < 0.03:
            later = at + int(rng.uniform(0.05, 2) * _DAY)
            self._add(later, "order_cancelled", _data_of(rng, "order_cancelled", order_id, value))
            return
        if self.member:
            self._add(at + 1000, "loyalty_points_changed", {"points": int(value)})
        if fate < 0.08:
            later = at + int(rng.uniform(4, 20) * _DAY)
            self._add(later, "order_returned", _data_of(rng, "order_returned", order_id, value))
            if rng.random() < 0.3:
                self._add(later + 60_000, "refund_requested", _data_of(rng, "refund_requested", order_id, value))
        elif fate < 0.14:
            later = at + int(rng.uniform(5, 15) * _DAY)
            self._add(later, "review_submitted", {"order_id": order_id, "rating": rng.randint(2, 5)})

    def _read_mails(self) -> None:
        rng = self.rng
        at = self.registered + int(rng.uniform(1, 14) * _DAY)
        issue = 1
        while at < self.end:
            data = {"campaign_id": f"newsletter-{issue:02d}"}
            self._add(at, "email_sent", data)
            if rng.random() < self.opens * self._engagement(at):
                opened = at + int(rng.expovariate(1 / 0.4) * _DAY)
                self._add(opened, "email_opened", data)
                if rng.random() < 0.25:
                    self._add(opened + 30_000, "email_clicked", data)
            at += 14 * _DAY
            issue += 1

    def _happen(self, event_type: str, rate: float, *, by_engagement: bool) -> None:
        """Add a Poisson process of at most `rate` events a day, thinned by engagement or by trouble."""
        rng = self.rng
        at = self.registered + int(rng.expovariate(rate) * _DAY)
        while at < self.end:
            if rng.random() < (self._engagement(at) if by_engagement else self._trouble(at)):
                self._add(at, event_type, _data_of(rng, event_type, "", self.level))
            at += int(rng.expovariate(rate) * _DAY) + 1

    def _complain(self) -> None:
        self._happen("support_ticket_created", 0.012, by_engagement=False)
        self._happen("cart_abandoned", 0.012, by_engagement=False)


SAMPLE_DAYS = 548


def sample_histories(customers: int, *, now: datetime, seed: int = 1) -> list[tuple[str, list[Event]]]:
    """Return a year and a half of a simulated shop, for a first model before there is history to learn from."""
    shop = simulate(customers, seed=seed, start=now - timedelta(days=SAMPLE_DAYS), end=now)
    return [(customer.customer_id, customer.events) for customer in shop]
