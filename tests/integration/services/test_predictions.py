"""Reading the stored predictions."""

from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.services.cursors import InvalidCursorError
from churn.services.predictions import PredictionQuery, list_predictions, part_of_predictions
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, order
from tests.support.models import RecencyModel
from tests.support.plans import watch_plans


def test_predictions_and_their_totals(shop: Database) -> None:
    found = list_predictions(shop, PredictionQuery(500))
    assert found["total"] == len(found["predictions"]) > 0
    some = list_predictions(shop, PredictionQuery(500, risk_level="medium"))
    assert some["total"] == len(some["predictions"]) > 0
    assert {one["risk_level"] for one in some["predictions"]} == {"medium"}
    assert list_predictions(shop, PredictionQuery(500, date_from=NOW))["total"] == found["total"]
    assert list_predictions(shop, PredictionQuery(500, date_from=NOW + timedelta(seconds=1)))["total"] == 0


@pytest.mark.parametrize("chosen", [{}, {"risk_level": "medium"}, {"date_from": NOW, "date_to": NOW}])
def test_pages_are_the_list_also_where_all_were_stored_at_one_instant(shop: Database, chosen: dict[str, Any]) -> None:
    scoring = Scoring(shop, RecencyModel(), Settings.from_environment({}))
    scoring.apply([order("CUST-001"), order("CUST-002")], now=NOW + timedelta(minutes=1))
    whole = list_predictions(shop, PredictionQuery(500, **chosen))
    listed, parts, cursor = [], [], None
    while True:
        page = list_predictions(shop, PredictionQuery(4, cursor=cursor, **chosen))
        parts += part_of_predictions(shop, PredictionQuery(4, cursor=cursor, **chosen))["predictions"]
        listed += page["predictions"]
        assert page["total"] == whole["total"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert listed == parts == whole["predictions"]
    assert len(listed) > 4


@pytest.mark.parametrize("cursor", ["x", "WyJhbGVydHMiLDFd", "WyJwcmVkaWN0aW9ucyIsIjIwMjYtMTEtMjMiLDFd"])
def test_a_cursor_of_another_list_is_refused(shop: Database, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        list_predictions(shop, PredictionQuery(5, cursor=cursor))


@pytest.mark.parametrize("chosen", [{}, {"risk_level": "medium"}, {"date_to": NOW}])
def test_a_page_is_two_ranges_of_an_index(
    shop: Database, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, Any]
) -> None:
    cursor = part_of_predictions(shop, PredictionQuery(3, **chosen))["next_cursor"]
    plans = watch_plans(monkeypatch, lambda statement: "ORDER BY" in statement)
    part_of_predictions(shop, PredictionQuery(3, cursor=cursor, **chosen))
    (plan,) = plans
    (page,) = [row for row in plan if str(row["key"]).startswith("predictions_by_")]
    assert page["type"] == "range"
    assert "filesort" not in page["Extra"]
