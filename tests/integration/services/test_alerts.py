"""Reading the alerts."""

from datetime import timedelta

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.alert_pages import Wanted
from churn.services.alerts import list_alerts, part_of_alerts
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.clock import set_clock
from tests.support.events import NOW, event
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans


def test_alerts_come_newest_first_page_by_page(shop: Database) -> None:
    scoring = Scoring(shop, RecencyModel(), Settings.from_environment({}))
    for number in range(5, 12):
        set_clock(shop, NOW + timedelta(seconds=number))
        scoring.apply([event("payment_failed", f"CUST-{number:03d}")], now=NOW)
    everything = list_alerts(shop, limit=100)
    ids = [alert["id"] for alert in everything["alerts"]]
    assert everything["total"] == len(ids) == 7
    assert ids == sorted(ids, reverse=True)
    first = list_alerts(shop, limit=3)
    second = list_alerts(shop, limit=100, cursor=first["next_cursor"])
    assert [alert["id"] for page in (first, second) for alert in page["alerts"]] == ids
    assert list_alerts(shop, Wanted(since=ids[3]), limit=2)["total"] == 3
    assert list_alerts(shop, Wanted(since=NOW + timedelta(seconds=9)), limit=2)["total"] == 2
    assert list_alerts(shop, Wanted(status=("resolved",)), limit=2)["total"] == 0
    assert list_alerts(shop, Wanted(status=("new",), priority="high"), limit=2)["total"] == 7


def test_a_range_includes_the_whole_of_its_last_millisecond(shop: Database) -> None:
    raised = NOW + timedelta(microseconds=999_500)
    set_clock(shop, raised)
    Scoring(shop, RecencyModel(), Settings.from_environment({})).apply([event("payment_failed", "CUST-005")], now=NOW)
    # Times of alerts are finer than those that a request may give.
    last = raised.replace(microsecond=999_000)
    assert list_alerts(shop, Wanted(created_from=last, created_to=last), limit=2)["total"] == 1
    earlier = last - timedelta(milliseconds=1)
    assert list_alerts(shop, Wanted(created_to=earlier), limit=2)["total"] == 0


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(status=("new",)), "alerts_by_status"),
        (Wanted(priority="high"), "alerts_by_priority"),
        (Wanted(status=("new",), priority="high"), "alerts_by_status"),
        (Wanted(outcome=("pending",)), "alerts_by_outcome"),
        (Wanted(changes_since=0), "alerts_by_change"),
        (Wanted(), "PRIMARY"),
    ],
)
def test_the_page_after_a_place_reads_nothing_of_what_is_before_it(
    shop: Database, monkeypatch: pytest.MonkeyPatch, wanted: Wanted, index: str
) -> None:
    scoring = Scoring(shop, RecencyModel(), Settings.from_environment({}))
    scoring.apply([event("payment_failed", f"CUST-{number:03d}") for number in range(25)], now=NOW)
    cursor, ids = None, []
    watched = watch_plans(monkeypatch, lambda statement: "ORDER BY" in statement and cursor is not None)
    while True:
        part = part_of_alerts(shop, wanted, limit=4, cursor=cursor, customer_id=None)
        ids += [alert["id"] for alert in part["alerts"]]
        if (cursor := part["next_cursor"]) is None:
            break
    assert ids == [alert["id"] for alert in list_alerts(shop, wanted, limit=500)["alerts"]]
    assert len(ids) == 25
    pages = [plan for plan in rows_of(watched) if plan["table"] == "alerts"]
    assert {(plan["key"], plan["type"]) for plan in pages} == {(index, "range")}
    assert not any("filesort" in (plan["Extra"] or "") for plan in pages)
