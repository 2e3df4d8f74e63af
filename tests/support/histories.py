"""Any events of one customer, for property tests."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from churn.domain.events import Event
from tests.support.events import NOW

ALL_OBSERVED = dict.fromkeys(
    [
        "support_tickets",
        "product_returns",
        "payment_failures",
        "login_frequency",
        "email_sent",
        "email_opened",
        "email_clicked",
        "loyalty_points",
    ],
    0,
)


_TYPES = [
    "customer_registered",
    "profile_updated",
    "order_placed",
    "order_cancelled",
    "order_returned",
    "payment_failed",
    "support_ticket_created",
    "email_sent",
    "email_opened",
    "login",
    "loyalty_points_changed",
    "subscription_cancelled",
    "product_viewed",
    "a_type_of_tomorrow",
]


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    """Draw an event of the last 120 days."""
    event_type = draw(st.sampled_from([*_TYPES, *_TYPES, "customer_deleted"]))
    data: dict[str, Any] = {"order_id": draw(st.sampled_from(["o1", "o2", "o3"])), "order_value": draw(_AMOUNTS)}
    if event_type == "loyalty_points_changed":
        data = draw(st.fixed_dictionaries({"points": st.integers(-50, 50)}, optional={"balance": _AMOUNTS}))
    elif event_type in {"customer_registered", "profile_updated"}:
        data = draw(st.fixed_dictionaries({}, optional={"name": st.text(max_size=3), "loyalty_points": _AMOUNTS}))
    elif event_type == "order_placed" and draw(st.booleans()):
        data["discount_value"] = draw(_AMOUNTS)
        data["order_value"] = draw(st.none() | _AMOUNTS)
    minutes = draw(st.integers(0, 60 * 24 * 120) | st.sampled_from([0, 1440, 1441]))
    return Event(draw(st.uuids()).hex, event_type, "CUST-001", NOW - timedelta(minutes=minutes), data)


_AMOUNTS = st.decimals(0, 1000, places=2).map(float)
