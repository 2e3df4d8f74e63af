"""The dashboard's hourly figures, on a real server."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.database import Row
from churn.adapters.redis_cache import Cache
from churn.domain.events import Event
from churn.services import hourly_stats as statistics
from churn.services.dashboard import Dashboard
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({"INACTIVITY_DAYS": "5"})
_HOUR = timedelta(hours=1)
_DAYS_AGO = 86_400


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


_COLUMNS = "active_customers, new_customers, churned_customers, left_customers"


def _rows(database: Database, columns: str = f"{_COLUMNS}, high_risk_customers, measured_at") -> dict[datetime, Row]:
    query = f"SELECT hour, {columns} FROM hourly_stats ORDER BY hour"
    return {row.pop("hour"): row for row in database.run(lambda transaction: transaction.rows(query))}


def _active(database: Database) -> dict[datetime, int]:
    return {hour: row["active_customers"] for hour, row in _rows(database, "active_customers").items()}


def _order(customer: str, at: datetime) -> Event:
    return order(customer, days_ago=(NOW - at).total_seconds() / _DAYS_AGO)


def _all_order(scoring: Scoring, at: datetime, number: int = 200) -> None:
    scoring.apply([_order(f"C-{one}", at) for one in range(number)], now=at)


def test_hours_that_are_measured_after_an_outage_hold_whoever_ordered_since(
    database: Database, scoring: Scoring
) -> None:
    _all_order(scoring, NOW - timedelta(days=2))
    statistics.refresh(database, _SETTINGS, NOW - 10 * _HOUR)
    # The sweep stands still, and everybody orders again.
    for hours in range(1, 9):
        at = NOW - hours * _HOUR + timedelta(minutes=20)
        scoring.apply([_order(f"C-{one}", at) for one in range(hours * 20, hours * 20 + 40)], now=NOW)
    assert statistics.refresh(database, _SETTINGS, NOW) == 11
    active = _active(database)
    assert [active[NOW - hours * _HOUR] for hours in range(10, -1, -1)] == [200] * 11
    assert _rows(database, "high_risk_customers")[NOW - 5 * _HOUR] == {"high_risk_customers": None}, "nobody knows"


def test_an_hour_is_not_short_of_those_who_order_just_after_it(database: Database, scoring: Scoring) -> None:
    _all_order(scoring, NOW - timedelta(days=2))
    statistics.refresh(database, _SETTINGS, NOW + timedelta(minutes=50))
    _all_order(scoring, NOW + _HOUR + timedelta(minutes=3), 30)
    assert statistics.refresh(database, _SETTINGS, NOW + _HOUR + timedelta(minutes=5)) == 2
    assert _active(database)[NOW] == 200
    high = _rows(database, "high_risk_customers")
    assert high[NOW]["high_risk_customers"] == 0, "what was known within the hour stays"


def test_the_last_minutes_of_an_hour_are_measured_with_it(database: Database, scoring: Scoring) -> None:
    statistics.refresh(database, _SETTINGS, NOW + timedelta(minutes=45))
    _all_order(scoring, NOW + timedelta(minutes=50), 7)
    statistics.refresh(database, _SETTINGS, NOW + _HOUR)
    assert (_active(database)[NOW], _active(database)[NOW + _HOUR]) == (7, 7)


def test_the_year_does_not_begin_with_the_sum_of_everybody_who_ever_lapsed(
    database: Database, scoring: Scoring
) -> None:
    lapsed = [order(f"C-{one}", days_ago=500 + one) for one in range(60)]
    scoring.apply([*lapsed, order("C-0", days_ago=400), order("C-0", days_ago=3)], now=NOW)
    statistics.rebuild(database, _SETTINGS, NOW)
    churned = {hour: row["churned_customers"] for hour, row in _rows(database, "churned_customers").items()}
    assert sum(churned.values()) == 1
    trends = Dashboard(database, Cache(""), _SETTINGS).trends("1y", "week", NOW)["trends"]
    assert max(trend["churned_customers"] for trend in trends) == 0
    assert trends[0]["churn_rate"] is None, "nobody was active thirty days before"
    assert {trend["high_risk_customers"] for trend in trends[:-1]} == {None}, "the service did not run yet"
    assert trends[-1]["high_risk_customers"] is not None


def test_rows_of_before_are_measured_again(database: Database, scoring: Scoring) -> None:
    _all_order(scoring, NOW - timedelta(days=2), 12)
    statistics.refresh(database, _SETTINGS, NOW)
    good = _rows(database)
    database.run(
        lambda transaction: transaction.execute(
            "UPDATE hourly_stats SET active_customers = 1, churned_customers = 628, measured_at = NULL"
        )
    )
    # The older version looked back for a shorter time, too.
    database.run(
        lambda transaction: transaction.execute(
            "DELETE FROM hourly_stats WHERE hour < %s", (NOW - timedelta(days=366),)
        )
    )
    statistics.refresh(database, _SETTINGS, NOW)
    assert _rows(database) == good


def test_a_sweep_with_a_clock_ahead_leaves_no_hours_that_have_not_come(database: Database, scoring: Scoring) -> None:
    _all_order(scoring, NOW - timedelta(days=3), 5)
    statistics.refresh(database, _SETTINGS, NOW)
    statistics.refresh(database, _SETTINGS, NOW + timedelta(days=2))
    assert statistics.refresh(database, _SETTINGS, NOW + _HOUR) == 2
    _all_order(scoring, NOW + timedelta(minutes=100), 9)
    statistics.refresh(database, _SETTINGS, NOW + 2 * _HOUR)
    active = _active(database)
    assert max(active) == NOW + 2 * _HOUR
    assert [active[NOW + hours * _HOUR] for hours in range(3)] == [5, 9, 9]


def _any_events(chance: random.Random) -> Iterator[Event]:
    """Yield orders and cancellations of thirty customers, who now and then lapse; many fall on the bounds of hours."""
    for customer in range(30):
        for number in range(chance.randrange(1, 6)):
            at = NOW - timedelta(minutes=30 * chance.randrange(1, 2 * 24 * 12))
            name = f"{customer}-{number}"
            placed = order(f"C-{customer}", days_ago=(NOW - at).total_seconds() / _DAYS_AGO, order_id=name)
            yield placed
            if chance.random() < 0.4:
                cancelled_at = at + timedelta(minutes=30 * chance.randrange(2 * 24 * 8))
                if cancelled_at <= NOW:
                    days_ago = (NOW - cancelled_at).total_seconds() / _DAYS_AGO
                    yield event("order_cancelled", f"C-{customer}", days_ago=days_ago, order_id=name)


@pytest.mark.parametrize("seed", range(3))
def test_hours_measured_one_by_one_are_those_of_one_pass_over_all_orders(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(statistics, "_LOOK_BACK", timedelta(days=13))
    scoring.apply([*_any_events(random.Random(seed))], now=NOW)
    now = NOW + timedelta(minutes=30)
    statistics.rebuild(database, _SETTINGS, now)
    in_one_pass = _rows(database, _COLUMNS)
    database.run(lambda transaction: transaction.execute("UPDATE hourly_stats SET measured_at = NULL"))
    monkeypatch.setattr(statistics, "_MEASURED_SINGLY", 99_999)
    assert statistics.refresh(database, _SETTINGS, now) == len(in_one_pass) > 300
    one_by_one = _rows(database, _COLUMNS)
    assert one_by_one == in_one_pass
    for column in _COLUMNS.split(", "):
        assert len({row[column] for row in one_by_one.values()}) > 1


def test_events_that_come_late_are_in_the_hours_that_they_belong_to(database: Database, scoring: Scoring) -> None:
    _all_order(scoring, NOW - timedelta(days=2), 20)
    statistics.refresh(database, _SETTINGS, NOW - 5 * _HOUR)
    for hours in range(4, -1, -1):
        # On its way for twenty seconds, over the end of an hour that has been measured at once.
        at = NOW - hours * _HOUR
        statistics.refresh(database, _SETTINGS, at)
        scoring.apply([_order(f"LATE-{hours}", at - timedelta(seconds=10))], now=at + timedelta(seconds=10))
    # A consumer that stood still for hours.
    scoring.apply([_order(f"BACKLOG-{one}", NOW - 4.5 * _HOUR) for one in range(30)], now=NOW + _HOUR / 60)
    statistics.refresh(database, _SETTINGS, NOW + timedelta(minutes=15))
    stored = _rows(database, _COLUMNS)
    statistics.rebuild(database, _SETTINGS, NOW + timedelta(minutes=15))
    again = _rows(database, _COLUMNS)
    assert {hour: (row, again[hour]) for hour, row in stored.items() if again[hour] != row} == {}
    assert stored[NOW - 5 * _HOUR]["active_customers"] == 51
    assert statistics.refresh(database, _SETTINGS, NOW + timedelta(minutes=30)) == 1


def test_hours_of_long_ago_are_measured_again_in_the_night(database: Database, scoring: Scoring) -> None:
    _all_order(scoring, NOW - timedelta(days=2), 20)
    statistics.refresh(database, _SETTINGS, NOW)
    hour = NOW - timedelta(days=3)
    scoring.apply([_order("VERY-LATE", hour)], now=NOW)
    assert statistics.refresh(database, _SETTINGS, NOW + _HOUR) == 2
    assert _active(database)[hour] == 0
    night = NOW.replace(hour=3) + timedelta(days=1)
    statistics.refresh(database, _SETTINGS, night)
    assert _active(database)[hour] == 1
