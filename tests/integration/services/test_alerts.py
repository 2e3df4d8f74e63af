"""Reading the alerts."""

from dataclasses import fields
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction, alert_pages
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.database import Row
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


_STATUSES, _OUTCOMES = ("new", "acknowledged", "resolved"), ("pending", "left", "stayed")
_KINDS, _HANDLINGS = ("churn_risk", "payment_failed"), ("untouched", "worked", None)


def _store(database: Database, chance: Random, number: int) -> list[Row]:
    """Store alerts of all kinds beside each other, their times in the order of the ids but for neighbours."""
    rows = [
        {
            "id": key,
            "customer_pk": chance.randrange(1, 6),
            "change_number": number + 1 - key,
            "status": chance.choice(_STATUSES),
            "outcome": chance.choice(_OUTCOMES),
            "alert_type": chance.choice(_KINDS),
            "handling": chance.choice(_HANDLINGS),
            "priority": chance.choice(("low", "high")),
            "assigned_to": chance.choice((None, "anna")),
            "snoozed_until": chance.choice((None, None, NOW, NOW + timedelta(seconds=1))),
            "created_at": NOW - timedelta(minutes=number - key + chance.choice((0, 0, 2))),
            "is_open": None,
            "title": "t",
            "message": "m",
            "reason": "r",
        }
        for key in range(1, number + 1)
    ]

    def work(transaction: Transaction) -> None:
        customers = [(key, f"C-{key}", NOW, NOW) for key in range(1, 6)]
        transaction.insert_many("INSERT INTO customers (id, customer_id, created_at, updated_at)", customers)
        transaction.insert_many(f"INSERT INTO alerts ({', '.join(rows[0])})", [(*row.values(),) for row in rows])

    database.run(work)
    return rows


def _choice(chance: Random, rows: list[Row]) -> Wanted:
    instants = [row["created_at"] for row in rows]
    choices: dict[str, Any] = {
        "status": tuple(chance.sample(_STATUSES, chance.randrange(1, 3))),
        "outcome": tuple(chance.sample(_OUTCOMES, chance.randrange(1, 3))),
        "priority": chance.choice(("low", "high", "urgent")),
        "alert_type": chance.choice(_KINDS),
        "handling": "worked",
        "since": chance.choice((*instants, chance.randrange(len(rows)))),
        "changes_since": chance.randrange(len(rows)),
        "created_from": chance.choice(instants),
        "created_to": chance.choice(instants),
        "customer_pk": chance.randrange(1, 7),
        "assigned_to": chance.choice(("anna", "ben")),
        "awake_at": NOW,
        "snoozed_at": NOW,
    }
    assert choices.keys() == {field.name for field in fields(Wanted)}
    return Wanted(**{name: choices[name] for name in chance.sample(list(choices), chance.randrange(5))})


def _meets(wanted: Wanted, row: Row) -> bool:
    """Return whether an alert is wanted, one condition after the other."""
    equal = {
        name: getattr(wanted, name) for name in ("priority", "alert_type", "handling", "customer_pk", "assigned_to")
    }
    since = row["id"] if isinstance(wanted.since, int) else row["created_at"]
    until = row["snoozed_until"] or NOW
    return (
        all(value is None or row[name] == value for name, value in equal.items())
        and (not wanted.status or row["status"] in wanted.status)
        and (not wanted.outcome or row["outcome"] in wanted.outcome)
        and (wanted.since is None or since > wanted.since)
        and (wanted.changes_since is None or row["change_number"] > wanted.changes_since)
        and (wanted.created_from is None or row["created_at"] >= wanted.created_from)
        and (wanted.created_to is None or row["created_at"] <= wanted.created_to)
        and (wanted.awake_at is None or until <= wanted.awake_at)
        and (wanted.snoozed_at is None or until > wanted.snoozed_at)
    )


@pytest.mark.parametrize("most", [20_000, 60, 3])
def test_every_choice_finds_and_counts_what_it_names(
    database: Database, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(alert_pages, "MOST_COUNTED", most)
    chance = Random(most)
    rows = _store(database, chance, 300)
    bounds = set()
    for _ in range(200):
        wanted = _choice(chance, rows)
        expected = [row["id"] for row in reversed(rows) if _meets(wanted, row)]
        if wanted.changes_since is None and wanted.is_summed:
            # The sums have their number: no alert is counted.
            continue
        found, cursor = [], None
        while True:
            page = list_alerts(database, wanted, limit=40, cursor=cursor)
            found += [alert["id"] for alert in page["alerts"]]
            bounds.add(page["total_is_lower_bound"])
            if page["total_is_lower_bound"]:
                assert len(page["alerts"]) <= page["total"] <= len(expected), wanted
            else:
                assert page["total"] == len(expected), wanted
            if (cursor := page["next_cursor"]) is None:
                break
        assert found == expected, wanted
    assert bounds == ({False} if most > len(rows) else {False, True})
