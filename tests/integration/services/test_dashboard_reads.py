"""What is read: the functions themselves, asked as API Gateway asks them, over a real database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, records
from churn.adapters.mysql import hourly_stats as hourly
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql import queries as reads
from churn.adapters.mysql.model_quality import Quality
from churn.adapters.redis_cache import Cache
from churn.services.queries import Catalogue, CustomerQuery
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})
_COUNT = 25


@pytest.fixture
def empty(database: Database) -> Catalogue:
    return Catalogue(database, Cache(""), _SETTINGS)


@pytest.fixture
def shop(database: Database) -> Database:
    """25 customers with last orders 0, 4, 8 … days ago, two of them twice alike, and five who never ordered."""
    events: list[Any] = []
    for number in range(_COUNT):
        customer = f"CUST-{number:03d}"
        events.append(
            event("customer_registered", customer, days_ago=300, name=f"Name{number} Müller", email=f"n{number}@x.org")
        )
        if number >= 5:
            events.append(order(customer, days_ago=4 * (number // 2), value=10 * (number % 7 + 1)))
    Scoring(database, RecencyModel(), _SETTINGS).apply(events, now=NOW)
    return database


@pytest.fixture
def catalogue(shop: Database) -> Catalogue:
    return Catalogue(shop, Cache(""), _SETTINGS)


def _ids(page: dict[str, Any]) -> list[str]:
    return [customer["customer_id"] for customer in page["customers"]]


@pytest.mark.parametrize("sort", list(reads.SORT_COLUMNS))
@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("limit", [1, 4, 20, 24])
def test_pages_by_cursor_and_by_offset_are_the_whole_list_in_order(
    catalogue: Catalogue, sort: str, order: str, limit: int
) -> None:
    def page(**more: Any) -> dict[str, Any]:
        return catalogue.customers(CustomerQuery(sort=sort, order=order, **more), NOW)

    whole = page(limit=500)["customers"]
    assert len(whole) == _COUNT
    values = [customer[sort] for customer in whole]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=order == "desc")
    assert values[len(known) :] == [None] * (_COUNT - len(known))

    by_cursor, cursor = [], None
    while True:
        found = page(limit=limit, cursor=cursor)
        assert found["total"] == _COUNT
        by_cursor += _ids(found)
        cursor = found["next_cursor"]
        if cursor is None:
            break
    by_offset = [name for start in range(0, _COUNT, limit) for name in _ids(page(limit=limit, offset=start))]
    assert by_cursor == by_offset == [customer["customer_id"] for customer in whole]


@pytest.mark.parametrize("filters", [{"risk_level": "low"}, {"risk_level": "medium"}, {"status": "insufficient_data"}])
def test_the_total_of_a_filter_is_that_of_its_list(catalogue: Catalogue, filters: dict[str, str]) -> None:
    page = catalogue.customers(CustomerQuery(limit=500, **filters), NOW)  # type: ignore[arg-type]
    assert page["total"] == len(page["customers"]) > 0
    assert not page["total_is_lower_bound"]
    assert all(customer[name] == value for customer in page["customers"] for name, value in filters.items())


@pytest.mark.parametrize(
    ("search", "count"),
    [("cust-00", 10), ("name7", 1), ("MULLER", _COUNT), ("muller name1", 11), ("n3@", 1), ("nobody", 0), ("% _", 0)],
)
def test_customers_are_found_by_beginnings_of_their_words(catalogue: Catalogue, search: str, count: int) -> None:
    page = catalogue.customers(CustomerQuery(search=search, limit=500), NOW)
    assert (len(page["customers"]), page["total"], page["total_is_lower_bound"]) == (count, count, False)


def test_a_search_that_finds_very_many_walks_the_order(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = _ids(catalogue.customers(CustomerQuery(search="muller", limit=500), NOW))
    monkeypatch.setattr(reads, "MANY_FOUND", 3)
    page = catalogue.customers(CustomerQuery(search="muller", limit=10), NOW)
    assert _ids(page) == everybody[:10]
    assert (page["total"], page["total_is_lower_bound"]) == (11, True)
    rest = catalogue.customers(CustomerQuery(search="muller", limit=100, cursor=page["next_cursor"]), NOW)
    assert _ids(rest) == everybody[10:]


def test_features_are_of_now_and_drivers_of_the_stored_prediction(catalogue: Catalogue) -> None:
    later = NOW + timedelta(days=10)
    customer = catalogue.customer("CUST-020", later)
    assert customer["days_since_last_order"] == pytest.approx(50)
    assert customer["churn_probability"] == pytest.approx(0.4)
    assert customer["last_prediction_at"] == "2026-11-23T12:00:00Z"
    assert [driver["feature"] for driver in customer["drivers"]] == ["days_since_last_order"]
    assert (customer["name"], customer["risk_level"], customer["is_active"]) == ("Name20 Müller", "medium", True)


def test_a_deleted_customer_is_nowhere(shop: Database, catalogue: Catalogue) -> None:
    Scoring(shop, RecencyModel(), _SETTINGS).apply([event("customer_deleted", "CUST-020")], now=NOW)
    page = catalogue.customers(CustomerQuery(limit=500), NOW)
    assert "CUST-020" not in _ids(page)
    assert page["total"] == _COUNT - 1
    assert catalogue.customers(CustomerQuery(search="cust-020"), NOW)["total"] == 0
    assert catalogue.inputs({"CUST-020"}, NOW) == {}


def test_a_history_is_cut_by_type_and_time(catalogue: Catalogue) -> None:
    everything = catalogue.events("CUST-020", limit=10)
    assert [found["event_type"] for found in everything["events"]] == ["order_placed", "customer_registered"]
    one = catalogue.events("CUST-020", limit=10, event_type="order_placed")
    assert (one["total"], one["events"][0]["event_data"]["order_value"]) == (1, 70)
    assert catalogue.events("CUST-020", limit=10, date_to=NOW - timedelta(days=100))["total"] == 1
    assert catalogue.events("CUST-020", limit=1)["total"] == 2


def test_predictions_and_their_totals(catalogue: Catalogue) -> None:
    found = catalogue.predictions(limit=500)
    assert found["total"] == len(found["predictions"]) > 0
    some = catalogue.predictions(limit=500, risk_level="medium")
    assert some["total"] == len(some["predictions"]) > 0
    assert {one["risk_level"] for one in some["predictions"]} == {"medium"}
    assert catalogue.predictions(limit=500, date_from=NOW)["total"] == found["total"]
    assert catalogue.predictions(limit=500, date_from=NOW + timedelta(seconds=1))["total"] == 0


def test_alerts_come_newest_first_page_by_page(shop: Database, catalogue: Catalogue) -> None:
    scoring = Scoring(shop, RecencyModel(), _SETTINGS)
    for number in range(5, 12):
        scoring.apply([event("payment_failed", f"CUST-{number:03d}")], now=NOW + timedelta(seconds=number))
    everything = catalogue.alerts(limit=100)
    ids = [alert["id"] for alert in everything["alerts"]]
    assert everything["total"] == len(ids) == 7
    assert ids == sorted(ids, reverse=True)
    first = catalogue.alerts(limit=3)
    second = catalogue.alerts(limit=100, cursor=first["next_cursor"])
    assert [alert["id"] for page in (first, second) for alert in page["alerts"]] == ids
    assert catalogue.alerts(limit=2, since=ids[3])["total"] == 3
    assert catalogue.alerts(limit=2, since=NOW + timedelta(seconds=9))["total"] == 2
    assert catalogue.alerts(limit=2, status="resolved")["total"] == 0
    assert catalogue.alerts(limit=2, status="new", priority="high")["total"] == 7


def test_the_dashboard_adds_up(shop: Database, catalogue: Catalogue) -> None:
    metadata = {"metrics": {"forest": {"accuracy": 0.8125}}}
    shop.run(lambda transaction: records.record_model(transaction, "v1", metadata, NOW + timedelta(seconds=1)))
    hour = (NOW - timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
    shop.run(lambda transaction: hourly.replace(transaction, [(hour, 50, 0, 0)]))
    customers = catalogue.customers(CustomerQuery(limit=500), NOW)["customers"]
    stats = catalogue.stats(NOW)
    scored = [one for one in customers if one["status"] in {"new", "active", "at_risk"}]
    assert stats["total_customers"] == _COUNT
    assert sum(stats["risk_distribution"].values()) == len(scored)
    assert stats["average_churn_probability"] == pytest.approx(
        sum(one["churn_probability"] for one in scored) / len(scored), abs=1e-6
    )
    assert (stats["model_accuracy"], stats["model_accuracy_basis"]) == (81.25, "held_out_window")
    assert (stats["generated_at"], stats["last_model_update"]) == ("2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z")
    # Then those lapse who ordered 40 to 70 days ago: five of the 50 who were active.
    later = NOW + timedelta(days=_SETTINGS.inactivity_days - 40)
    assert catalogue.stats(later)["churn_rate"] == 10.0


def test_accuracy_is_that_of_outcomes_once_they_are_known(database: Database, empty: Catalogue) -> None:
    metadata = {"metrics": {"forest": {"accuracy": 0.8125}}}
    database.run(lambda transaction: records.record_model(transaction, "v2", metadata, NOW))

    def week(number: int, accuracy: float | None, customers: int) -> None:
        day = NOW.date() - timedelta(weeks=number)
        known = None if accuracy is None else {"accuracy": accuracy}
        row = Quality("v1", "served", day, "matured", 90, customers, 1, {}, known, None)
        database.run(lambda transaction: quality.put_week(transaction, day, [row], None, NOW))

    week(1, None, 5000)
    assert empty.stats(NOW)["model_accuracy_basis"] == "held_out_window"
    for number, accuracy, customers in ((14, 0.5, 100), (15, 0.75, 300), (16, 0.7, 300), (17, 0.7, 300), (18, 0, 900)):
        week(number, accuracy, customers)
    stats = empty.stats(NOW)
    assert (stats["model_accuracy"], stats["model_accuracy_basis"]) == (69.5, "matured_outcomes")


def test_an_empty_shop_has_a_dashboard(empty: Catalogue) -> None:
    stats = empty.stats(NOW)
    assert (stats["total_customers"], stats["churn_rate"]) == (0, 0.0)
    assert (stats["model_accuracy"], stats["model_accuracy_basis"]) == (None, None)
    assert empty.trends("7d", "day", NOW)["trends"] == []


@pytest.mark.parametrize(("granularity", "points"), [("hour", 169), ("day", 8), ("week", 2), ("month", 1)])
def test_trends_sum_what_flows_and_keep_what_stands(
    database: Database, empty: Catalogue, granularity: str, points: int
) -> None:
    hours = [NOW.replace(minute=0) - timedelta(hours=number) for number in range(40 * 24)]
    database.run(lambda transaction: hourly.replace(transaction, [(hour, 1000, 2, 1) for hour in hours]))
    found = empty.trends("7d", granularity, NOW)["trends"]
    assert len(found) == points
    assert [one["date"] for one in found] == sorted(one["date"] for one in found)
    assert all(one["new_customers"] == 2 * one["churned_customers"] for one in found)
    # A customer an hour lapsed for 30 days, of a thousand.
    assert found[-1]["churn_rate"] == 72.0


def test_dates_are_utc(catalogue: Catalogue) -> None:
    assert json.dumps(catalogue.customer("CUST-020", datetime.now(UTC)))
