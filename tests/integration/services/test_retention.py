"""Pruning: what is old goes, what counts it stays right, and who asks for it is told."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import pytest

from churn.adapters.mysql import Database, alerts, totals
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.alert_work import resolve
from churn.adapters.mysql.alerts import AlertNotFoundError, AlertsPrunedError
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.customer import CustomerState, replay
from churn.domain.events import Event
from churn.domain.orders import MemoryLedger
from churn.domain.timestamps import to_millis
from churn.services import retention
from churn.services.alerts import list_alerts
from churn.services.hourly_stats import refresh
from churn.services.retention import prune
from churn.services.scoring import Scoring
from churn.settings import Retention, Settings
from tests.support.clock import set_clock
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})
_FOR_EVER = Retention(**dict.fromkeys(asdict(Retention()), 0))


@pytest.fixture
def scoring(database: Database) -> Scoring:
    challenger = RecencyModel()
    return Scoring(database, RecencyModel(), _SETTINGS, lambda: challenger)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every kind take several transactions."""
    monkeypatch.setattr(retention, "_ROWS", 3)
    monkeypatch.setattr(retention, "_CUSTOMERS", 2)


def _rows(database: Database, query: str) -> list[Row]:
    return database.run(lambda transaction: transaction.rows(query))


def _prune(database: Database, now: datetime = NOW, **days: int) -> dict[str, int]:
    return prune(database, replace(_FOR_EVER, **days), now=now, time_left=lambda: True)


def _recounted(database: Database) -> tuple[Counter[str], Counter[str]]:
    """Return the kept sums of predictions and alerts, and the same sums counted anew."""
    kept = database.run(lambda transaction: totals.read(transaction, "predictions:", "alerts:", "alerts_created:"))
    anew: Counter[str] = Counter(
        f"predictions:{row['risk_level']}" for row in _rows(database, "SELECT risk_level FROM predictions")
    )
    for row in _rows(database, "SELECT status, priority, created_at FROM alerts"):
        anew[f"alerts:{row['status']}:{row['priority']}"] += 1
        anew[f"alerts_created:{row['created_at']:%Y-%m-%d}"] += 1
    return +kept, anew


def _years(scoring: Scoring, database: Database) -> None:
    """Let ten customers order and fail to pay, 800, 400 and 10 days ago; one alert of each time is resolved."""
    for days in (800, 400, 10):
        now = NOW - timedelta(days=days)
        set_clock(database, now)
        events = [order(f"C-{number}", days_ago=days + 1) for number in range(10)]
        events += [event("payment_failed", f"C-{number}", days_ago=days) for number in range(10)]
        letters = [DeadLetter("user-events", days, number, None, b"?", "why") for number in range(4)]
        first, *_ = scoring.apply(events, now=now, dead=letters).alert_ids or [0]
        if first:
            resolve(database, first, "ann", None, now)


def test_each_kind_is_kept_for_its_days_and_the_totals_stay_equal_to_a_recount(
    database: Database, scoring: Scoring
) -> None:
    _years(scoring, database)
    before = {
        table: len(_rows(database, f"SELECT 1 AS one FROM {table}"))
        for table in ("predictions", "shadow_predictions", "alerts", "dead_letters")
    }
    assert (before["predictions"], before["dead_letters"]) == (30, 12)
    pruned = _prune(database, predictions=500, alerts=500, dead_letters=90)
    assert pruned == {
        "predictions": 10,
        "shadow_predictions": 10,
        "alerts": 10,
        "dead_letters": 8,
        "hours": 0,
        "segments": 0,
    }
    for table, column, days in (
        ("predictions", "created_at", 500),
        ("shadow_predictions", "created_at", 500),
        ("alerts", "created_at", 500),
        ("dead_letters", "failed_at", 90),
    ):
        rows = _rows(database, f"SELECT {column} AS at FROM {table}")
        assert len(rows) == before[table] - pruned[table]
        assert min(row["at"] for row in rows) >= NOW - timedelta(days=days)
    kept, anew = _recounted(database)
    assert kept == anew
    day = f"alerts_created:{NOW - timedelta(days=800):%Y-%m-%d}"
    assert _rows(database, f"SELECT name FROM totals WHERE name = '{day}'") == [], "sums of days do not pile up"
    assert set(_prune(database, predictions=500, alerts=500, dead_letters=90).values()) == {0}


def test_nothing_is_pruned_without_days(database: Database, scoring: Scoring) -> None:
    _years(scoring, database)
    assert set(_prune(database, NOW + timedelta(days=9999)).values()) == {0}


def test_hours_are_pruned(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=3)], now=NOW)
    refresh(database, _SETTINGS, NOW)
    assert _prune(database, NOW + timedelta(days=399, hours=12), hours=400)["hours"] == 427 * 24 - 12
    (row,) = _rows(database, "SELECT MIN(hour) AS hour FROM hourly_stats")
    assert row["hour"] == NOW - timedelta(hours=12)


def test_pruning_ends_when_its_time_is_up_and_goes_on_later(database: Database, scoring: Scoring) -> None:
    _years(scoring, database)
    answers = iter([True, False])
    first = prune(database, replace(_FOR_EVER, predictions=500), now=NOW, time_left=lambda: next(answers, False))
    assert (first["predictions"], first["shadow_predictions"]) == (3, 0)
    assert _prune(database, predictions=500)["predictions"] == 7


def test_who_asks_for_alerts_from_before_the_oldest_that_is_kept_is_told(database: Database, scoring: Scoring) -> None:
    _years(scoring, database)
    numbers = [row["id"] for row in _rows(database, "SELECT id FROM alerts ORDER BY id")]
    assert list_alerts(database, Wanted(since=0), limit=50)["total"] == len(numbers)
    _prune(database, alerts=500)
    last = numbers[9]
    for since in (0, last - 1, NOW - timedelta(days=801)):
        with pytest.raises(AlertsPrunedError, match=f"since: is before the oldest alert .* begin with {last}"):
            list_alerts(database, Wanted(since=since), limit=50)
        with pytest.raises(AlertsPrunedError):
            database.run(lambda transaction, since=since: alerts.require_kept(transaction, since))  # type: ignore[misc]
    for since in (last, NOW - timedelta(days=800) + timedelta(microseconds=9)):
        assert list_alerts(database, Wanted(since=since), limit=50)["total"] == len(numbers) - 10
    assert list_alerts(database, limit=50)["total"] == len(numbers) - 10


def _state(database: Database) -> CustomerState:
    (row,) = _rows(database, "SELECT s.state FROM customer_states s")
    return CustomerState.from_json(row["state"], MemoryLedger())


def test_events_are_kept_by_default(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=3000)], now=NOW)
    assert "events" not in prune(database, Settings.from_environment({}).retention, now=NOW, time_left=lambda: True)
    assert len(_rows(database, "SELECT 1 AS one FROM events")) == 1


def _history() -> list[Event]:
    return [
        event("customer_registered", days_ago=900, name="Ann", loyalty_points=50),
        *(order(days_ago=days, value=days) for days in (890, 800, 700, 300, 20)),
        event("loyalty_points_changed", days_ago=600, points=7),
        event("support_ticket_created", days_ago=30),
    ]


def test_where_events_are_pruned_the_state_keeps_what_was_in_them(database: Database, scoring: Scoring) -> None:
    scoring.apply(_history(), now=NOW)
    before = _state(database)
    record = _rows(database, "SELECT * FROM customers")
    assert _prune(database, events=400)["events"] == 5
    cut = NOW - timedelta(days=400)
    assert replace(_state(database), pruned_until=None) == before
    assert _state(database).pruned_until == to_millis(cut)
    assert _rows(database, "SELECT * FROM customers") == record
    assert min(row["at"] for row in _rows(database, "SELECT occurred_at AS at FROM events")) >= cut
    assert len(_rows(database, "SELECT 1 AS one FROM orders")) == 5, "orders are kept"
    assert _prune(database, events=400)["events"] == 0


def test_an_event_from_before_the_pruned_part_is_passed_over_and_counted(database: Database, scoring: Scoring) -> None:
    history = _history()
    scoring.apply(history, now=NOW)
    _prune(database, events=400)
    late = [history[1], order(days_ago=401), event("login", days_ago=500)]
    result = scoring.apply(late, now=NOW)
    assert (result.events, result.repeated, result.too_late) == (0, 0, 3)
    state = _state(database)
    result = scoring.apply([history[-1], order(days_ago=399, order_id="late")], now=NOW)
    assert (result.events, result.repeated, result.too_late) == (1, 1, 0)
    assert state != _state(database)
    expected = replay([*history, order(days_ago=399, order_id="late", value=50)], to_millis(NOW))
    assert replace(_state(database), pruned_until=None) == expected


def test_erasing_is_never_too_late(database: Database, scoring: Scoring) -> None:
    scoring.apply(_history(), now=NOW)
    _prune(database, events=400)
    assert scoring.apply([event("customer_deleted", days_ago=500)], now=NOW).events == 1
    assert [row["deleted"] for row in _rows(database, "SELECT deleted FROM customers")] == [1]


def test_events_that_wait_for_their_time_are_not_pruned(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=500), order(days_ago=-30)], now=NOW)
    # Nothing has been folded for two years: not even the sweep ran.
    assert _prune(database, NOW + timedelta(days=730), events=300)["events"] == 1
    assert len(_rows(database, "SELECT 1 AS one FROM events")) == 1


def test_pruning_beside_scoring_erasing_and_resolving_leaves_the_totals_right(
    database: Database, scoring: Scoring, mysql_url: str
) -> None:
    _years(scoring, database)
    connections = [Database(mysql_url) for _ in range(4)]

    def pruning(own: Database) -> None:
        for days in range(500, 450, -5):
            _prune(own, predictions=days, alerts=days)

    def erasing(own: Database) -> None:
        for number in range(5):
            Scoring(own, RecencyModel(), _SETTINGS).apply([event("customer_deleted", f"C-{number}")], now=NOW)

    def ordering(own: Database) -> None:
        for number in range(5, 10):
            late = [order(f"C-{number}", days_ago=600), event("payment_failed", f"C-{number}")]
            Scoring(own, RecencyModel(), _SETTINGS).apply(late, now=NOW)

    def resolving(own: Database) -> None:
        for row in _rows(own, "SELECT id FROM alerts ORDER BY id"):
            with suppress(AlertNotFoundError):
                resolve(own, row["id"], "ann", None, NOW)

    with ThreadPoolExecutor(4) as threads:
        jobs = zip((pruning, erasing, ordering, resolving), connections, strict=True)
        for outcome in [threads.submit(job, own) for job, own in jobs]:
            outcome.result(60)
    for own in connections:
        own.close()
    kept, anew = _recounted(database)
    assert kept == anew
    assert min(row["at"] for row in _rows(database, "SELECT created_at AS at FROM predictions")) > NOW - timedelta(500)
