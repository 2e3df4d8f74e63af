"""The outlook of a customer's newest score: stored with it, and shown in lists and alone."""

from collections.abc import Sequence
from dataclasses import replace

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.domain.features import Features
from churn.domain.model import Estimate, Outlook, Prediction
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})
_OUTLOOK = Outlook(1.5, 60.0, 80.0, (0.0, 210.0), 20.0, 12.0)


class OutlookModel(RecencyModel):
    """RecencyModel with the same outlook for everybody."""

    def estimate(self, rows: Sequence[Features]) -> list[Estimate]:
        return [replace(answer, outlook=_OUTLOOK) for answer in super().estimate(rows)]

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        return [replace(answer, outlook=_OUTLOOK) for answer in super().predict(rows)]


def test_a_score_stores_its_outlook_and_both_lists_and_sums_tell_it(database: Database) -> None:
    Scoring(database, OutlookModel(), _SETTINGS).apply([order("C-1", days_ago=25, value=50)], now=NOW)
    customers = Customers(database, _SETTINGS)
    (listed,) = customers.page(CustomerQuery(), NOW)["customers"]
    alone = customers.get("C-1", NOW)
    for shown in (listed, alone):
        assert (shown["expected_orders"], shown["expected_spend"]) == (1.5, 60.0)
        assert shown["expected_spend_basis"] == "purchase_process"
        assert shown["expected_spend_interval"] == {"low": 0.0, "high": 210.0}
        assert shown["next_order_expected_at"] is not None
        assert shown["overdue_factor"] == 1.25
        assert shown["value_at_risk"] == round(80.0 * (shown["churn_probability"] or 0), 2) > 0
    assert Dashboard(database, Cache(""), _SETTINGS).stats(NOW)["revenue_at_risk"] == listed["value_at_risk"]
