"""Acknowledging and resolving alerts."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from churn.adapters.mysql import Database, totals
from churn.adapters.mysql.alert_work import acknowledge, resolve
from churn.adapters.mysql.alerts import AlertNotFoundError
from churn.domain.alert_work import AlertClosedError
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel


@pytest.fixture
def alert_id(database: Database) -> int:
    """Return an alert on a failed payment."""
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({}))
    (number,) = scoring.apply([order(days_ago=2), event("payment_failed")], now=NOW).alert_ids
    return number


def _sums(database: Database) -> Counter[str]:
    return +database.run(lambda transaction: totals.read(transaction, "alerts:"))


def test_acknowledging_again_changes_nothing(database: Database, alert_id: int) -> None:
    first = acknowledge(database, alert_id, "ann", NOW)
    assert acknowledge(database, alert_id, "bob", NOW + timedelta(hours=1)) == first == NOW
    assert _sums(database) == Counter({"alerts:acknowledged:high": 1})
    row = database.run(lambda transaction: transaction.row("SELECT * FROM alerts"))
    assert row is not None
    assert (row["status"], row["acknowledged_by"], row["is_open"]) == ("acknowledged", "ann", 1)


def test_a_resolved_alert_is_closed_for_good(database: Database, alert_id: int) -> None:
    assert resolve(database, alert_id, "ann", "called", NOW) == NOW
    assert resolve(database, alert_id, "bob", "again", NOW + timedelta(hours=1)) == NOW
    with pytest.raises(AlertClosedError, match="resolved"):
        acknowledge(database, alert_id, "bob", NOW)
    assert _sums(database) == Counter({"alerts:resolved:high": 1})
    row = database.run(lambda transaction: transaction.row("SELECT * FROM alerts"))
    assert row is not None
    assert (row["is_open"], row["resolved_by"], row["resolution_notes"]) == (None, "ann", "called")


def test_after_it_is_resolved_the_next_payment_that_fails_raises_another(database: Database, alert_id: int) -> None:
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({}))
    assert scoring.apply([event("payment_failed")], now=NOW).alert_ids == []
    resolve(database, alert_id, "ann", None, NOW)
    (second,) = scoring.apply([event("payment_failed")], now=NOW).alert_ids
    assert second > alert_id


@pytest.mark.parametrize("number", [0, 10**15])
def test_an_unknown_alert_is_named_so(database: Database, number: int) -> None:
    with pytest.raises(AlertNotFoundError):
        acknowledge(database, number, "ann", NOW)
    with pytest.raises(AlertNotFoundError):
        resolve(database, number, "ann", None, NOW)


def test_many_at_once_count_once(database: Database, mysql_url: str, alert_id: int) -> None:
    def one(number: int) -> object:
        own = Database(mysql_url)
        try:
            return resolve(own, alert_id, f"client {number}", None, NOW + timedelta(seconds=number))
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(8)))) == 1
    assert _sums(database) == Counter({"alerts:resolved:high": 1})
