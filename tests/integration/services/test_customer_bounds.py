"""Lists of customers between bounds, in any order: whole and in order whatever is walked for a page, by known plans."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, customer_counts, customer_search
from churn.domain.customer_record import CustomerSort, SortOrder
from churn.domain.risk import ACTIVE_STATUSES
from churn.services.customers import CustomerQuery, Customers, OffsetRefusedError
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.integration.services.conftest import SHOP_SIZE
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import watch_plans
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})
_SIZE = SHOP_SIZE + 4
Customer = Mapping[str, Any]


@pytest.fixture
def customers(shop: Database) -> Customers:
    """Add to the shop four customers of 100 days, two of whom are at risk, so that an alert is open."""
    events = []
    for number in range(4):
        events.append(event("customer_registered", f"LATE-{number}", days_ago=100, name="Anna Müller"))
        events.append(order(f"LATE-{number}", days_ago=90 - number, value=50 * number + 1))
        events += [event("payment_failed", f"LATE-{number}", days_ago=1 + try_, order_id="o") for try_ in range(number)]
    Scoring(shop, RecencyModel(), _SETTINGS).apply(events, now=NOW)
    return Customers(shop, _SETTINGS)


@pytest.fixture
def alerted(customers: Customers, shop: Database) -> set[str]:
    assert customers
    return {
        row["customer_id"]
        for row in rows(shop, "SELECT c.customer_id FROM alerts a JOIN customers c ON c.id = a.customer_pk")
    }


def _between(name: str, least: float, most: float) -> Callable[[Customer], bool]:
    return lambda customer: customer[name] is not None and least <= customer[name] <= most


_BOUNDS: list[tuple[dict[str, Any], Callable[[Customer], bool]]] = [
    (
        {"min_churn_probability": 0.2, "max_churn_probability": 0.45},
        _between("churn_probability", 0.2, 0.45),
    ),
    ({"min_value_at_risk": 5, "max_value_at_risk": 30}, _between("value_at_risk", 5, 30)),
    ({"min_total_spent": 60, "max_total_spent": 80}, _between("total_spent", 60, 80)),
    ({"min_total_orders": 1}, _between("total_orders", 1, 99)),
    (
        {"min_days_since_last_order": 19.99, "max_days_since_last_order": 50.01},
        _between("days_since_last_order", 20, 50),
    ),
    ({"max_account_age_days": 130.01}, _between("account_age_days", 0, 130)),
    (
        {"min_days_since_last_order": 19.99, "max_total_spent": 85, "status": ACTIVE_STATUSES, "risk_level": ("low",)},
        lambda customer: (
            (customer["days_since_last_order"] or 0) >= 20
            and customer["total_spent"] <= 85
            and customer["status"] in ACTIVE_STATUSES
            and customer["risk_level"] == "low"
        ),
    ),
    (
        {"max_total_spent": 80, "search": "muller"},
        lambda customer: customer["total_spent"] <= 80,
    ),
]


def _everybody(customers: Customers, sort: CustomerSort, order: SortOrder) -> list[Customer]:
    return [*customers.page(CustomerQuery(sort=sort, order=order, limit=500), NOW)["customers"]]


def _paged(customers: Customers, query: dict[str, Any], limit: int = 3) -> list[str]:
    """Return the ids on all pages, whose totals never go back, and come to the number of customers."""
    found: list[str] = []
    cursor, pages, least = None, 0, 0
    while pages == 0 or cursor is not None:
        page = customers.page(CustomerQuery(limit=limit, cursor=cursor, **query), NOW)
        assert len(page["customers"]) <= limit
        found += [customer["customer_id"] for customer in page["customers"]]
        assert page["total"] >= max(least, len(found))
        least = page["total"]
        cursor, pages = page["next_cursor"], pages + 1
        assert pages <= 2 * _SIZE
    assert (page["total"], page["total_is_lower_bound"]) == (len(found), False)
    return found


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("walked", [1, 10_000])
def test_the_pages_between_bounds_are_a_part_of_the_list_in_its_order(
    customers: Customers,
    monkeypatch: pytest.MonkeyPatch,
    order: SortOrder,
    walked: int,
) -> None:
    monkeypatch.setattr(customer_search, "MOST_WALKED", walked)
    for sort in customer_search.SORT_COLUMNS:
        everybody = _everybody(customers, sort, order)
        for bounds, matches in _BOUNDS:
            expected = [customer["customer_id"] for customer in everybody if matches(customer)]
            assert 0 < len(expected) < _SIZE, bounds
            assert _paged(customers, {"sort": sort, "order": order, **bounds}) == expected, (sort, bounds)
            whole = customers.page(CustomerQuery(sort=sort, order=order, limit=500, **bounds), NOW)
            assert (whole["total"], whole["total_is_lower_bound"]) == (len(expected), False)


@pytest.mark.parametrize("many", [0, 10_000])
def test_customers_with_and_without_an_open_alert_are_everybody(
    customers: Customers, alerted: set[str], monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(customer_search, "MANY_MATCHES", many)
    for sort in customer_search.SORT_COLUMNS:
        everybody = [customer["customer_id"] for customer in _everybody(customers, sort, "desc")]
        assert 0 < len(alerted) < len(everybody)
        query: dict[str, Any] = {"sort": sort, "has_open_alert": True}
        assert _paged(customers, query) == [name for name in everybody if name in alerted]
        query["has_open_alert"] = False
        assert _paged(customers, query) == [name for name in everybody if name not in alerted]


def test_a_walk_that_meets_nobody_goes_on_from_where_it_ended(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer_search, "MOST_WALKED", 1)
    monkeypatch.setattr(customer_counts, "MOST_FOR_A_PAGE", 0)
    rarest = _everybody(customers, "total_spent", "asc")[-1]
    query = CustomerQuery(limit=1, sort="churn_probability", min_total_spent=rarest["total_spent"])
    page = customers.page(query, NOW)
    assert (page["total_is_lower_bound"], page["next_cursor"] is not None) == (True, True)


@pytest.mark.parametrize("most", [_SIZE, _SIZE - 1])
def test_each_page_tells_how_many_match_where_few_have_to_be_looked_at(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(customer_counts, "MOST_FOR_A_PAGE", most)
    everybody = _everybody(customers, "customer_id", "asc")
    counts = "SELECT COUNT(*) AS number FROM customers c FORCE INDEX"
    plans = watch_plans(monkeypatch, lambda statement: statement.startswith(counts), "row")
    for bounds, matches in _BOUNDS:
        query = CustomerQuery(sort="value_at_risk", limit=1, **bounds)
        first = customers.page(query, NOW)
        second = customers.page(replace(query, cursor=first["next_cursor"]), NOW)
        # Of these columns there is no index, so that everybody would be looked at.
        is_unknown = most < _SIZE and bounds.keys() <= {"min_total_orders", "max_account_age_days"}
        assert [first["total_is_lower_bound"], second["total_is_lower_bound"]] == [is_unknown] * 2, bounds
        number = sum(map(matches, everybody))
        assert number > 2
        assert is_unknown or [first["total"], second["total"]] == [number] * 2, bounds
    for (row,) in plans:
        assert row["key"] == "PRIMARY" if most == _SIZE else row["key"].startswith("customers_by_"), row
    assert len(plans) >= 8


def test_an_offset_is_refused_before_anything_is_read(customers: Customers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "read", lambda *_: pytest.fail("something was read"))
    for asked in ({"min_total_spent": 1}, {"has_open_alert": True}, {"sort": "value_at_risk", "search": "anna"}):
        with pytest.raises(OffsetRefusedError, match="cursor"):
            customers.page(CustomerQuery(offset=1, **asked), NOW)


def test_every_page_is_read_from_ranges_of_indexes_and_by_keys(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer_search, "MANY_MATCHES", 0)
    asked = [*(bounds for bounds, _ in _BOUNDS), {"has_open_alert": True}, {"changed_since": NOW}, {}]
    queries = [CustomerQuery(sort=sort, limit=3, **bounds) for sort in customer_search.SORT_COLUMNS for bounds in asked]
    pages = [(query, customers.page(query, NOW)["next_cursor"]) for query in queries]
    plans = watch_plans(monkeypatch, lambda statement: "FROM customers c" in statement and "LEFT JOIN" not in statement)
    for query, after in pages:
        plans.clear()
        customers.page(query, NOW)
        customers.page(replace(query, cursor=after), NOW)
        assert plans
        # What is merged of several ranges is sorted, and no more than that.
        ranges = [row for plan in plans for row in plan if row["table"] == "c" and row["key"] != "PRIMARY"]
        for row in ranges:
            assert str(row["key"]).startswith("customers_by_"), (query, row)
            assert "filesort" not in (row["Extra"] or ""), (query, row)


@pytest.mark.parametrize("asked", [{"search": "muller"}, {"has_open_alert": True}])
def test_known_customers_are_sorted_alone_and_read_by_their_keys(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    plans = watch_plans(monkeypatch, lambda statement: "known STRAIGHT_JOIN" in statement)
    for sort in customer_search.SORT_COLUMNS:
        assert customers.page(CustomerQuery(sort=sort, limit=3, **asked), NOW)["customers"]
    assert len(plans) >= len(customer_search.SORT_COLUMNS)
    for plan in plans:
        (row,) = [row for row in plan if row["table"] == "c"]
        assert (row["type"], row["key"]) == ("eq_ref", "PRIMARY")
        assert all(row["key"] for row in plan if not str(row["table"]).startswith("<derived"))


def test_a_change_is_from_the_newest_prediction_of_a_week_ago_and_renewed_by_the_sweep(
    customers: Customers, shop: Database
) -> None:
    def changes(**asked: Any) -> dict[str, float | None]:
        page = customers.page(CustomerQuery(sort="risk_change_7d", limit=500, **asked), NOW)
        return {customer["customer_id"]: customer["risk_change_7d"] for customer in page["customers"]}

    def swept(days: float) -> None:
        scoring = Scoring(shop, RecencyModel(), _SETTINGS)
        sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)

    swept(6.9)
    assert set(changes().values()) == {None}
    later = NOW + timedelta(days=8)
    Scoring(shop, RecencyModel(), _SETTINGS).apply([event("payment_failed", "CUST-010", days_ago=-8)], now=later)
    assert changes()["CUST-010"] == pytest.approx(0.08 + 0.1)
    swept(9.1)
    found = changes()
    ordered = [change for change in found.values() if change is not None]
    assert (len(ordered), next(iter(found))) == (_SIZE, "CUST-010")
    assert ordered == sorted(ordered, reverse=True)
    # Who never ordered keeps the risk, and nothing is stored anew of them.
    assert found["CUST-000"] == 0
    assert "CUST-000" not in changes(changed_since=later)
    assert set(changes(changed_since=NOW - timedelta(days=1))) == set(found)
