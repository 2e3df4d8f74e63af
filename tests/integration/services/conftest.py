"""A small shop for tests of what is read."""

from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

SHOP_SIZE = 25


@pytest.fixture
def shop(database: Database) -> Database:
    """25 customers with last orders 0, 4, 8 … days ago, two of them twice alike, and five who never ordered."""
    events: list[Any] = []
    for number in range(SHOP_SIZE):
        customer = f"CUST-{number:03d}"
        events.append(
            event("customer_registered", customer, days_ago=300, name=f"Name{number} Müller", email=f"n{number}@x.org")
        )
        if number >= 5:
            events.append(order(customer, days_ago=4 * (number // 2), value=10 * (number % 7 + 1)))
    Scoring(database, RecencyModel(), Settings.from_environment({})).apply(events, now=NOW)
    return database
