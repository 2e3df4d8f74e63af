"""A simulated shop's model answers for customers of the sample alone; for all others, what is usual for shops does."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import read_migrations
from churn.domain.events import SIMULATED, Event
from churn.domain.hypotheses import StoredCustomer
from churn.domain.model import Predictor
from churn.entrypoints.http.predictions import answer_many
from churn.ml.prior import stand_in_for
from churn.services.customers import CustomerQuery, Customers
from churn.services.predictions import PredictionQuery, list_predictions
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.conftest import MIGRATIONS
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})
_LEARNED = {"metrics": {}, "source": "sample", "trained_at": "2026-11-01T00:00:00Z", "horizon_days": 90}


class _OfSample(RecencyModel):
    version = "of-the-sample"
    metadata: dict[str, Any] = _LEARNED
    stand_in: Predictor = stand_in_for(_LEARNED)


def _sampled(customer_id: str, days_ago: float) -> Event:
    return replace(order(customer_id, days_ago=days_ago), event_id=f"{SIMULATED}1-{customer_id}-{days_ago}")


def _scored(database: Database) -> Scoring:
    scoring = Scoring(database, _OfSample(), _SETTINGS)
    scoring.apply([_sampled("SAMPLE", 40), order("OWN", days_ago=40), event("login", "NEW")], now=NOW)
    return scoring


def _sources(database: Database) -> dict[str, str | None]:
    page = Customers(database, _SETTINGS).page(CustomerQuery(), NOW)
    return {customer["customer_id"]: customer["model_source"] for customer in page["customers"]}


def test_a_customer_whom_the_sample_did_not_write_is_scored_by_what_is_usual_for_shops(database: Database) -> None:
    scoring = _scored(database)
    usual = _OfSample.stand_in
    assert _sources(database) == {"SAMPLE": "simulated", "OWN": "prior", "NEW": "prior"}
    found = {row["customer_id"]: row for row in rows(database, "SELECT * FROM customers")}
    assert (found["SAMPLE"]["model_version"], found["SAMPLE"]["churn_probability"]) == ("of-the-sample", 0.4)
    assert {found[name]["model_version"] for name in ("OWN", "NEW")} == {usual.version}
    assert found["OWN"]["expected_orders"] > 0
    # One order of 50 is all that tells what an order is worth.
    assert float(found["OWN"]["expected_spend"]) == round(found["OWN"]["expected_orders"] * 50, 2)
    assert found["NEW"]["expected_spend"] is None
    stored = {one["customer_id"]: one for one in list_predictions(database, PredictionQuery(9))["predictions"]}
    assert (stored["OWN"]["model_source"], stored["OWN"]["model_kind"]) == ("prior", "purchase_process")
    # The version that serves is the promoted one; both are known, and nobody is due again.
    (newest,) = rows(database, "SELECT version FROM models ORDER BY loaded_at DESC LIMIT 1")
    assert newest["version"] == "of-the-sample"
    assert scoring.due(0, now=NOW) == []
    # The sample's events mark the customer whenever they come; time alone changes nothing of it.
    scoring.apply([_sampled("NEW", 1)], now=NOW)
    assert sweep(scoring, now=NOW + timedelta(days=2), time_left=lambda: True).scored == 3
    assert _sources(database) == {"SAMPLE": "simulated", "OWN": "prior", "NEW": "simulated"}
    assert scoring.due(0, now=NOW + timedelta(days=2)) == []


def test_questions_are_answered_by_the_model_of_the_customer_that_they_name(database: Database) -> None:
    _scored(database)
    customers = Customers(database, _SETTINGS)

    def load(wanted: set[str], with_values: set[str]) -> Mapping[str, StoredCustomer | Any]:
        return customers.stored(wanted, NOW, with_values)

    asked = [{"customer_id": "OWN"}, {"customer_id": "SAMPLE"}, {"customer_id": "OWN", "days_since_last_order": 0}]
    asked += [{"days_since_last_order": 40, "total_orders": 1}, {"customer_id": "NOBODY"}, {"customer_id": "NEW"}]
    answers: list[Any] = answer_many(_OfSample(), asked, load, _SETTINGS)["predictions"]
    told = [answer.get("model_version") for answer in answers]
    usual = _OfSample.stand_in.version
    assert told == [usual, "of-the-sample", usual, "of-the-sample", None, usual]
    assert [answer.get("model_source") for answer in answers][:3] == ["prior", None, "prior"]
    assert answers[2]["what_if"]["churn_probability"] == answers[0]["churn_probability"]


def test_another_version_takes_the_place_of_both(database: Database) -> None:
    _scored(database)
    shop = RecencyModel()
    shop.metadata = {"metrics": {}, "source": "history"}
    assert sweep(Scoring(database, shop, _SETTINGS), now=NOW, time_left=lambda: True).scored == 3
    assert {*_sources(database).values()} == {"shop"}


def test_customers_of_before_are_marked_by_their_events(database: Database) -> None:
    _scored(database)
    database.run(lambda transaction: transaction.execute("UPDATE customers SET of_sample = FALSE"))
    (migration,) = [one for one in read_migrations(MIGRATIONS) if one.name.startswith("0042")]
    database.run(lambda transaction: transaction.execute(migration.statements[-1]))
    found = rows(database, "SELECT customer_id FROM customers WHERE of_sample = 1")
    assert found == [{"customer_id": "SAMPLE"}]
