"""Segments over a real database: what they count, whom they choose, and how they are kept."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction, customer_counts, customer_search, segments
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.migrations import read_migrations
from churn.adapters.redis_cache import Cache
from churn.domain.risk import ACTIVE_STATUSES, CUSTOMER_STATUSES
from churn.services import retention
from churn.services.customer_filters import CustomerFilters, UnknownSegmentError
from churn.services.customers import CustomerQuery, Customers, OffsetRefusedError
from churn.services.dashboard import Dashboard
from churn.services.rescoring import sweep
from churn.services.retention import prune
from churn.services.scoring import Scoring
from churn.services.segments import Segments, SegmentWork, count_every
from churn.settings import Retention, Settings
from tests.conftest import MIGRATIONS
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


def test_names_are_unique_and_a_change_is_of_the_version_that_was_read(kept: Segments) -> None:
    first = kept.add("Straße", CustomerFilters(), "ann", NOW)
    for taken in ("STRASSE", "straße", "Straße"):
        with pytest.raises(segments.SegmentNameTakenError, match=f"Segment {first['id']} has"):
            kept.add(taken, CustomerFilters(), "ben", NOW)
    second = kept.add("other", CustomerFilters(min_total_spent=5), "ben", NOW)
    with pytest.raises(segments.SegmentNameTakenError):
        kept.change(second["id"], SegmentWork("STRASSE", None, "ben", NOW))
    renamed = kept.change(first["id"], SegmentWork("STRASSE", None, "ben", NOW, frozenset({1})))
    assert (renamed["name"], renamed["version"], renamed["changed_by"]) == ("STRASSE", 2, "ben")
    with pytest.raises(segments.SegmentChangedError, match="version is 2"):
        kept.change(first["id"], SegmentWork("again", None, "ann", NOW, frozenset({1})))
    with pytest.raises(segments.SegmentChangedError):
        kept.delete(first["id"], frozenset({1}))
    same = kept.change(first["id"], SegmentWork("STRASSE", CustomerFilters(), "cat", NOW))
    assert (same["version"], same["changed_by"]) == (2, "ben"), "nothing has changed"
    kept.delete(first["id"], frozenset({2}))
    assert [one["name"] for one in kept.every()["segments"]] == ["other"]
    with pytest.raises(segments.SegmentNotFoundError):
        kept.get(first["id"], NOW)
    with pytest.raises(segments.SegmentNotFoundError):
        kept.delete(first["id"], None)


def test_there_are_so_many_segments_at_most(kept: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_SEGMENTS", 2)
    for name in ("a", "b"):
        kept.add(name, CustomerFilters(), "ann", NOW)
    with pytest.raises(segments.SegmentsFullError):
        kept.add("c", CustomerFilters(), "ann", NOW)


def _nights(kept: Segments, segment_id: int, **asked: Any) -> list[tuple[str, int, bool]]:
    found = kept.history(segment_id, **{"date_from": None, "date_to": None, "limit": 100} | asked)["nights"]
    return [(night["day"], night["customers"], night["is_of_present_filter"]) for night in found]


def test_every_night_is_kept_and_the_list_shows_the_last(shop: Database, kept: Segments) -> None:
    segment = kept.add("all", CustomerFilters(), "ann", NOW)
    narrow = CustomerFilters(min_total_orders=1)

    def night(number: int) -> int:
        return count_every(shop, _SETTINGS, now=NOW + timedelta(days=number), time_left=lambda: True)

    def listed() -> Any:
        (one,) = kept.every()["segments"]
        return one["figures"]

    assert [night(number) for number in (0, 1, 1)] == [1, 1, 1]
    assert (listed()["customers"], listed()["counted_at"]) == (25, "2026-11-24T12:00:00Z")
    changed = kept.change(segment["id"], SegmentWork(None, narrow, "ann", NOW + timedelta(days=1)))
    assert changed["figures"] is not None
    assert listed() == changed["figures"], "a filter that has changed does not show what the former one counted"
    assert listed()["customers"] == 20
    night(2)
    every = [("2026-11-25", 20, True), ("2026-11-24", 25, False), ("2026-11-23", 25, False)]
    assert _nights(kept, segment["id"]) == every
    assert _nights(kept, segment["id"], limit=2) == every[:2]
    assert (
        _nights(kept, segment["id"], date_from=NOW + timedelta(days=1), date_to=NOW + timedelta(days=1)) == every[1:2]
    )
    kept.change(segment["id"], SegmentWork("renamed", None, "ann", NOW))
    assert _nights(kept, segment["id"]) == every, "another name changes nothing of what was counted"
    kept.delete(segment["id"], None)
    assert rows(shop, "SELECT day FROM segment_history") == []


def test_a_night_counts_what_waits_longest_first_and_passes_over_what_it_cannot_read(
    shop: Database, kept: Segments
) -> None:
    ids = [kept.add(name, CustomerFilters(), "ann", NOW)["id"] for name in "abc"]
    shop.run(lambda transaction: transaction.execute("UPDATE segments SET counted_at = NULL WHERE id = %s", (ids[1],)))
    damage = "UPDATE segments SET filter = '{\"of_a_later_release\": 1}' WHERE id = %s"
    shop.run(lambda transaction: transaction.execute(damage, (ids[0],)))
    answers = iter([True, True, False])
    tomorrow = NOW + timedelta(days=1)
    assert count_every(shop, _SETTINGS, now=tomorrow, time_left=lambda: next(answers)) == 1
    assert [row["segment_id"] for row in rows(shop, "SELECT segment_id FROM segment_history")] == [ids[1]]
    assert count_every(shop, _SETTINGS, now=tomorrow, time_left=lambda: True) == 2


def test_a_filter_that_changes_while_it_is_counted_keeps_no_figures_of_the_former_one(
    shop: Database, kept: Segments, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = kept.add("all", CustomerFilters(), "ann", NOW)
    other = Segments(Database(mysql_url), Cache(""), _SETTINGS)
    count = customer_counts.count

    def counted(*arguments: Any) -> customer_counts.Counted:
        monkeypatch.setattr(customer_counts, "count", count)
        other.change(segment["id"], SegmentWork(None, CustomerFilters(min_total_orders=1), "ben", NOW))
        return count(*arguments)

    monkeypatch.setattr(customer_counts, "count", counted)
    assert count_every(shop, _SETTINGS, now=NOW, time_left=lambda: True) == 0
    (listed,) = kept.every()["segments"]
    assert listed["figures"] is not None
    assert listed["figures"]["customers"] == 20
    assert _nights(kept, segment["id"]) == []


def test_nights_are_pruned(shop: Database, kept: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_ROWS", 2)
    segment = kept.add("all", CustomerFilters(), "ann", NOW)
    for number in range(7):
        count_every(shop, _SETTINGS, now=NOW + timedelta(days=number), time_left=lambda: True)
    days = Retention(predictions=0, alerts=0, dead_letters=0, hours=0, segments=2)
    pruned = prune(shop, days, now=NOW + timedelta(days=6), time_left=lambda: True)
    assert pruned["segments"] == 4
    assert [day for day, _, _ in _nights(kept, segment["id"])] == ["2026-11-29", "2026-11-28", "2026-11-27"]


def test_an_opened_segment_has_figures_of_the_last_minute(shop: Database, redis_url: str) -> None:
    kept = Segments(shop, Cache(redis_url), _SETTINGS)
    segment = kept.add("all", CustomerFilters(), "ann", NOW)
    later = NOW + timedelta(seconds=40)
    assert kept.get(segment["id"], later)["figures"] == segment["figures"]
    changed = kept.change(segment["id"], SegmentWork(None, CustomerFilters(min_total_orders=1), "ann", later))
    assert changed["figures"] is not None
    assert (changed["figures"]["customers"], changed["figures"]["counted_at"]) == (20, "2026-11-23T12:00:40Z")


def _built_in(database: Database) -> dict[str, str]:
    """Store the segments that come with the service; return their ids by the names."""
    (migration,) = [one for one in read_migrations(MIGRATIONS) if one.name.startswith("0018")]
    for statement in migration.statements:
        database.run(lambda transaction, statement=statement: transaction.execute(statement.replace("%", "%%")))  # type: ignore[misc]
    return {row["name"]: str(row["id"]) for row in rows(database, "SELECT id, name FROM segments")}


def test_four_segments_come_with_the_service_and_choose_whom_their_names_say(
    database: Database, kept: Segments
) -> None:
    model, weeks = RecencyModel(), timedelta(weeks=1)

    def at(now: datetime, *events: Any) -> None:
        scoring = Scoring(database, model, replace(_SETTINGS, sweep_after=timedelta()))
        scoring.apply(list(events), now=now)
        sweep(scoring, now=now, time_left=lambda: True)

    start = NOW - timedelta(days=28)
    customers = [("ONE", 100, 90), ("BACK", 120, 100), ("NEW-RISK", 90, 29), ("OLD-RISK", 90, 32), ("LOYAL", 200, 29)]
    at(start, *(event("customer_registered", name, days_ago=age) for name, age, _ in customers),
       *(order(name, days_ago=age, value=80) for name, _, age in customers),
       order("OLD-RISK", days_ago=60, value=900), order("LOYAL", days_ago=45))  # fmt: skip
    at(start + weeks, event("payment_failed", "OLD-RISK", days_ago=21.5), *(
        event("payment_failed", "OLD-RISK", days_ago=21.1 + part / 10) for part in range(5)))  # fmt: skip
    at(NOW - timedelta(days=6), order("BACK", days_ago=6.5), order("LOYAL", days_ago=6.5))
    at(NOW - timedelta(days=2), *(event("payment_failed", "NEW-RISK", days_ago=2.1 + part / 10) for part in range(4)))
    ids = _built_in(database)
    listed = Customers(database, _SETTINGS)

    def chosen(name: str, now: datetime = NOW) -> set[str]:
        page = listed.page(CustomerQuery(segment=ids[name], limit=100), now)
        return {one["customer_id"] for one in page["customers"]}

    assert chosen("Never bought again") == {"ONE"}
    assert chosen("Came back") == {"BACK"}
    assert chosen("Newly at risk this week") == {"NEW-RISK"}
    assert chosen("Newly at risk this week", NOW + weeks) == set()
    assert chosen("High value at risk") == {"OLD-RISK"}
    page = listed.page(CustomerQuery(limit=100), NOW)
    shown = {one["customer_id"]: (one["days_at_risk"], one["days_since_return"]) for one in page["customers"]}
    assert shown == {
        "ONE": (None, None), "BACK": (None, 6.5), "NEW-RISK": (2, None), "OLD-RISK": (21, None), "LOYAL": (None, None),
    }  # fmt: skip
    for segment in kept.every()["segments"]:
        assert segment["is_built_in"]
        with pytest.raises(segments.SegmentBuiltInError):
            kept.delete(segment["id"], None)
    renamed = kept.change(int(ids["Came back"]), SegmentWork("Zurück", None, "ann", NOW))
    assert (renamed["name"], renamed["is_built_in"]) == ("Zurück", True)


def test_sums_of_pages_totals_and_segments_are_one_with_scoring_stopped(
    customers: Customers, shop: Database, kept: Segments
) -> None:
    segment = kept.add("current", CustomerFilters(status=ACTIVE_STATUSES), "ann", NOW)
    assert segment["figures"] is not None
    total = Dashboard(shop, Cache(""), _SETTINGS).stats(NOW)["revenue_at_risk"]
    for asked in ({"status": ACTIVE_STATUSES}, {"segment": "current"}):
        listed = _members(customers, **asked)
        assert round(sum(one["value_at_risk"] or 0 for one in listed), 2) == total > 0
    assert segment["figures"]["value_at_risk"] == total


def test_built_in_filters_can_be_read(database: Database) -> None:
    _built_in(database)
    for row in database.read(segments.every):
        filters = CustomerFilters.from_json(row["filter"])
        assert set(filters.status or ()) <= set(CUSTOMER_STATUSES)
        assert filters.to_json() == row["filter"]
