"""A version of an order that says when it was made replaces those before it, in whatever order events arrive."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.customer import CustomerState, replay
from churn.domain.errors import InvalidInputError
from churn.domain.events import Event, parse_event
from churn.domain.timestamps import iso

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLACED = datetime(2026, 1, 5, tzinfo=UTC)


def same_in_any_order(events: Sequence[Event], chance: object) -> CustomerState:
    """Assert that the events make the same state in their order and shuffled; return it."""
    shuffled = [*events]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = replay([]), replay([])
    for event in events:
        one.apply(event)
    for event in shuffled:
        other.apply(event)
    assert one.to_json() == other.to_json()
    assert one.ledger.get("A-1") == other.ledger.get("A-1")
    return one


def version(number: int, value: float, revised: datetime | None = None, at: datetime = PLACED) -> Event:
    data = {"order_id": "A-1", "order_value": value} | ({"revised_at": iso(revised)} if revised else {})
    return Event(f"e-{number}", "order_placed", "C-1", at, data)


def test_a_later_version_counts_though_it_is_smaller() -> None:
    later = PLACED + timedelta(days=3)
    events = [version(1, 10), version(2, 6, later), version(3, 8, later - timedelta(days=1))]
    for order in permutations(events):
        assert replay(order).purchases.cents == 600


def test_without_an_instant_the_newer_and_of_equally_old_ones_the_larger_counts() -> None:
    assert replay([version(1, 10), version(2, 6)]).purchases.cents == 1000
    assert replay([version(1, 10), version(2, 6, at=PLACED + timedelta(hours=1))]).purchases.cents == 600


_DAYS = st.integers(0, 3)
_VERSIONS = st.lists(st.tuples(st.integers(0, 3), _DAYS, st.none() | _DAYS), min_size=1, max_size=5)


def cancellation(number: int, day: int, known: int | None = None) -> Event:
    data = {"order_id": "A-1"} | ({} if known is None else {"revised_at": iso(PLACED + timedelta(days=known))})
    return Event(f"c-{number}", "order_cancelled", "C-1", PLACED + timedelta(days=day), data)


def reinstatement(number: int, day: int) -> Event:
    data = {"order_id": "A-1", "order_value": 10, "reinstated_at": iso(PLACED + timedelta(days=day))}
    return Event(f"r-{number}", "order_placed", "C-1", PLACED, data)


def test_a_reinstated_order_counts_until_a_cancellation_that_is_known_later() -> None:
    events = [version(1, 10), cancellation(1, 0), reinstatement(1, 2)]
    for order in permutations(events):
        assert replay(order).purchases.orders == 1
    # The same word "cancelled" again, which the import of day 4 has seen.
    for order in permutations([*events, cancellation(2, 0, known=4)]):
        state = replay(order)
        stored = state.ledger.get("A-1")
        assert (state.purchases.orders, stored and stored.cancelled_at) == (
            0,
            round((PLACED + timedelta(days=4)).timestamp() * 1000),
        )


@given(
    st.lists(st.tuples(_DAYS, st.none() | _DAYS), max_size=3),
    st.lists(_DAYS, max_size=2),
    st.randoms(use_true_random=False),
)
def test_cancellations_and_reinstatements_commute(
    cancelled: list[tuple[int, int | None]], reinstated: list[int], chance: object
) -> None:
    events = [version(1, 10)]
    events += [cancellation(number, day, known) for number, (day, known) in enumerate(cancelled)]
    events += [reinstatement(number, day) for number, day in enumerate(reinstated)]
    one = same_in_any_order(events, chance)
    newest = max((day if known is None else known for day, known in cancelled), default=-1)
    assert one.purchases.orders == (not cancelled or newest < max(reinstated, default=-1))


@given(_VERSIONS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(versions: list[tuple[int, int, int | None]], chance: object) -> None:
    events = [
        version(
            number,
            value,
            None if revised is None else PLACED + timedelta(days=revised),
            PLACED + timedelta(days=day),
        )
        for number, (value, day, revised) in enumerate(versions)
    ]
    same_in_any_order(events, chance)


def test_an_instant_that_is_none_is_refused_by_its_name() -> None:
    wire = {"event_type": "order_placed", "customer_id": "C-1", "timestamp": iso(PLACED)}
    with pytest.raises(InvalidInputError, match="revised_at"):
        parse_event(wire | {"data": {"order_value": 1, "revised_at": "soon"}}, now=NOW)
    assert replay(
        [Event("e-1", "order_placed", "C-1", PLACED, {"order_value": 1, "revised_at": "soon"})]
    ).purchases.orders
