"""Each number of a table of cohorts opens the list of exactly the customers that it counts."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from churn.adapters.mysql import Database, customer_search
from churn.adapters.redis_cache import Cache
from churn.domain.cohorts import CohortPeriod
from churn.entrypoints.http.customer_requests import CustomersQuery
from churn.services.cohorts import cohort_table
from churn.services.customer_filters import CustomerFilters
from churn.services.customers import CustomerQuery, Customers
from churn.services.scoring import Scoring
from churn.services.segments import Segments
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import watch_plans

_SETTINGS = Settings.from_environment({})


@pytest.fixture
def shop(database: Database) -> Database:
    """30 customers with up to 6 orders of 100 days, some of which were cancelled or cost nothing, and one erased."""
    chance, events = random.Random(7), []
    for number in range(30):
        who = f"C-{number:02d}"
        events.append(event("customer_registered", who, days_ago=110))
        for purchase in range(chance.randint(0, 6)):
            order_id, days = f"o{purchase}", chance.choice([chance.uniform(0, 100), 10, 40, -1])
            events.append(order(who, days_ago=days, value=chance.choice([0, 5, 9]), order_id=order_id))
            if chance.random() < 0.2:
                events.append(event("order_cancelled", who, order_id=order_id))
    events.append(event("customer_deleted", "C-29"))
    Scoring(database, RecencyModel(), _SETTINGS).apply(events, now=NOW)
    return database


def _asked(link: str) -> dict[str, Any]:
    query = CustomersQuery.model_validate(dict(parse_qsl(urlsplit(link).query)))
    return query.model_dump(exclude_unset=True)


def _listed(customers: Customers, asked: dict[str, Any]) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = customers.page(CustomerQuery(**asked, limit=3, cursor=cursor or None), NOW)
        found += [customer["customer_id"] for customer in page["customers"]]
        cursor = page["next_cursor"]
    return found


def _numbers(database: Database, by: CohortPeriod) -> Iterator[tuple[int, str]]:
    for cohort in cohort_table(database, by, 20, NOW)["cohorts"]:
        yield cohort["customers"], cohort["link"]
        for age in cohort["ages"]:
            assert (age["link"] is None) == (not age["customers"])
            if age["link"] is not None:
                yield age["customers"] or 0, age["link"]


@pytest.mark.parametrize("by", ["month", "week"])
@pytest.mark.parametrize(("many", "walked"), [(10_000, 10_000), (0, 1)])
def test_it_lists_as_many_as_are_counted(
    shop: Database, monkeypatch: pytest.MonkeyPatch, by: CohortPeriod, many: int, walked: int
) -> None:
    monkeypatch.setattr(customer_search, "MANY_MATCHES", many)
    monkeypatch.setattr(customer_search, "MOST_WALKED", walked)
    customers = Customers(shop, _SETTINGS)
    numbers = list(_numbers(shop, by))
    assert len([number for number, _ in numbers if number]) > 5
    for number, link in numbers:
        listed = _listed(customers, _asked(link))
        assert len(listed) == len(set(listed)) == number, link
        if many:
            page = customers.page(CustomerQuery(**_asked(link), limit=1), NOW)
            assert (page["total"], page["total_is_lower_bound"]) == (number, False)


def test_a_segment_of_them_counts_as_many_and_each_filter_narrows_another(shop: Database) -> None:
    segments, customers = Segments(shop, Cache(""), _SETTINGS), Customers(shop, _SETTINGS)
    for place, (number, link) in enumerate(_numbers(shop, "month")):
        asked = _asked(link)
        segment = segments.add(f"cohort {place}", CustomerFilters(**asked), "anna", NOW)
        assert segment["figures"] is not None
        assert segment["figures"]["customers"] == number
        again = {name: value for name, value in asked.items() if name.startswith("ordered_again")}
        both = {**again, "first_order_from": asked["first_order_from"], "segment": str(segment["id"])}
        assert len(_listed(customers, both)) == number


def test_a_side_that_is_open_bounds_nothing(shop: Database) -> None:
    customers = Customers(shop, _SETTINGS)
    first, last = date(2026, 8, 1), NOW.date() + timedelta(days=1)
    from_then = _listed(customers, {"ordered_again_from": first})
    assert set(from_then) == set(_listed(customers, {"ordered_again_to": last}))
    started = _listed(customers, {"first_order_to": last})
    assert set(started) == set(_listed(customers, {"first_order_from": first}))
    assert 0 < len(from_then) < len(started) < 29
    with_orders = _listed(customers, {"min_total_orders": 1})
    assert set(started) == set(with_orders)


def test_a_cohort_is_a_range_of_an_index_and_its_customers_are_looked_up_by_key(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = Customers(shop, _SETTINGS)
    link = next(age for _, age in _numbers(shop, "month") if "ordered_again" in age)
    plans = watch_plans(monkeypatch, lambda statement: "first_order_day" in statement)
    assert customers.page(CustomerQuery(**_asked(link)), NOW)["customers"]
    used = {(row["table"], row["type"], row["key"]) for plan in plans for row in plan if row["key"]}
    assert ("c", "range", "customers_by_first_order") in used
    assert ("c", "eq_ref", "PRIMARY") in used
    assert {key for table, _, key in used if table == "o"} <= {"orders_by_time", "PRIMARY"}
    assert {kind for _, kind, _ in used} <= {"range", "eq_ref", "ref"}
