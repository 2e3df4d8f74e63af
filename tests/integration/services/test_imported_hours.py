"""The dashboard's hours after an import are those of all orders, though only the touched customers are looked at."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from unittest.mock import Mock

import pytest

from churn.adapters.mysql import Database, imports
from churn.adapters.mysql import orders as stored_orders
from churn.domain.events import Event
from churn.services import hourly_stats
from churn.services.imported_hours import HourSpan
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.tools.importer.storing import import_events
from infra.tools.progress import Progress
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({"INACTIVITY_DAYS": "5"})
_HOUR = timedelta(hours=1)
_COLUMNS = "active_customers, new_customers, churned_customers, left_customers"


@pytest.fixture
def scoring(database: Database, monkeypatch: pytest.MonkeyPatch) -> Scoring:
    """Keep the hours of thirteen days alone."""
    monkeypatch.setattr(hourly_stats, "_LOOK_BACK", timedelta(days=13))
    return Scoring(database, RecencyModel(), _SETTINGS)


def _events(chance: random.Random, customers: Sequence[int], name: str) -> list[Event]:
    """Return orders, free ones among them, and cancellations; many fall on the bounds of hours."""
    events = []
    for customer in customers:
        for number in range(chance.randrange(1, 6)):
            days_ago = chance.randrange(1, 2 * 24 * 14) / 48
            order_id = f"{name}-{customer}-{number}"
            value = chance.choice((0, 5, 20))
            events.append(order(f"C-{customer:02}", days_ago=days_ago, order_id=order_id, value=value))
            if chance.random() < 0.4:
                cancelled_ago = days_ago * chance.random()
                events.append(event("order_cancelled", f"C-{customer:02}", days_ago=cancelled_ago, order_id=order_id))
    return sorted(events, key=lambda one: one.customer_id)


def _import(database: Database, scoring: Scoring, events: Sequence[Event], now: datetime, *, ends: bool = True) -> None:
    hours = HourSpan.begin(database, _SETTINGS, now)
    key = database.run(lambda transaction: imports.begin(transaction, "o.csv", "orders", now))
    imported = import_events(scoring, events, Progress("importing"), hours)
    if ends:
        hours.store(database, _SETTINGS, imported.hours, now)
        database.run(lambda transaction: imports.end(transaction, key, dict.fromkeys(imports.COUNTS, 0), now))


def _rows(database: Database) -> list[dict[str, object]]:
    query = f"SELECT hour, {_COLUMNS} FROM hourly_stats ORDER BY hour"
    return database.run(lambda transaction: transaction.rows(query))


def _rebuilt(database: Database, now: datetime) -> list[dict[str, object]]:
    hourly_stats.rebuild(database, _SETTINGS, now)
    return _rows(database)


@pytest.mark.parametrize("seed", range(3))
def test_imports_change_the_hours_as_a_pass_over_all_orders_would(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    now = NOW + timedelta(minutes=30)
    look_at_all = Mock(return_value=())
    monkeypatch.setattr(stored_orders, "histories", look_at_all)
    _import(database, scoring, _events(chance, range(30), "first"), now)
    first = _rows(database)
    # The second is of customers who are there and of new ones, in a later hour, and two hours have not been measured.
    later = now + 3 * _HOUR
    _import(database, scoring, _events(chance, range(20, 40), "second"), later)
    second = _rows(database)
    look_at_all.assert_not_called()
    hourly_stats.refresh(database, _SETTINGS, later)
    refreshed = _rows(database)
    look_at_all.assert_not_called()
    monkeypatch.undo()
    monkeypatch.setattr(hourly_stats, "_LOOK_BACK", timedelta(days=13))
    assert refreshed == _rebuilt(database, later)
    assert first != second[: len(first)]
    assert all(len({row[column] for row in refreshed}) > 1 for column in _COLUMNS.split(", "))


@pytest.mark.parametrize("way", ["was not ended", "met a measurement", "hours are missing"])
def test_hours_that_cannot_be_told_are_made_again(database: Database, scoring: Scoring, way: str) -> None:
    chance = random.Random(7)
    now = NOW + timedelta(minutes=30)
    _import(database, scoring, _events(chance, range(30), "first"), now)
    later = now + timedelta(minutes=5)
    if way == "was not ended":
        _import(database, scoring, _events(chance, range(20), "killed"), later, ends=False)
    elif way == "hours are missing":
        database.run(lambda transaction: transaction.execute("DELETE FROM hourly_stats ORDER BY hour LIMIT 40"))
    hours = HourSpan.begin(database, _SETTINGS, later + timedelta(minutes=1))
    imported = import_events(scoring, _events(chance, range(20, 40), "last"), Progress("importing"), hours)
    end = later + timedelta(minutes=2)
    if way == "met a measurement":
        hourly_stats.rebuild(database, _SETTINGS, end)
    hours.store(database, _SETTINGS, imported.hours, end)
    stored = _rows(database)
    assert stored == _rebuilt(database, end)


def test_an_import_that_never_ends_is_in_the_hours_after_the_night(database: Database, scoring: Scoring) -> None:
    now = NOW + timedelta(minutes=30)
    hourly_stats.refresh(database, _SETTINGS, now)
    _import(database, scoring, [order("C-1", days_ago=2)], now, ends=False)
    night = NOW.replace(hour=3) + timedelta(days=1)
    hourly_stats.refresh(database, _SETTINGS, night)
    stored = _rows(database)
    assert max(int(str(row["active_customers"])) for row in stored) == 1
    assert stored == _rebuilt(database, night)
