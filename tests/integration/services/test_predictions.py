"""Reading the stored predictions."""

from datetime import timedelta

from churn.adapters.mysql import Database
from churn.services.predictions import list_predictions
from tests.support.events import NOW


def test_predictions_and_their_totals(shop: Database) -> None:
    found = list_predictions(shop, limit=500)
    assert found["total"] == len(found["predictions"]) > 0
    some = list_predictions(shop, limit=500, risk_level="medium")
    assert some["total"] == len(some["predictions"]) > 0
    assert {one["risk_level"] for one in some["predictions"]} == {"medium"}
    assert list_predictions(shop, limit=500, date_from=NOW)["total"] == found["total"]
    assert list_predictions(shop, limit=500, date_from=NOW + timedelta(seconds=1))["total"] == 0
