"""Lists of customers, one customer, and their history, over a real database."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction, customer_counts, customer_search
from churn.adapters.mysql import customers as stored_customers
from churn.adapters.mysql.database import Row
from churn.domain.answers import CustomerPage
from churn.domain.customer_record import CUSTOMER_FIELDS, CustomerSort, SortOrder
from churn.domain.errors import CustomerNotFoundError
from churn.domain.risk import ACTIVE_STATUSES, CUSTOMER_STATUSES
from churn.services.customers import CustomerQuery, Customers, OffsetRefusedError
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.integration.services.conftest import SHOP_SIZE
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import every_plan, watch_plans

_WINDOW = ("lapsed_since", "lapsed_until")
_SETTINGS = Settings.from_environment({})


@pytest.fixture
def customers(shop: Database) -> Customers:
    return Customers(shop, _SETTINGS)


def _ids(page: CustomerPage) -> list[str]:
    return [customer["customer_id"] for customer in page["customers"]]


@pytest.mark.parametrize("sort", list(customer_search.SORT_COLUMNS))
@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("limit", [1, 4, 20, 24])
def test_pages_by_cursor_and_by_offset_are_the_whole_list_in_order(
    customers: Customers, sort: CustomerSort, order: SortOrder, limit: int
) -> None:
    def page(**more: Any) -> CustomerPage:
        return customers.page(CustomerQuery(sort=sort, order=order, **more), NOW)

    whole = page(limit=500)["customers"]
    assert len(whole) == SHOP_SIZE
    rows: list[dict[str, Any]] = [dict(customer) for customer in whole]
    values = [row[sort] for row in rows]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=order == "desc")
    assert values[len(known) :] == [None] * (SHOP_SIZE - len(known))

    by_cursor, cursor = [], None
    while True:
        found = page(limit=limit, cursor=cursor)
        assert found["total"] == SHOP_SIZE
        by_cursor += _ids(found)
        cursor = found["next_cursor"]
        if cursor is None:
            break
    by_offset = [name for start in range(0, SHOP_SIZE, limit) for name in _ids(page(limit=limit, offset=start))]
    assert by_cursor == by_offset == [customer["customer_id"] for customer in whole]


@pytest.mark.parametrize(
    "filters",
    [
        {"risk_level": ("low",)},
        {"risk_level": ("medium",)},
        {"risk_level": ("medium", "high")},
        {"status": ("insufficient_data",)},
        {"status": ACTIVE_STATUSES},
        {"status": CUSTOMER_STATUSES, "risk_level": ("low",)},
        {"status": ("insufficient_data", "lapsed"), "risk_level": ("low", "medium")},
        {"status": ACTIVE_STATUSES, "risk_level": ("medium", "high"), "search": "name2"},
        {"lapsed_since": NOW + timedelta(days=145), "lapsed_until": NOW + timedelta(days=160)},
        {"lapsed_since": NOW + timedelta(days=145), "risk_level": ("low",)},
        {"lapsed_until": NOW + timedelta(days=160), "status": ("active",), "search": "muller"},
    ],
)
@pytest.mark.parametrize("sort", list(customer_search.SORT_COLUMNS))
@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("many", [0, 10_000])
def test_a_filter_of_several_values_is_a_part_of_the_list_in_its_order(
    customers: Customers,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict[str, Any],
    sort: CustomerSort,
    order: SortOrder,
    many: int,
) -> None:
    def matches(customer: Mapping[str, Any]) -> bool:
        lapses = NOW + timedelta(days=_SETTINGS.inactivity_days - (customer["days_since_last_order"] or -1e5))
        return (
            all(customer[name] in filters.get(name, (customer[name],)) for name in ("risk_level", "status"))
            and all(word in customer["name"].lower().replace("ü", "u") for word in [filters.get("search", "")])
            and ("lapsed_since" not in filters or filters["lapsed_since"] < lapses)
            and ("lapsed_until" not in filters or lapses <= filters["lapsed_until"])
            and (customer["days_since_last_order"] is not None or not any(name in filters for name in _WINDOW))
        )

    everybody = customers.page(CustomerQuery(sort=sort, order=order, limit=500), NOW)["customers"]
    expected = [customer["customer_id"] for customer in everybody if matches(customer)]
    assert 0 < len(expected) < len(everybody) or filters.get("status") == CUSTOMER_STATUSES
    if "search" not in filters:
        # Whatever the number of matches decides about the plan.
        monkeypatch.setattr(customer_search, "MANY_MATCHES", many)
    found: list[str] = []
    cursor = None
    while not found or cursor is not None:
        query = CustomerQuery(sort=sort, order=order, limit=3, cursor=cursor, **filters)
        page = customers.page(query, NOW)
        assert (page["total"], page["total_is_lower_bound"]) == (len(expected), False)
        found += _ids(page)
        cursor = page["next_cursor"]
    assert found == expected
    if sort in {"value_at_risk", "expected_spend", "risk_change_7d"} and not filters.keys() <= {"risk_level", "status"}:
        with pytest.raises(OffsetRefusedError):
            customers.page(CustomerQuery(sort=sort, offset=3, **filters), NOW)
        return
    by_offset = [
        name
        for start in range(0, len(expected), 3)
        for name in _ids(customers.page(CustomerQuery(sort=sort, order=order, limit=3, offset=start, **filters), NOW))
    ]
    assert by_offset == expected


@pytest.mark.parametrize(
    ("search", "count"),
    [("cust-00", 10), ("name7", 1), ("MULLER", SHOP_SIZE), ("muller name1", 11), ("n3@", 1), ("nobody", 0), ("% _", 0)],
)
def test_customers_are_found_by_beginnings_of_their_words(customers: Customers, search: str, count: int) -> None:
    page = customers.page(CustomerQuery(search=search, limit=500), NOW)
    assert (len(page["customers"]), page["total"], page["total_is_lower_bound"]) == (count, count, False)


def test_a_search_that_finds_very_many_walks_the_order(customers: Customers, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = _ids(customers.page(CustomerQuery(search="muller", limit=500), NOW))
    monkeypatch.setattr(customer_search, "MANY_MATCHES", 3)
    monkeypatch.setattr(customer_counts, "MOST_FOR_A_PAGE", 0)
    page = customers.page(CustomerQuery(search="muller", limit=10), NOW)
    assert _ids(page) == everybody[:10]
    assert (page["total"], page["total_is_lower_bound"]) == (11, True)
    rest = customers.page(CustomerQuery(search="muller", limit=100, cursor=page["next_cursor"]), NOW)
    assert _ids(rest) == everybody[10:]


def test_a_search_goes_on_by_cursor_a_bounded_part_at_a_time(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = CustomerQuery(search="muller name1", limit=2)
    expected = _ids(customers.page(replace(query, limit=500), NOW))
    monkeypatch.setattr(customer_search, "MANY_MATCHES", 0)
    monkeypatch.setattr(customer_search, "MOST_WALKED", 1)
    pages = [customers.page(query, NOW)]
    # Who goes on by an offset skips as many as a page has.
    assert _ids(pages[0]) == expected[:2]
    assert _ids(customers.page(replace(query, offset=2), NOW)) == expected[2:4]
    while (cursor := pages[-1]["next_cursor"]) is not None:
        pages.append(customers.page(replace(query, cursor=cursor), NOW))
    assert [name for page in pages for name in _ids(page)] == expected
    assert [] in map(_ids, pages)


@pytest.mark.parametrize("is_span", [True, False])
def test_of_those_who_lapse_only_a_span_is_counted_to_its_end(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, is_span: bool
) -> None:
    bounds: dict[str, Any] = {"lapsed_since": NOW - timedelta(days=1000)}
    if is_span:
        bounds["lapsed_until"] = NOW + timedelta(days=1000)
    number = customers.page(CustomerQuery(limit=500, **bounds), NOW)["total"]
    monkeypatch.setattr(customer_search, "MANY_MATCHES", 3)
    monkeypatch.setattr(customer_counts, "MOST_FOR_A_PAGE", 0)
    page = customers.page(CustomerQuery(sort="days_since_last_order", limit=4, **bounds), NOW)
    assert number > 5
    assert (page["total"], page["total_is_lower_bound"]) == ((number, False) if is_span else (5, True))


def test_a_percentile_is_the_share_of_current_customers_whose_risk_is_not_higher(customers: Customers) -> None:
    everybody = customers.page(CustomerQuery(limit=500), NOW)["customers"]
    current = [customer for customer in everybody if customer["status"] in ACTIVE_STATUSES]
    assert 0 < len(current) < len(everybody)
    for customer in everybody:
        risk = customer["churn_probability"]
        not_higher = [other for other in current if (other["churn_probability"] or 0) <= (risk or 0)]
        expected = round(100 * len(not_higher) / len(current), 1) if customer in current else None
        assert customer["risk_percentile"] == expected
        spend = customer["expected_spend"]
        assert customer["value_at_risk"] == (None if spend is None else round((risk or 0) * spend, 2))
        assert (spend is None) == (customer["expected_orders"] is None) == (not customer["total_orders"])
        basis = None if spend is None else "purchase_process"
        assert customer["expected_spend_basis"] == basis


def test_features_are_of_now_and_drivers_of_the_stored_prediction(customers: Customers) -> None:
    later = NOW + timedelta(days=10)
    customer = customers.get("CUST-020", later)
    assert customer["days_since_last_order"] == pytest.approx(50)
    assert customer["churn_probability"] == pytest.approx(0.4)
    assert customer["last_prediction_at"] == "2026-11-23T12:00:00Z"
    assert [driver["feature"] for driver in customer["drivers"]] == ["days_since_last_order"]
    assert (customer["name"], customer["risk_level"], customer["is_active"]) == ("Name20 Müller", "medium", True)


def test_a_deleted_customer_is_nowhere(shop: Database, customers: Customers) -> None:
    Scoring(shop, RecencyModel(), _SETTINGS).apply([event("customer_deleted", "CUST-020")], now=NOW)
    page = customers.page(CustomerQuery(limit=500), NOW)
    assert "CUST-020" not in _ids(page)
    assert page["total"] == SHOP_SIZE - 1
    assert customers.page(CustomerQuery(search="cust-020"), NOW)["total"] == 0
    assert customers.stored({"CUST-020"}, NOW) == {}


def test_a_history_is_cut_by_type_and_time(customers: Customers) -> None:
    everything = customers.events("CUST-020", limit=10)
    assert [found["event_type"] for found in everything["events"]] == ["order_placed", "customer_registered"]
    one = customers.events("CUST-020", limit=10, event_type="order_placed")
    assert (one["total"], one["events"][0]["event_data"]["order_value"]) == (1, 70)
    assert customers.events("CUST-020", limit=10, date_to=NOW - timedelta(days=100))["total"] == 1
    assert customers.events("CUST-020", limit=1)["total"] == 2


def test_dates_are_utc(customers: Customers) -> None:
    assert json.dumps(customers.get("CUST-020", datetime.now(UTC)))


def test_a_page_of_fields_has_what_the_whole_customers_have(customers: Customers) -> None:
    query = CustomerQuery(limit=7, sort="risk_change_7d")
    whole = customers.page(query, NOW)
    assert {name for customer in whole["customers"] for name in customer} == {*CUSTOMER_FIELDS} - {"error"}
    for chosen in (*((field,) for field in CUSTOMER_FIELDS), ("name", "value_at_risk"), CUSTOMER_FIELDS):
        page = customers.page_of_fields(query, chosen, NOW)
        expected = [{name: value for name, value in one.items() if name in chosen} for one in whole["customers"]]
        assert page == {**whole, "customers": expected}


@pytest.mark.parametrize(
    ("fields", "is_read"),
    [
        (("total_spent",), {"customer_states": True, "totals": False}),
        (("name", "churn_probability", "expected_spend_interval"), {"customer_states": False, "totals": False}),
        (("risk_percentile",), {"customer_states": False, "totals": True}),
    ],
)
def test_a_page_reads_what_its_fields_need(
    customers: Customers, fields: tuple[str, ...], is_read: dict[str, bool]
) -> None:
    with every_plan() as plans:
        customers.page_of_fields(CustomerQuery(search="cust", limit=5), fields, NOW)
    asked = " ".join(plans)
    assert {table: f" {table}" in asked for table in is_read} == is_read


def test_a_move_between_two_reads_skips_nobody_who_never_moved(
    customers: Customers, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Database(mysql_url)
    before = customers.page(CustomerQuery(limit=500), NOW)["customers"]
    last = before[9]["customer_id"]
    listed = stored_customers.listed

    def after_a_move(transaction: Transaction, keys: Sequence[int], column: str, *, with_states: bool) -> list[Row]:
        # The customer at the end of the page falls to the end of the list, after its place was read.
        move = "UPDATE customers SET churn_probability = 0 WHERE customer_id = %s"
        other.run(lambda meanwhile: meanwhile.execute(move, (last,)))
        return listed(transaction, keys, column, with_states=with_states)

    with monkeypatch.context() as moving:
        moving.setattr(stored_customers, "listed", after_a_move)
        first = customers.page(CustomerQuery(limit=10), NOW)
    second = customers.page(CustomerQuery(limit=500, cursor=first["next_cursor"]), NOW)
    seen = set(_ids(first)) | set(_ids(second))
    assert seen == {customer["customer_id"] for customer in before}
    other.close()


def test_a_customer_is_found_under_each_form_of_the_id(database: Database) -> None:
    old_form, form, new = "Zoe\u0308", "Zo\u00eb", "Am\u00e9lie"
    Scoring(database, RecencyModel(), _SETTINGS).apply([order(old_form), order(new)], now=NOW)
    customers = Customers(database, _SETTINGS)
    for asked, found in {
        old_form: old_form,
        f" {old_form} ": old_form,
        form: old_form,
        new: new,
        "Ame\u0301lie": new,
        f" {new}": new,
    }.items():
        assert customers.get(asked, NOW)["customer_id"] == found
        assert customers.events(asked, limit=5)["total"] == 1
        assert customers.stored({asked}, NOW).keys() == {asked}
    # Case distinguishes.
    for asked in (new.upper(), old_form.upper(), "nobody", "\ufffd"):
        with pytest.raises(CustomerNotFoundError):
            customers.get(asked, NOW)
    assert len(customers.stored({old_form, new, "nobody"}, NOW)) == 2


def test_a_history_with_numbers_that_are_none_can_be_shown(database: Database) -> None:
    Scoring(database, RecencyModel(), _SETTINGS).apply([event("login", weight=math.inf, height=[math.nan])], now=NOW)
    page = Customers(database, _SETTINGS).events("CUST-001", limit=5)
    json.loads(json.dumps(page, allow_nan=False))
    assert page["events"][0]["event_data"] == {"weight": "Infinity", "height": ["NaN"]}


@pytest.mark.parametrize("sort", ["churn_probability", "days_since_last_order"])
@pytest.mark.parametrize("cursor", [False, True])
def test_levels_and_statuses_are_read_in_the_order_of_an_index(
    customers: Customers, monkeypatch: pytest.MonkeyPatch, sort: CustomerSort, cursor: bool
) -> None:
    query = CustomerQuery(sort=sort, limit=3, status=ACTIVE_STATUSES, risk_level=("low", "medium"))
    after = customers.page(query, NOW)["next_cursor"] if cursor else None
    plans = watch_plans(monkeypatch, lambda statement: "FORCE INDEX" in statement)
    assert customers.page(replace(query, cursor=after), NOW)["customers"]
    (plan,) = plans
    parts = [row for row in plan if str(row["key"]).startswith("customers_by_group_")]
    # Three statuses of two levels; only what is merged of them is sorted.
    assert len(parts) == 6
    assert not any("filesort" in (row["Extra"] or "") or "temporary" in (row["Extra"] or "") for row in parts)
