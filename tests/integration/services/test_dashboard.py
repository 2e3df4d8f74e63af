"""The dashboard's figures, over a real database."""

from datetime import timedelta

import pytest

from churn.adapters.mysql import Database, hourly_stats, model_quality, models
from churn.adapters.mysql.model_quality import Quality
from churn.adapters.redis_cache import Cache
from churn.domain.dashboard import Granularity
from churn.domain.risk import RISK_LEVELS
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.hourly_stats import refresh
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.integration.services.conftest import SHOP_SIZE
from tests.support.events import NOW, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})


@pytest.fixture
def empty(database: Database) -> Dashboard:
    return Dashboard(database, Cache(""), _SETTINGS)


@pytest.fixture
def dashboard(shop: Database) -> Dashboard:
    return Dashboard(shop, Cache(""), _SETTINGS)


def test_the_dashboard_adds_up(shop: Database, dashboard: Dashboard) -> None:
    metadata = {"metrics": {"forest": {"accuracy": 0.8125}}, "source": "sample"}
    shop.run(lambda transaction: models.record_serving(transaction, "v1", metadata, NOW + timedelta(seconds=1)))
    customers = Customers(shop, _SETTINGS).page(CustomerQuery(limit=500), NOW)["customers"]
    stats = dashboard.stats(NOW)
    scored = [customer for customer in customers if customer["status"] in {"new", "active", "at_risk"}]
    assert stats["total_customers"] == SHOP_SIZE
    assert sum(stats["risk_distribution"][level] for level in RISK_LEVELS) == len(scored)
    assert stats["average_churn_probability"] == pytest.approx(
        sum(customer["churn_probability"] or 0.0 for customer in scored) / len(scored), abs=1e-6
    )
    at_risk = round(sum(customer["value_at_risk"] or 0.0 for customer in scored), 2)
    assert at_risk > 0
    assert stats["revenue_at_risk"] == at_risk
    assert stats["currency"] == "EUR"
    assert (stats["model_accuracy"], stats["model_accuracy_basis"]) == (81.25, "held_out_window")
    assert stats["model_source"] == "simulated"
    assert (stats["generated_at"], stats["last_model_update"]) == ("2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z")
    # Then those lapse who ordered 40 to 70 days ago: five of the 50 who were active.
    later = NOW + timedelta(days=_SETTINGS.inactivity_days - 40)
    assert dashboard.stats(later)["churn_rate"] is None, "how many were active is not known"
    hour = later - timedelta(days=30)
    shop.run(lambda transaction: hourly_stats.put(transaction, [(hour, 50, 0, 0, 0)], later))
    assert dashboard.stats(later)["churn_rate"] == 10.0


def test_accuracy_is_that_of_outcomes_once_they_are_known(database: Database, empty: Dashboard) -> None:
    metadata = {"metrics": {"forest": {"accuracy": 0.8125}}}
    database.run(lambda transaction: models.record_serving(transaction, "v2", metadata, NOW))

    def week(number: int, accuracy: float | None, customers: int, version: str = "v2") -> None:
        day = NOW.date() - timedelta(weeks=number)
        known = None if accuracy is None else {"accuracy": accuracy}
        row = Quality(version, "served", day, "matured", 90, customers, 1, {}, known, None)
        database.run(lambda transaction: model_quality.put_week(transaction, day, [row], None, NOW))

    week(1, None, 5000)
    # What another version was right about is not said of the one that answers now.
    week(13, 0.9, 700, "v1")
    assert empty.stats(NOW)["model_accuracy_basis"] == "held_out_window"
    for number, accuracy, customers in ((14, 0.5, 100), (15, 0.75, 300), (16, 0.7, 300), (17, 0.7, 300), (18, 0, 900)):
        week(number, accuracy, customers)
    stats = empty.stats(NOW)
    assert (stats["model_accuracy"], stats["model_accuracy_basis"]) == (69.5, "matured_outcomes")


def test_an_empty_shop_has_a_dashboard(empty: Dashboard) -> None:
    stats = empty.stats(NOW)
    assert (stats["total_customers"], stats["churn_rate"], stats["average_churn_probability"]) == (0, None, None)
    assert (stats["model_accuracy"], stats["model_accuracy_basis"]) == (None, None)
    assert empty.trends("7d", "day", NOW)["trends"] == []


@pytest.mark.parametrize(("granularity", "points"), [("hour", 169), ("day", 8), ("week", 2), ("month", 1)])
def test_trends_sum_what_flows_and_keep_what_stands(
    database: Database, empty: Dashboard, granularity: Granularity, points: int
) -> None:
    hours = [NOW.replace(minute=0) - timedelta(hours=number) for number in range(40 * 24)]
    database.run(lambda transaction: hourly_stats.put(transaction, [(hour, 1000, 2, 1, 72) for hour in hours], NOW))
    assert empty.trends("7d", granularity, NOW)["trends"][-1]["churn_rate"] is None, "nobody can have lapsed"
    Scoring(database, RecencyModel(), _SETTINGS).apply([order(days_ago=400)], now=NOW)
    found = empty.trends("7d", granularity, NOW)["trends"]
    assert len(found) == points
    assert [one["date"] for one in found] == sorted(one["date"] for one in found)
    assert all(one["new_customers"] == 2 * one["churned_customers"] for one in found)
    # Of those who lapsed within 30 days, one in ten is still away, of a thousand customers.
    assert found[-1]["churn_rate"] == 7.2


def test_the_rate_of_now_is_the_newest_of_the_rates_over_time(database: Database, empty: Dashboard) -> None:
    """Whoever lapsed and came back within the 30 days has not left: by either figure, as by the list that it opens."""
    scoring, inactive = Scoring(database, RecencyModel(), _SETTINGS), _SETTINGS.inactivity_days
    ages = [inactive + days for days in (-5, 1, 2, 10, 29, 31)]
    orders = [order(f"C-{number}", days_ago=age) for number, age in enumerate(ages)]
    back = [order("C-2", days_ago=1.5), order("C-3", days_ago=0.5)]
    scoring.apply([*orders, *back], now=NOW)
    refresh(database, _SETTINGS, NOW)
    stats, newest = empty.stats(NOW), empty.trends("7d", "hour", NOW)["trends"][-1]
    assert (stats["churned_customers"], stats["active_customers_before"]) == (2, 5)
    assert stats["churn_rate"] == newest["churn_rate"] == 40.0
