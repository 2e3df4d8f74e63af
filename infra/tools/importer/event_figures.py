"""What the events of a file come to."""

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

from churn.domain.events import EVENT_TYPES, MADE_ID, Event, order_cents

# What other systems call events, as `_plain` writes them.
_MEANT = {
    **dict.fromkeys(("purchase", "order", "ordercompleted", "checkoutcompleted", "sale", "buy"), "order_placed"),
    **dict.fromkeys(("transaction", "orderpaid", "ordercreated", "conversion", "payment"), "order_placed"),
    **dict.fromkeys(("cancel", "cancellation", "orderrefunded", "refund", "return"), "order_cancelled"),
    **dict.fromkeys(("signup", "signedup", "register", "registration", "usercreated"), "customer_registered"),
    **dict.fromkeys(("signin", "signedin", "userlogin", "loggedin", "sessionstart"), "login"),
    **dict.fromkeys(("cart", "addtocart", "checkoutabandoned", "abandonedcart"), "cart_abandoned"),
}


@dataclass(slots=True)
class EventFigures:
    """Counts of events; `money` in hundredths."""

    orders: int = 0
    money: int = 0
    unvalued: int = 0
    """Orders of an unknown value."""
    equal: int = 0
    """Events without an id that equal one before in all that the file says of them: they are that event."""
    first: int | None = None
    last: int | None = None

    def add(self, event: Event, *, is_repeated: bool) -> None:
        """Count an event; one that repeats another counts nowhere else."""
        if is_repeated:
            self.equal += event.event_id.startswith(MADE_ID)
            return
        self.first = event.at if self.first is None else min(self.first, event.at)
        self.last = event.at if self.last is None else max(self.last, event.at)
        if event.event_type == "order_placed":
            cents = order_cents(event.data)
            self.orders += cents is None or cents > 0
            self.unvalued += cents is None
            self.money += cents or 0


def unknown_types(types: Counter[str]) -> Counter[str]:
    """Return the types of events that the service does not know, with their counts."""
    return Counter({name: count for name, count in types.items() if name not in EVENT_TYPES})


def told_types(types: Counter[str]) -> str:
    """Return unknown types in words, each with the one that it is likely to mean."""
    named = (
        f"{name!r:.60} ({count:,}{f'; is it {meant}?' if (meant := _meant(name)) else ''})"
        for name, count in types.most_common(8)
    )
    return ", ".join(named) + (" ..." if len(types) > 8 else "")


def _meant(name: str) -> str | None:
    plain = _plain(name)
    usual = {_plain(known): known for known in sorted(EVENT_TYPES)} | _MEANT
    close = get_close_matches(plain, usual, n=1, cutoff=0.85)
    return usual[close[0]] if close else None


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))[:60]
