"""Orders whose value nobody told: they count, and what they were worth is unknown, which is not 0."""

import json
from datetime import timedelta

from churn.domain.customer import CustomerState, replay
from churn.domain.events import parse_event
from churn.domain.features import inputs_at
from churn.domain.hypotheses import Hypothesis, HypotheticalEvent, StoredCustomer
from churn.domain.orders import MemoryLedger
from churn.domain.timestamps import iso, to_millis
from tests.support.events import NOW, event, order

_DAY = timedelta(days=1)


def test_an_order_without_a_value_is_an_event_whether_it_is_absent_or_null() -> None:
    wire = {"event_type": "order_placed", "customer_id": "C-1", "timestamp": iso(NOW), "data": {"order_id": "1"}}
    absent = parse_event(wire, now=NOW)
    null = parse_event(wire | {"data": {"order_id": "1", "order_value": None}}, now=NOW)
    for one in (absent, null):
        state = replay([one])
        assert (state.purchases.orders, state.purchases.total_cents) == (1, None)
        assert state.last_order_at == NOW


def test_it_counts_for_recency_and_label_and_what_was_spent_is_unknown() -> None:
    state = replay([order(days_ago=50, value=80), order(days_ago=20, value=None), order(days_ago=10, value=0)])
    inputs = inputs_at(state, NOW, {})
    assert (inputs["total_orders"], inputs["days_since_last_order"], inputs["purchase_days"]) == (2, 20, 2)
    assert (inputs["total_spent"], inputs["spent_90_days"]) == (None, None)
    assert inputs["avg_order_value"] == 80
    end = to_millis(NOW)
    since = to_millis(NOW - 30 * _DAY)
    assert state.ordered_between(since, end)
    assert state.bought_between(since, end) == (1, None)
    assert state.bought_between(to_millis(NOW - 60 * _DAY), since) == (1, 8000)
    assert state.is_eligible(end, 30)
    # The order of value 0 is none.
    assert not state.ordered_between(to_millis(NOW - 15 * _DAY), end)


def test_of_two_versions_of_one_instant_the_one_that_tells_the_value_counts() -> None:
    told, untold = (order(days_ago=5, value=value, order_id="A-1") for value in (30, None))
    for events in ([told, untold], [untold, told]):
        assert replay(events).purchases.total_cents == 3000


def test_a_value_that_is_told_later_or_an_order_that_is_cancelled_makes_the_spend_known_again() -> None:
    untold = order(days_ago=5, value=None, order_id="A-1")
    for later in (
        order(days_ago=5, value=12, order_id="A-1", revised_at=iso(NOW)),
        event("order_cancelled", days_ago=1, order_id="A-1"),
    ):
        state = replay([order(days_ago=9, value=8), untold])
        assert inputs_at(state, NOW, {})["total_spent"] is None
        state.apply(later)
        assert inputs_at(state, NOW, {})["total_spent"] in {8, 20}
        assert state.purchases.unvalued == 0


def test_states_of_before_stay_as_they_are_and_new_ones_keep_what_is_unknown() -> None:
    known = replay([order(days_ago=5)], to_millis(NOW))
    assert len(json.loads(known.to_json())["purchases"]) == 7
    unknown = replay([order(days_ago=5, value=None)], to_millis(NOW))
    for state in (known, unknown):
        again = CustomerState.from_json(state.to_json(), MemoryLedger())
        assert again == state
        assert again.purchases.total_cents == state.purchases.total_cents


def test_a_what_if_of_an_order_where_values_are_unknown_has_none_itself() -> None:
    stored = StoredCustomer(replay([order(days_ago=90, value=None), order(days_ago=60, value=None)]), NOW)
    sooner = Hypothesis(stored, {"days_since_last_order": 3.0})
    inputs = sooner.inputs(frozenset(sooner.changes))
    assert (inputs["total_orders"], inputs["days_since_last_order"], inputs["total_spent"]) == (3, 3, None)
    asked = Hypothesis(stored, {}, [HypotheticalEvent("order_placed", 0)])
    assert asked.inputs(frozenset(asked.changes))["total_orders"] == 3
