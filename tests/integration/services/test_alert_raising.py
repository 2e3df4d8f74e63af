"""Alerts on risk: they mean that a stored probability has risen, and a rise is told, once, in time."""

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from churn.adapters.mysql import Database, models, totals
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.alert_work import AlertChangedError, acknowledge, resolve
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.websocket_connections import Since
from churn.domain.alert_work import Work
from churn.domain.events import Event
from churn.domain.features import Features
from churn.domain.model import Prediction
from churn.services.alert_delivery import deliver, subscribe
from churn.services.alerts import list_alerts, work_on
from churn.services.event_publisher import EventPublisher
from churn.services.presentation import parse_since
from churn.services.rescoring import Swept, sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.clock import set_clock
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.sockets import FakePush, open_socket

_SETTINGS = Settings.from_environment({})
# A churn alert is proved by two stored predictions of one version: that of the alert, and an earlier one, lower.
_UNPROVED = """
    SELECT a.id FROM alerts a WHERE a.alert_type = 'churn_risk' AND NOT EXISTS (
      SELECT 1 FROM predictions p JOIN predictions q
        ON q.customer_pk = p.customer_pk AND q.model_version = p.model_version AND q.id < p.id
      WHERE p.customer_pk = a.customer_pk AND p.churn_probability = a.risk_score
        AND q.churn_probability = a.risk_before AND q.churn_probability < p.churn_probability)
"""


class _Model(RecencyModel):
    """RecencyModel under another version, whose probabilities are `shift` higher."""

    def __init__(self, version: str, shift: float = 0) -> None:
        super().__init__()
        self.version = version
        self.shift = shift

    def _predict(self, row: Features) -> Prediction:
        prediction = super()._predict(row)
        shifted = min(0.99, max(0.0, prediction.churn_probability + self.shift))
        return replace(prediction, churn_probability=shifted)


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _rows(database: Database, query: str) -> list[Row]:
    return database.run(lambda transaction: transaction.rows(query))


def _sweep(scoring: Scoring, days: float) -> Swept:
    return sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)


def _later(one: Event, days: float) -> Event:
    return replace(one, timestamp=one.timestamp + timedelta(days=days))


def _apply(scoring: Scoring, days: float, *events: Event) -> list[int]:
    return scoring.apply([_later(one, days) for one in events], now=NOW + timedelta(days=days)).alert_ids


def _churn_alerts(database: Database) -> list[Row]:
    return _rows(database, "SELECT * FROM alerts WHERE alert_type = 'churn_risk' ORDER BY id")


def _recounted(database: Database) -> tuple[Counter[str], Counter[str]]:
    kept = database.run(lambda transaction: totals.read(transaction, "alerts:", "alerts_created:", "predictions:"))
    anew: Counter[str] = Counter()
    for row in _rows(database, "SELECT status, priority, created_at, counted_on FROM alerts"):
        anew[f"alerts:{row['status']}:{row['priority']}"] += 1
        anew[f"alerts_created:{row['counted_on']}"] += 1
        assert row["counted_on"] == row["created_at"].date()
    anew.update(f"predictions:{row['risk_level']}" for row in _rows(database, "SELECT risk_level FROM predictions"))
    return +kept, anew


# --- an alert means that a risk rose


def test_who_comes_back_raises_no_alert(database: Database, scoring: Scoring) -> None:
    _apply(scoring, 0, order(days_ago=300))
    assert _rows(database, "SELECT status FROM customers") == [{"status": "lapsed"}]
    _apply(scoring, 1, order(), *(event("payment_failed") for _ in range(7)))
    (row,) = _rows(database, "SELECT status, risk_level FROM customers")
    assert (row["status"], row["risk_level"]) == ("at_risk", "high")
    assert _churn_alerts(database) == []


def test_a_first_score_raises_no_churn_alert(database: Database, scoring: Scoring) -> None:
    _apply(scoring, 0, order(days_ago=85))
    assert _churn_alerts(database) == []
    assert _rows(database, "SELECT risk_level FROM customers") == [{"risk_level": "critical"}]


def test_a_return_is_told_where_the_shop_wants_it(database: Database) -> None:
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({"ALERT_ON_RETURN": "on"}))
    _apply(scoring, 0, order(days_ago=200))
    _apply(scoring, 1, order())
    _apply(scoring, 2, order())
    rows = _rows(database, "SELECT alert_type, priority, message FROM alerts")
    assert rows == [
        {
            "alert_type": "customer_returned",
            "priority": "low",
            "message": "CUST-001 has ordered again after having lapsed.",
        }
    ]


def test_every_churn_alert_has_a_stored_rise(database: Database, scoring: Scoring) -> None:
    chance = random.Random(7)
    for day in range(0, 120, 3):
        who = [f"C-{number}" for number in range(20)]
        kinds: list[Any] = [order, lambda who: event("payment_failed", who)]
        _apply(scoring, day, *(chance.choice(kinds)(chance.choice(who)) for _ in range(4)))
        _sweep(scoring, day + 1)
    assert len(_churn_alerts(database)) > 10
    assert _rows(database, _UNPROVED) == []
    kept, anew = _recounted(database)
    assert kept == anew


def _alerts_after(database: Database, batches: Sequence[Sequence[Event]]) -> Counter[tuple[str, ...]]:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    for batch in batches:
        scoring.apply(batch, now=NOW)
    rows = _rows(
        database,
        "SELECT c.customer_id, a.alert_type, a.priority FROM alerts a JOIN customers c ON c.id = a.customer_pk",
    )
    for table in ("alerts", "alert_weeks", "customers", "customer_states", "events", "predictions", "orders", "totals"):
        database.run(lambda transaction, table=table: transaction.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    return Counter((row["customer_id"], row["alert_type"], row["priority"]) for row in rows)


@pytest.mark.parametrize("seed", range(3))
def test_any_split_of_events_under_one_clock_raises_the_same_alerts(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    events = [order(f"C-{n % 10}", days_ago=chance.uniform(0, 200)) for n in range(60)]
    events += [event("payment_failed", f"C-{n % 10}", days_ago=chance.uniform(0, 5)) for n in range(30)]
    chance.shuffle(events)
    at_once = _alerts_after(database, [events])
    split = _alerts_after(database, [events[start : start + 4] for start in range(0, 90, 4)])
    assert at_once == split
    assert not any(kind == "churn_risk" for _, kind, _ in at_once)


def test_slow_drift_is_stored(database: Database) -> None:
    class Drifting(RecencyModel):
        def _predict(self, row: Features) -> Prediction:
            prediction = super()._predict(row)
            return replace(prediction, churn_probability=prediction.churn_probability * 0.4)

    slow = Scoring(database, Drifting(), Settings.from_environment({"SWEEP_AFTER_HOURS": "12"}))
    _apply(slow, 0, order())
    for day in range(1, 160):
        _sweep(slow, day + 0.1)
    stored = [row["churn_probability"] for row in _rows(database, "SELECT * FROM predictions ORDER BY id")]
    assert stored[-1] == pytest.approx(0.396, abs=0.005)
    assert max(later - earlier for earlier, later in pairwise(stored)) < 0.0085


# --- another version of the model


def test_a_promotion_sets_levels_silently_and_tells_once_how_many_moved(database: Database) -> None:
    old = Scoring(database, _Model("v1"), _SETTINGS)
    _apply(old, 0, *(order(f"C-{number}", days_ago=number * 5) for number in range(20)))
    push = FakePush()
    open_socket(database, "dashboard")
    new = Scoring(database, _Model("v2", 0.3), _SETTINGS)
    publisher = EventPublisher(database, push, inactivity_days=180)
    _apply(new, 0.5, event("login", "C-3"))
    publisher.publish([], NOW)
    assert _system_alerts(push) == []
    _sweep(new, 0.6)
    for _ in range(2):
        publisher.publish([], NOW)
        _sweep(new, 0.7)
    assert _churn_alerts(database) == []
    (told,) = _system_alerts(push)
    # 0.1 to 0.7 becomes 0.4 to 1: levels begin at 0.4, 0.6 and 0.8.
    assert (told["customers"], told["moved_down"], told["previous_version"]) == (20, 0, "v1")
    assert told["moved_up"] == sum(5 * n * 0.01 < 0.8 and _level(n * 0.05) != _level(n * 0.05 + 0.3) for n in range(20))


def _level(probability: float) -> int:
    return sum(probability >= entry - 1e-9 for entry in (0.4, 0.6, 0.8))


def _system_alerts(push: FakePush) -> list[dict[str, Any]]:
    return [
        message["data"]
        for message in push.messages("dashboard")
        if message["event"] == "system_alert" and "moved_up" in message["data"]
    ]


def _two_versions(database: Database) -> tuple[Scoring, FakePush, EventPublisher]:
    """Let a second version take the place of the first; return its scoring, and a dashboard that listens."""
    _apply(Scoring(database, _Model("v1"), _SETTINGS), 0, order("C-1", days_ago=30), order("C-2", days_ago=50))
    push = FakePush()
    open_socket(database, "dashboard")
    return Scoring(database, _Model("v2", 0.3), _SETTINGS), push, EventPublisher(database, push, inactivity_days=180)


def test_what_a_promotion_moved_is_told_also_where_its_teller_died(database: Database) -> None:
    new, push, publisher = _two_versions(database)
    _sweep(new, 0.5)
    set_clock(database, NOW)
    assert len(database.run(models.lease_untold)) == 1
    publisher.publish([], NOW)
    assert _system_alerts(push) == []
    set_clock(database, NOW + timedelta(seconds=61))
    publisher.publish([], NOW)
    publisher.publish([], NOW)
    assert [told["moved_up"] for told in _system_alerts(push)] == [2]


def test_a_sweep_without_time_for_everybody_ends_no_promotion(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, push, publisher = _two_versions(database)
    monkeypatch.setattr("churn.services.rescoring._PAGE", 1)
    answers = iter([True, False])
    first = sweep(new, now=NOW + timedelta(days=0.5), time_left=lambda: next(answers))
    publisher.publish([], NOW)
    assert (first.scored, _system_alerts(push)) == (1, [])
    sweep(new, now=NOW + timedelta(days=0.6), time_left=lambda: True)
    publisher.publish([], NOW)
    assert [told["customers"] for told in _system_alerts(push)] == [2]


def test_a_promotion_that_another_overtakes_is_told_with_it(database: Database) -> None:
    new, push, publisher = _two_versions(database)
    _apply(new, 0.4, event("login", "C-1"))
    _sweep(Scoring(database, _Model("v3", 0.5), _SETTINGS), 0.5)
    publisher.publish([], NOW)
    assert [(told["model_version"], told["customers"]) for told in _system_alerts(push)] == [("v3", 2)]


def test_a_sweep_that_holds_the_version_before_scores_nobody_back(database: Database) -> None:
    old = Scoring(database, _Model("v1"), _SETTINGS)
    _apply(old, 0, order("C-1", days_ago=10), order("C-2", days_ago=20))
    new = Scoring(database, _Model("v2", 0.3), _SETTINGS)
    assert _sweep(new, 2).scored == 2
    assert _sweep(old, 4).scored == 0
    assert {row["model_version"] for row in _rows(database, "SELECT model_version FROM customers")} == {"v2"}


def test_events_are_not_scored_by_a_version_that_another_process_has_replaced(database: Database) -> None:
    model = _Model("v1")

    def renew() -> None:
        model.version = "v2"

    slow = Scoring(database, model, _SETTINGS, renew=renew)
    _apply(slow, 0, order("C-1"))
    _apply(Scoring(database, _Model("v2"), _SETTINGS), 1, order("C-2"))
    _apply(slow, 2, order("C-2"))
    assert {row["model_version"] for row in _rows(database, "SELECT model_version FROM predictions")} == {"v1", "v2"}
    assert _rows(database, "SELECT model_version FROM customers WHERE customer_id = 'C-2'") == [{"model_version": "v2"}]


def test_an_older_promotion_does_not_come_back_with_a_process_that_starts_late(database: Database) -> None:
    newer = Scoring(database, _Model("v2"), _SETTINGS, promoted_at=lambda: NOW)
    _apply(newer, 0, order("C-1"))
    late = Scoring(database, _Model("v1"), _SETTINGS, promoted_at=lambda: NOW - timedelta(days=1))
    assert _sweep(late, 3).scored == 0
    rolled_back = Scoring(database, _Model("v1"), _SETTINGS, promoted_at=lambda: NOW + timedelta(days=1))
    assert _sweep(rolled_back, 3).scored == 1


# --- told only where something was told


def test_an_open_alert_is_raised_and_told_again(database: Database, scoring: Scoring) -> None:
    push = FakePush()
    open_socket(database, "dashboard")
    subscribe(database, "dashboard", "low", None, lambda _: None)
    _apply(scoring, 0, order())
    _sweep(scoring, 65)
    (first,) = _churn_alerts(database)
    acknowledge(database, first["id"], "ann", NOW)
    deliver(database, push)
    _sweep(scoring, 85)
    (alert,) = _churn_alerts(database)
    assert (alert["id"], alert["priority"], alert["status"]) == (first["id"], "urgent", "acknowledged")
    assert alert["risk_score"] == pytest.approx(0.85)
    assert alert["created_at"] == first["created_at"]
    deliver(database, push)
    deliver(database, push)
    told = [message["data"] for message in push.messages("dashboard")]
    assert [(one["id"], one["priority"], one.get("raised")) for one in told] == [
        (first["id"], "high", None),
        (first["id"], "urgent", True),
    ]
    kept, anew = _recounted(database)
    assert kept == anew


@pytest.mark.parametrize(("learned_from", "source"), [("sample", "simulated"), ("history", "shop"), ("prior", "prior")])
def test_an_alert_tells_what_the_model_of_its_risk_learned_from(
    database: Database, learned_from: str, source: str
) -> None:
    model = RecencyModel()
    model.metadata = {"metrics": {}, "source": learned_from}
    push, scoring = FakePush(), Scoring(database, model, _SETTINGS)
    open_socket(database, "dashboard")
    subscribe(database, "dashboard", "low", None, lambda _: None)
    _apply(scoring, 0, order())
    _sweep(scoring, 65)
    deliver(database, push)
    _sweep(scoring, 85)
    _apply(scoring, 85.1, event("payment_failed"))
    deliver(database, push)
    told = [message["data"] for message in push.messages("dashboard")]
    assert [one["alert_type"] for one in told] == ["churn_risk", "payment_failure", "churn_risk"]
    assert {one["model_source"] for one in told} == {source}
    answer = list_alerts(database, limit=10)
    assert {one["model_source"] for one in answer["alerts"]} == {source}


def test_what_the_cooldown_held_back_is_told_once_it_is_over(database: Database, scoring: Scoring) -> None:
    _apply(scoring, 0, order(days_ago=50))
    _apply(scoring, 0.1, event("payment_failed"), event("payment_failed"))
    (first,) = _churn_alerts(database)
    resolve(database, first["id"], "ann", None, NOW)
    _apply(scoring, 0.2, order())
    _apply(scoring, 0.3, *(event("payment_failed") for _ in range(5)))
    assert len(_churn_alerts(database)) == 1
    assert _sweep(scoring, 0.9).alerts == 0
    assert _sweep(scoring, 1.11).alerts == 1
    assert _rows(database, _UNPROVED) == []


# --- times and changes


def test_times_rise_strictly_in_the_order_of_the_commits(database: Database, mysql_url: str) -> None:
    def work(worker: int) -> None:
        own = Database(mysql_url)
        scoring = Scoring(own, RecencyModel(), _SETTINGS)
        for round_ in range(15):
            # By the clocks of the callers some come late, and many at one instant; no event lies ahead of any of them.
            now = NOW - timedelta(minutes=worker)
            failed = [event("payment_failed", f"C-{worker}-{round_}-{n}", days_ago=0.1) for n in range(3)]
            scoring.apply(failed, now=now)
        own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    rows = _rows(database, "SELECT id, created_at, change_number FROM alerts ORDER BY id")
    assert len(rows) == 180
    for key in ("created_at", "change_number"):
        values = [row[key] for row in rows]
        assert values == sorted(set(values))
    # A time, as it is told, is as good as an id.
    told = list_alerts(database, limit=500)["alerts"]
    for alert in told[::17]:
        since = alert["created_at"]
        assert len(since) == len("2026-01-01T00:00:00.000000Z")
        by_time = list_alerts(database, Wanted(since=parse_since(since)), limit=500)
        assert by_time["total"] == list_alerts(database, Wanted(since=alert["id"]), limit=500)["total"]
    kept, anew = _recounted(database)
    assert kept == anew


def test_a_clock_that_goes_back_gives_later_times(database: Database, scoring: Scoring) -> None:
    set_clock(database, NOW)
    scoring.apply([event("payment_failed", "C-1")], now=NOW)
    set_clock(database, NOW - timedelta(hours=1))
    scoring.apply([event("payment_failed", "C-2")], now=NOW)
    first, second = _rows(database, "SELECT created_at FROM alerts ORDER BY id")
    assert first["created_at"] == NOW
    assert second["created_at"] == NOW + timedelta(microseconds=1)


def test_erasing_subtracts_the_day_that_was_counted(database: Database, scoring: Scoring) -> None:
    set_clock(database, NOW)
    scoring.apply([order(), event("payment_failed")], now=NOW - timedelta(days=2))
    scoring.apply([event("customer_deleted")], now=NOW)
    assert _recounted(database) == (Counter(), Counter())


def test_each_alert_that_changed_comes_once_in_its_present_form(database: Database, scoring: Scoring) -> None:
    for number in range(6):
        scoring.apply([event("payment_failed", f"C-{number}")], now=NOW)
    start = list_alerts(database, limit=1)["newest_change"]
    assert list_alerts(database, Wanted(changes_since=start), limit=10)["alerts"] == []
    acknowledge(database, 2, "ann", NOW)
    acknowledge(database, 5, "ann", NOW)
    resolve(database, 2, "ann", None, NOW)
    scoring.apply([event("payment_failed", "C-9")], now=NOW)

    seen, cursor = [], None
    for _ in range(3):
        page = list_alerts(database, Wanted(changes_since=start), limit=1, cursor=cursor)
        seen += [(alert["id"], alert["status"]) for alert in page["alerts"]]
        assert page["total"] == 3
        cursor = page["next_cursor"]
    assert (seen, cursor) == ([(5, "acknowledged"), (2, "resolved"), (7, "new")], None)

    push = FakePush()
    open_socket(database, "follower")
    subscribe(database, "follower", "low", Since(change=start), lambda _: None)
    deliver(database, push)
    assert push.alert_ids("follower") == [5, 2, 7]
    acknowledge(database, 7, "ann", NOW)
    deliver(database, push)
    deliver(database, push)
    assert push.alert_ids("follower") == [5, 2, 7, 7]
    assert push.messages("follower")[-1]["data"]["status"] == "acknowledged"


def test_a_raise_ends_a_snooze_and_makes_another_version(database: Database, scoring: Scoring) -> None:
    _apply(scoring, 0, order())
    _sweep(scoring, 65)
    (first,) = list_alerts(database, limit=1)["alerts"]
    until = NOW + timedelta(days=400)
    asleep = work_on(database, first["id"], Work(changes_snooze=True, snoozed_until=until), "ann", NOW)
    assert list_alerts(database, Wanted(awake_at=NOW), limit=1)["total"] == 0
    _sweep(scoring, 85)
    (raised,) = list_alerts(database, Wanted(awake_at=NOW), limit=1)["alerts"]
    assert (raised["priority"], raised["snoozed_until"]) == ("urgent", None)
    with pytest.raises(AlertChangedError, match=str(raised["change"])):
        work_on(database, first["id"], Work("resolved"), "ann", NOW, versions={asleep["change"]})


def test_since_an_id_gives_new_alerts_alone(database: Database, scoring: Scoring) -> None:
    push = FakePush()
    _apply(scoring, 0, order())
    _sweep(scoring, 65)
    scoring.apply([event("payment_failed", "C-2")], now=NOW)
    _sweep(scoring, 85)
    open_socket(database, "dashboard")
    subscribe(database, "dashboard", "low", 1, lambda _: None)
    deliver(database, push)
    assert push.alert_ids("dashboard") == [2]
