"""Requests pin no session of RDS Proxy by a long statement, however many customers or alerts they are about."""

import string
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from churn.adapters.mysql import Database, customer_search
from churn.domain.alert_work import Work
from churn.entrypoints.http.requests import MAX_NOTE_BYTES
from churn.services import alerts
from churn.services.customers import CustomerQuery, Customers
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.statements import PINS_FROM_BYTES, logged
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})
_MANY = 1500
# One-letter words, as many as a search may have; nobody's but the first.
_WORDS = " ".join(f"{letter}" for letter in ("a" + string.digits + string.ascii_lowercase[1:]))
_BOUNDS = {
    f"{side}_{name}": value
    for side, value in (("min", 0), ("max", 10_000))
    for name in ("total_spent", "total_orders", "days_since_last_order", "account_age_days", "value_at_risk")
}


@pytest.fixture
def requests(database: Database, mysql_url: str) -> Iterator[Database]:
    """Yield the database of requests in a shop of many customers with an open alert each, whose keys are long."""
    database.run(lambda transaction: transaction.execute("ALTER TABLE customers AUTO_INCREMENT = 1000000000"))
    names = [f"C-{number}" for number in range(_MANY)]
    events = [event("customer_registered", name, days_ago=100, name="Anna") for name in names]
    events += [order(name, days_ago=20) for name in names]
    events += [event("payment_failed", name) for name in names]
    Scoring(database, RecencyModel(), _SETTINGS).apply(events, now=NOW)
    with closing(Database.for_requests(mysql_url)) as asks:
        yield asks


@pytest.mark.parametrize("many", [0, 10_000])
def test_a_list_of_many_known_customers(
    requests: Database, database: Database, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(customer_search, "MANY_MATCHES", many)
    customers = Customers(requests, _SETTINGS)
    asked: list[dict[str, Any]] = [{"search": "anna"}, {"has_open_alert": True}, {"search": _WORDS}]
    with logged(database, requests) as statements:
        for chosen in (*asked, *({**one, **_BOUNDS} for one in asked)):
            for sort in customer_search.SORT_COLUMNS:
                page = customers.page(CustomerQuery(sort=sort, limit=500, **chosen), NOW)
                assert len(page["customers"]) == (0 if chosen.get("search") == _WORDS else 500)
    assert max(statements) < PINS_FROM_BYTES


def test_work_on_many_alerts(requests: Database, database: Database) -> None:
    numbers = [row["id"] for row in rows(database, "SELECT id FROM alerts ORDER BY id LIMIT 500")]
    note = "€" * (MAX_NOTE_BYTES // 3)
    for work in (
        Work(status="dismissed", reason="€" * 500, note=note),
        Work(status="new"),
        Work("resolved", note=note),
    ):
        with logged(database, requests) as statements:
            outcomes = alerts.work_on_many(requests, numbers, work, "anna", NOW)
        assert all(outcome.has_changed for outcome in outcomes)
        assert max(statements) < PINS_FROM_BYTES
