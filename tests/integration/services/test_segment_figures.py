"""What segments count and whom they choose: the customers of the list, by bounded work, also while they are scored."""

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction, customer_counts, customer_search, totals
from churn.adapters.mysql.database import Row
from churn.adapters.redis_cache import Cache
from churn.domain.risk import ACTIVE_STATUSES
from churn.services.customer_filters import CustomerFilters, UnknownSegmentError
from churn.services.customers import CustomerQuery, Customers, OffsetRefusedError
from churn.services.dashboard import Dashboard
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.services.segments import Segments, count_every
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({"INACTIVITY_DAYS": "40"})
_LAPSE, _MONTH = timedelta(days=40), timedelta(days=30)
_FILTERS = [
    CustomerFilters(),
    CustomerFilters(status=ACTIVE_STATUSES),
    CustomerFilters(status=("lapsed",)),
    CustomerFilters(risk_level=("low", "medium"), status=("active", "lapsed")),
    CustomerFilters(min_churn_probability=0.2),
    CustomerFilters(min_value_at_risk=3, max_value_at_risk=12, status=ACTIVE_STATUSES),
    CustomerFilters(min_value_ratio=1.1),
    CustomerFilters(min_total_spent=60, max_total_spent=80),
    CustomerFilters(min_total_orders=1, max_total_orders=1),
    CustomerFilters(max_days_since_last_order=20.01),
    CustomerFilters(search="muller name1"),
    CustomerFilters(search="% _"),
    CustomerFilters(has_open_alert=True),
    CustomerFilters(has_open_alert=False, search="name2"),
    CustomerFilters(changed_since=NOW),
    CustomerFilters(lapsed_since=NOW - timedelta(days=5), lapsed_until=NOW),
]


@pytest.fixture
def customers(shop: Database) -> Customers:
    """Add to the shop customers who order all the time, who failed to pay, and whose order was cancelled."""
    events = [event("payment_failed", f"CUST-{number:03d}", days_ago=1, order_id="o") for number in (8, 19, 23)]
    events += [order(f"CUST-{number:03d}", days_ago=60) for number in range(6, 25, 3)]
    events += [order("CUST-001", days_ago=3, order_id="gone"), event("order_cancelled", "CUST-001", order_id="gone")]
    Scoring(shop, RecencyModel(), _SETTINGS).apply(events, now=NOW)
    sweep(Scoring(shop, RecencyModel(), replace(_SETTINGS, sweep_after=timedelta())), now=NOW, time_left=lambda: True)
    return Customers(shop, _SETTINGS)


@pytest.fixture
def kept(database: Database) -> Segments:
    return Segments(database, Cache(""), _SETTINGS)


def _members(customers: Customers, **asked: Any) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    cursor = None
    while not found or cursor is not None:
        page = customers.page(CustomerQuery(cursor=cursor, limit=7, sort="value_at_risk", **asked), NOW)
        found += page["customers"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found


def _active_before(database: Database) -> set[str]:
    """Return who had an order that stands in the 40 days up to 30 days ago."""
    found = rows(
        database,
        "SELECT c.customer_id, o.placed_at FROM orders o JOIN customers c ON c.id = o.customer_pk "
        "WHERE o.cancelled_at IS NULL",
    )
    return {row["customer_id"] for row in found if NOW - _MONTH - _LAPSE < row["placed_at"] <= NOW - _MONTH}


@pytest.mark.parametrize("path", ["ranges", "everybody"])
def test_the_figures_are_those_of_the_customers_that_the_list_shows(
    shop: Database, customers: Customers, kept: Segments, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    if path == "everybody":
        monkeypatch.setattr(customer_counts, "_SHORT_RANGE", -1)
        monkeypatch.setattr(customer_counts, "_STEP", 2)
        monkeypatch.setattr(customer_search, "MANY_MATCHES", 0)
    active = _active_before(shop)
    sizes = set()
    for number, filters in enumerate(_FILTERS):
        segment = kept.add(f"s{number}", filters, "ann", NOW)
        figures = segment["figures"]
        assert figures is not None
        listed = _members(customers, segment=str(segment["id"]))
        assert (figures["customers"], figures["is_lower_bound"]) == (len(listed), False), filters
        assert figures["value_at_risk"] == round(sum(one["value_at_risk"] or 0 for one in listed), 2)
        risks = [one["churn_probability"] for one in listed if one["churn_probability"] is not None]
        mean = figures["average_churn_probability"]
        assert mean == (pytest.approx(sum(risks) / len(risks), abs=1e-6) if risks else None)
        counted = (figures["churned_customers"], figures["active_customers_before"], figures["churn_rate"])
        if filters.status == ACTIVE_STATUSES:
            assert counted == (None, None, None)
        else:
            gone = [one for one in listed if 40 <= (one["days_since_last_order"] or 0) < 70]
            were = [one for one in listed if one["customer_id"] in active]
            rate = round(100 * len(gone) / len(were), 2) if were else None
            assert counted == (len(gone), len(were), rate), filters
        sizes.add(len(listed))
    assert len(sizes) > 8


def test_what_is_too_large_to_be_counted_says_a_lower_bound(
    customers: Customers, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert customers
    monkeypatch.setattr(customer_counts, "_SHORT_RANGE", -1)
    monkeypatch.setattr(customer_counts, "_STEP", 4)
    everybody = CustomerFilters().at(NOW, 40)

    def count(most: int) -> tuple[int, bool]:
        found = shop.read(lambda transaction: customer_counts.count(transaction, everybody, None, most))
        return found.customers, found.is_lower_bound

    assert [count(most) for most in (1, 10, 24, 25, 26)] == [
        (1, True), (10, True), (24, True), (25, False), (25, False),
    ]  # fmt: skip


@pytest.mark.parametrize("is_short", [True, False])
def test_counting_reads_ranges_of_indexes_and_sorts_nothing(
    shop: Database, customers: Customers, monkeypatch: pytest.MonkeyPatch, is_short: bool
) -> None:
    assert customers
    monkeypatch.setattr(customer_search, "MANY_MATCHES", 0)
    if not is_short:
        monkeypatch.setattr(customer_counts, "_SHORT_RANGE", -1)
    read: Callable[..., Row | None] = Transaction.row
    plans: list[tuple[str, list[Row]]] = []

    def explained(transaction: Transaction, statement: str, parameters: Any = ()) -> Row | None:
        if "FROM customers c" in statement:
            plans.append((statement, transaction.rows(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters)))
        return read(transaction, statement, parameters)

    monkeypatch.setattr(Transaction, "row", explained)
    span = customer_counts.ChurnSpan(NOW - _MONTH, NOW, _LAPSE)
    for filters in _FILTERS:
        plans.clear()
        wanted = filters.at(NOW, 40, 5)
        shop.read(lambda transaction, wanted=wanted: customer_counts.count(transaction, wanted, span))  # type: ignore[misc]
        assert plans or wanted.is_nobody
        for statement, plan in plans:
            assert "LIMIT %s" in statement
            # Of a range that is known to be empty there is no plan.
            for row in (row for row in plan if row["table"] and not row["table"].startswith("<derived")):
                assert "filesort" not in (row["Extra"] or ""), (filters, row)
                assert row["key"] is not None, (filters, row)
                # Orders, words and alerts are looked up for one customer.
                assert row["table"] == "c" or row["type"] in {"ref", "range", "eq_ref"}, (filters, row)
                assert is_short or row["table"] != "c" or row["key"] == "PRIMARY", (filters, row)


def test_a_list_of_a_segment_takes_further_filters_and_refuses_what_is_no_segment(
    customers: Customers, kept: Segments
) -> None:
    segment = kept.add("Gone Quiet", CustomerFilters(status=("lapsed", "active"), min_total_spent=20), "ann", NOW)
    of_segment = {one["customer_id"] for one in _members(customers, status=("lapsed", "active"), min_total_spent=20)}
    further: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"status": ("lapsed", "new")}, {"status": ("lapsed",)}),
        ({"status": ("at_risk",)}, {"search": "%"}),
        ({"max_total_spent": 50}, {"max_total_spent": 50}),
        ({"min_total_spent": 60, "search": "muller"}, {"min_total_spent": 60}),
        ({"min_total_spent": 5, "has_open_alert": True}, {"has_open_alert": True}),
        ({"risk_level": ("low",), "lapsed_until": NOW}, {"risk_level": ("low",), "lapsed_until": NOW}),
    ]
    for reference in (str(segment["id"]), "Gone Quiet", " gone  QUIET "):
        for asked, same in further:
            found = {one["customer_id"] for one in _members(customers, segment=reference, **asked)}
            assert found == of_segment & {one["customer_id"] for one in _members(customers, **same)}, asked
    for unknown in ("999999", "9" * 30, "nobody", "%", "gone quiet!"):
        with pytest.raises(UnknownSegmentError, match="segment"):
            customers.page(CustomerQuery(segment=unknown), NOW)
    with pytest.raises(OffsetRefusedError, match="segment"):
        customers.page(CustomerQuery(segment="Gone Quiet", offset=1), NOW)


def test_a_segment_that_further_filters_contradict_has_nobody(customers: Customers, kept: Segments) -> None:
    contrary: list[tuple[CustomerFilters, dict[str, Any]]] = [
        (CustomerFilters(risk_level=("low",)), {"risk_level": ("high",)}),
        (CustomerFilters(has_open_alert=True), {"has_open_alert": False}),
        (CustomerFilters(search="%"), {}),
    ]
    for number, (filters, asked) in enumerate(contrary):
        segment = kept.add(f"s{number}", filters, "ann", NOW)
        page = customers.page(CustomerQuery(segment=str(segment["id"]), **asked), NOW)
        assert (page["customers"], page["total"], page["next_cursor"]) == ([], 0, None)


def test_sums_of_pages_totals_and_segments_are_one_with_scoring_stopped(
    customers: Customers, shop: Database, kept: Segments
) -> None:
    segment = kept.add("current", CustomerFilters(status=ACTIVE_STATUSES), "ann", NOW)
    assert segment["figures"] is not None
    total = Dashboard(shop, Cache(""), _SETTINGS).stats(NOW)["revenue_at_risk"]
    for asked in ({"status": ACTIVE_STATUSES}, {"segment": "current"}):
        listed = _members(customers, **asked)
        assert round(sum(one["value_at_risk"] or 0 for one in listed), 2) == total
    assert segment["figures"]["value_at_risk"] == total != 0


def test_the_value_of_customers_whose_orders_have_no_values_is_not_known(shop: Database, kept: Segments) -> None:
    Scoring(shop, RecencyModel(), _SETTINGS).apply([order(f"NEW-{one}", value=None) for one in range(3)], now=NOW)
    asked = {"of new ones": "NEW-", "of nobody": "nobody", "of all": None}
    values = {}
    for name, search in asked.items():
        segment = kept.add(name, CustomerFilters(search=search), "ann", NOW)
        assert segment["figures"] is not None
        values[name] = segment["figures"]["value_at_risk"]
        count_every(shop, _SETTINGS, now=NOW, time_left=lambda: True)
        (night,) = kept.history(segment["id"], date_from=None, date_to=None, limit=5)["nights"]
        assert night["value_at_risk"] == values[name]
    assert (values["of new ones"], values["of nobody"]) == (None, 0)
    assert (values["of all"] or 0) > 0


def _score(url: str, seed: int, rounds: int) -> None:
    """Score orders and failed payments of the shop's customers, some of whom are new or erased."""
    chance, database = random.Random(seed), Database(url)
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    for _ in range(rounds):
        names = [f"CUST-{chance.randrange(40):03d}" for _ in range(4)]
        events = [order(name, days_ago=chance.uniform(0, 60), value=chance.uniform(1, 90)) for name in names]
        events.append(event("payment_failed", chance.choice(names), days_ago=chance.uniform(0, 9)))
        events.append(event("customer_deleted", f"GONE-{chance.randrange(99)}"))
        scoring.apply([replace(one, event_id=f"{seed}-{one.event_id}") for one in events], now=NOW)
    database.close()


def test_while_scoring_runs_one_answer_agrees_with_itself_and_afterwards_all_do(
    customers: Customers, shop: Database, kept: Segments, mysql_url: str
) -> None:
    span = customer_counts.ChurnSpan(NOW - _MONTH, NOW, _LAPSE)
    current = CustomerFilters(status=ACTIVE_STATUSES)

    def sums(transaction: Transaction) -> tuple[int, int, int, int]:
        """Return the number and the cents of the current customers as they are counted, and as they are kept."""
        counted = customer_counts.count(transaction, current.at(NOW, 40), span)
        number = totals.read_pairs(transaction, "customers", ACTIVE_STATUSES, ())
        cents = totals.read(transaction, "revenue_at_risk")["revenue_at_risk"]
        return counted.customers, int(100 * (counted.value_at_risk or 0)), number, cents

    seen = set()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_score, mysql_url, seed, 40) for seed in (1, 2)]
        while not all(future.done() for future in running):
            customers_counted, cents_counted, customers_kept, cents_kept = shop.read(sums)
            assert (customers_counted, cents_counted) == (customers_kept, cents_kept)
            seen.add(cents_counted)
        for future in running:
            future.result()
    assert len(seen) > 3, "nothing was scored meanwhile"
    segment = kept.add("current", current, "ann", NOW)
    revenue = Dashboard(shop, Cache(""), _SETTINGS).stats(NOW)["revenue_at_risk"]
    listed = [_members(customers, **asked) for asked in ({"status": ACTIVE_STATUSES}, {"segment": "current"})]
    assert segment["figures"] is not None
    assert {round(sum(one["value_at_risk"] or 0 for one in members), 2) for members in listed} == {revenue}
    assert segment["figures"]["value_at_risk"] == revenue != 0
    assert segment["figures"]["customers"] == len(listed[0])
