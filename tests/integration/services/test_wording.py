"""What answers tell people: sentences without names of columns, and numbers that can be read."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.redis_cache import Cache
from churn.domain.features import INPUT_NAMES
from churn.domain.what_if import Question, predict, resolve
from churn.services.alerts import list_alerts
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.predictions import PredictionQuery, list_predictions
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.forests import small_model
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({"ALERT_ON_RETURN": "on"})
_FOR_PEOPLE = {"reason", "message", "sentence", "title", "text", "recommendations"}
_LONG = re.compile(r"\d\.\d{7,}")


def _answers(database: Database, redis_url: str) -> Iterator[Any]:
    """Yield an answer of every kind that tells of customers, with reasons, alerts and what-ifs in them."""
    customers = Customers(database, _SETTINGS)
    later = NOW + timedelta(days=81, hours=1.2345)
    page = customers.page(CustomerQuery(), later)
    yield page
    ids = [customer["customer_id"] for customer in page["customers"]]
    for customer_id in ids:
        yield customers.get(customer_id, later)
        yield customers.events(customer_id, limit=50)
    yield list_alerts(database, limit=50)
    yield list_alerts(database, Wanted(changes_since=0), limit=50)
    yield list_predictions(database, PredictionQuery(50))
    dashboard = Dashboard(database, Cache(redis_url), _SETTINGS)
    yield dashboard.stats(later)
    yield dashboard.recent_activity()
    stored = customers.stored(ids, later, ids)
    model = small_model()
    for given in ({}, {"days_since_last_order": 3.0, "support_tickets": 2.0}):
        scenarios = [resolve(Question(customer_id, given), stored) for customer_id in ids]
        yield predict(model, scenarios, bands=_SETTINGS.bands)


def _leaves(value: Any, name: str = "", of_days: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """Yield the values of an answer, each with its name, and whether it counts days."""
    if isinstance(value, dict):
        days = "days" in str(value.get("feature"))
        for key, item in value.items():
            yield from _leaves(item, str(key), of_days or "days" in str(key) or (days and key in {"value", "stored"}))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name, of_days)
    else:
        yield name, value, of_days


@pytest.fixture
def shop(database: Database) -> Database:
    """Return customers with every kind of alert and of reason, some hours and seconds away from whole days."""
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    kinds = ("payment_failed", "subscription_cancelled", "refund_requested", "login", "email_sent", "order_returned")
    events = [order(f"C-{number}", days_ago=17.123 * number, value=100 / 3) for number in range(12)]
    events += [event("support_ticket_created", f"C-{number}", days_ago=0.3, priority="high") for number in range(4)]
    events += [event(kind, f"C-{number}", days_ago=0.777) for number in range(6) for kind in kinds]
    scoring.apply(events, now=NOW)
    sweep(scoring, now=NOW + timedelta(days=80), time_left=lambda: True)
    scoring.apply([order("C-11", days_ago=-81)], now=NOW + timedelta(days=81))
    types = database.run(lambda transaction: transaction.rows("SELECT DISTINCT alert_type FROM alerts"))
    assert len(types) == 6
    return database


def test_people_read_sentences(shop: Database, redis_url: str) -> None:
    read = 0
    for answer in _answers(shop, redis_url):
        for name, value, _ in _leaves(answer):
            if name not in _FOR_PEOPLE or not isinstance(value, str):
                continue
            read += 1
            assert not any(column in value for column in INPUT_NAMES), value
            assert "_" not in value, value
            assert not _LONG.search(value), value
            assert not value[0].islower(), value
            assert value.endswith(".") or name not in {"reason", "message", "sentence"}, value
    assert read > 100


def test_no_days_have_fifteen_digits(shop: Database, redis_url: str) -> None:
    days = [
        value
        for answer in _answers(shop, redis_url)
        for _, value, of_days in _leaves(answer)
        if of_days and isinstance(value, float)
    ]
    assert len(days) > 100
    assert [value for value in days if _LONG.search(repr(value))] == []
