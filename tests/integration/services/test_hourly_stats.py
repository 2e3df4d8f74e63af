"""The dashboard's hourly figures, on a real server."""

from datetime import timedelta

from churn.adapters.mysql import Database
from churn.services import hourly_stats as statistics
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, order
from tests.support.models import RecencyModel


def test_a_sweep_with_a_clock_ahead_does_not_stop_the_present_from_being_measured(database: Database) -> None:
    settings = Settings.from_environment({})
    Scoring(database, RecencyModel(), settings).apply([order(days_ago=3)], now=NOW)
    statistics.refresh(database, settings, NOW)
    statistics.refresh(database, settings, NOW + timedelta(days=2))
    assert statistics.refresh(database, settings, NOW + timedelta(hours=1)) == 1
    row = database.run(
        lambda transaction: transaction.row(
            "SELECT active_customers FROM hourly_stats WHERE hour = %s", (NOW + timedelta(hours=1),)
        )
    )
    assert row == {"active_customers": 1}
