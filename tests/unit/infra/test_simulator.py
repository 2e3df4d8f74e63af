"""The simulated shop: the same for the same seed, valid on the wire, and true to its stated model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from random import Random

import pytest

from churn.domain.events import EVENT_TYPES, parse_event
from churn.domain.timestamps import iso
from infra.tools.simulator import SimulatedCustomer, live_events, simulate, true_churn_probability

START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=548)


@lru_cache
def shop() -> list[SimulatedCustomer]:
    return list(simulate(800, seed=3, start=START, end=END))


def test_the_same_seed_gives_the_same_shop_and_another_seed_another() -> None:
    assert list(simulate(50, seed=3, start=START, end=END)) == shop()[:50]
    assert next(simulate(1, seed=4, start=START, end=END)).events != shop()[0].events


def test_identifiers_count_from_one_and_events_have_their_own() -> None:
    assert [customer.customer_id for customer in shop()[:2]] == ["CUST-001", "CUST-002"]
    ids = [event.event_id for customer in shop() for event in customer.events]
    assert len(set(ids)) == len(ids)


def test_every_event_is_valid_on_the_wire_and_within_the_time() -> None:
    for customer in shop()[:200]:
        assert [event.at for event in customer.events] == sorted(event.at for event in customer.events)
        for event in customer.events:
            assert START <= event.timestamp < END
            assert event.event_type in EVENT_TYPES
            assert parse_event({**asdict(event), "timestamp": iso(event.timestamp)}, now=END) == event


def test_customers_leave_forty_to_eighty_events_each() -> None:
    assert 40 <= sum(len(customer.events) for customer in shop()) / len(shop()) <= 80


def test_nobody_orders_after_the_drop_out() -> None:
    for customer in shop():
        orders = [event.timestamp for event in customer.events if event.event_type == "order_placed"]
        assert not orders or max(orders) <= customer.drops_out_at


def test_engagement_fades_before_the_drop_out() -> None:
    opened: Counter[str] = Counter()
    for customer in shop():
        for event in customer.events:
            left = (customer.drops_out_at - event.timestamp).days
            period = "early" if left > 80 else "late" if left < 0 else "between"
            opened[f"{event.event_type} {period}"] += 1
    early, late = (opened[f"email_opened {period}"] / opened[f"email_sent {period}"] for period in ("early", "late"))
    assert late < early / 4


def test_the_true_probability_is_how_often_it_happens() -> None:
    as_of, horizon = START + timedelta(days=400), 90
    known = [customer for customer in shop() if customer.registered_at < as_of - timedelta(days=20)]
    expected = [true_churn_probability(customer, as_of, horizon) for customer in known]
    silent = [
        not any(
            event.event_type == "order_placed" and as_of <= event.timestamp < as_of + timedelta(days=horizon)
            for event in customer.events
        )
        for customer in known
    ]
    spread = math.sqrt(sum(p * (1 - p) for p in expected))
    assert abs(sum(silent) - sum(expected)) < 4 * spread


def test_live_events_are_valid_and_of_the_given_customers() -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    events = list(islice(live_events(Random(1), ["CUST-001", "CUST-007"], lambda: now), 500))
    assert events == list(islice(live_events(Random(1), ["CUST-001", "CUST-007"], lambda: now), 500))
    assert len({event.event_id for event in events}) == 500
    assert {event.customer_id for event in events} == {"CUST-001", "CUST-007"}
    for event in events:
        assert parse_event({**asdict(event), "timestamp": iso(event.timestamp)}, now=now) == event


@pytest.mark.parametrize(("days", "expected"), [(-1, 1.0), (10, math.exp(-1)), (1000, math.exp(-9))])
def test_the_true_probability_follows_rate_and_drop_out(days: int, expected: float) -> None:
    customer = SimulatedCustomer("C", [], 0.1, START, END + timedelta(days=days), 0.002)
    assert true_churn_probability(customer, END, 90) == pytest.approx(expected)
