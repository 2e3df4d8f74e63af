"""Segments over a real database: how they are kept, counted each night, and the four that come with the service."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, customer_counts, segments
from churn.adapters.mysql.migrations import read_migrations
from churn.adapters.redis_cache import Cache
from churn.domain.risk import CUSTOMER_STATUSES
from churn.services import retention
from churn.services.customer_filters import CustomerFilters
from churn.services.customers import CustomerQuery, Customers
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


@pytest.fixture
def kept(database: Database) -> Segments:
    return Segments(database, Cache(""), _SETTINGS)


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


def test_of_two_who_give_the_same_name_at_once_one_is_told(kept: Segments, mysql_url: str) -> None:
    ids = [kept.add(name, CustomerFilters(), "ann", NOW)["id"] for name in ("a", "b")]
    databases = [Database(mysql_url) for _ in range(4)]

    def give(number: int, name: str) -> str:
        own = Segments(databases[number], Cache(""), _SETTINGS)
        try:
            if number < 2:
                own.change(ids[number], SegmentWork(name, None, "ann", NOW))
            else:
                own.add(name, CustomerFilters(), "ben", NOW)
        except segments.SegmentNameTakenError:
            return "taken"
        return "given"

    with ThreadPoolExecutor(4) as threads:
        for attempt in range(10):
            outcomes = [threads.submit(give, number, f"name {attempt}") for number in range(4)]
            assert sorted(one.result() for one in outcomes) == ["given", "taken", "taken", "taken"]
    for own in databases:
        own.close()


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


def test_built_in_filters_can_be_read(database: Database) -> None:
    _built_in(database)
    for row in database.read(segments.every):
        filters = CustomerFilters.from_json(row["filter"])
        assert set(filters.status or ()) <= set(CUSTOMER_STATUSES)
        assert filters.to_json() == row["filter"]
