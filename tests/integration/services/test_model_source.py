"""Where a score comes from: every answer with a probability says what its model learned from."""

from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import read_migrations
from churn.adapters.redis_cache import Cache
from churn.services.customer_story import CustomerStory, RiskQuery
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.predictions import PredictionQuery, list_predictions
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.conftest import MIGRATIONS
from tests.support.events import NOW, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})


class _Sourced(RecencyModel):
    def __init__(self, source: str | None) -> None:
        super().__init__()
        self.version = f"of-{source}"
        self.metadata = {"metrics": {}} | ({} if source is None else {"source": source})


@pytest.mark.parametrize(
    ("source", "said"), [("sample", "simulated"), ("history", "shop"), ("prior", "prior"), (None, None)]
)
def test_every_stored_score_says_what_its_model_learned_from(
    database: Database, redis_url: str, source: str | None, said: str | None
) -> None:
    Scoring(database, _Sourced(source), _SETTINGS).apply([order(days_ago=50)], now=NOW)
    customers = Customers(database, _SETTINGS)
    (listed,) = customers.page(CustomerQuery(), NOW)["customers"]
    (stored,) = list_predictions(database, PredictionQuery(5))["predictions"]
    story = CustomerStory(database, _SETTINGS.retention)
    answers: list[dict[str, Any]] = [dict(listed), dict(customers.get("CUST-001", NOW)), dict(stored)]
    answers += [
        dict(story.then("CUST-001", NOW, NOW)),
        dict(story.predictions("CUST-001", RiskQuery())["predictions"][0]),
    ]
    assert [answer["model_source"] for answer in answers] == [said] * 5
    # Nothing is known of how often it is right.
    assert Dashboard(database, Cache(redis_url), _SETTINGS).stats(NOW)["model_accuracy"] is None


def test_versions_of_before_get_their_source_from_their_metadata(database: Database) -> None:
    Scoring(database, _Sourced("sample"), _SETTINGS).apply([order(days_ago=50)], now=NOW)
    (migration,) = [one for one in read_migrations(MIGRATIONS) if one.name.startswith("0029")]
    update = migration.statements[-1]
    database.run(lambda transaction: transaction.execute("UPDATE models SET source = NULL"))
    database.run(lambda transaction: transaction.execute(update.replace("%", "%%")))
    found = database.run(lambda transaction: transaction.rows("SELECT source FROM models"))
    assert found == [{"source": "simulated"}]
