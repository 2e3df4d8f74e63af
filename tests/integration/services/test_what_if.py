"""What-ifs of stored customers: folded into what the database holds, and nothing of it is stored."""

import pytest

from churn.adapters.mysql import Database
from churn.domain.risk import RiskBands
from churn.domain.what_if import Question, predict, resolve
from churn.services.customers import Customers
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.forests import state_model
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})
_QUESTION = Question("CUST-001", {"days_since_last_order": 3.0})


@pytest.fixture
def scoring(database: Database) -> Scoring:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    events = [order(days_ago=days, value=days) for days in (20, 40, 90)]
    scoring.apply([*events, order(days_ago=1, value=900, order_id="back"), event("login", "CUST-002")], now=NOW)
    scoring.apply([event("order_cancelled", order_id="back")], now=NOW)
    return scoring


@pytest.mark.usefixtures("scoring")
def test_a_what_if_costs_what_orders_of_the_customer_cost_and_stores_nothing(database: Database) -> None:
    before = rows(database, "SELECT state FROM customer_states ORDER BY customer_pk")
    stored = Customers(database, _SETTINGS).stored({"CUST-001", "CUST-002"}, NOW, {"CUST-001", "CUST-002"})
    scenario = resolve(_QUESTION, stored)
    # The median of those that count.
    assert (scenario.features["total_orders"], scenario.features["total_spent"]) == (4, 190)
    (answer,) = predict(state_model(), [scenario], bands=RiskBands())
    assert answer["what_if"] is not None
    # Who never ordered has no usual value: that of their first order is not known.
    never = resolve(Question("CUST-002", {"days_since_last_order": 0.0}), stored)
    assert [never.features[name] for name in ("days_since_last_order", "total_orders", "total_spent")] == [0, 1, None]
    assert rows(database, "SELECT state FROM customer_states ORDER BY customer_pk") == before
    assert rows(database, "SELECT COUNT(*) AS number FROM orders") == [{"number": 4}]


def test_a_later_real_order_gives_the_answer_of_the_hypothetical_one(database: Database, scoring: Scoring) -> None:
    customers = Customers(database, _SETTINGS)
    asked = resolve(_QUESTION, customers.stored({"CUST-001"}, NOW, {"CUST-001"})).features
    scoring.apply([order(days_ago=3, value=40)], now=NOW)
    assert resolve(Question("CUST-001", {}), customers.stored({"CUST-001"}, NOW)).features == asked


def test_the_usual_value_comes_from_the_newest_orders_by_an_index(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        scoring.apply([order(f"CUST-1{number}", days_ago=days) for days in range(60)], now=NOW)
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE orders"))
    watched = watch_plans(monkeypatch, lambda statement: "SELECT cents" in statement)
    Customers(database, _SETTINGS).stored({"CUST-10"}, NOW, {"CUST-10"})
    (plan,) = rows_of(watched)
    assert plan["key"] == "orders_by_time"
    assert "filesort" not in (plan["Extra"] or "")
