"""Alerts whose number a day is limited, or whose value must be enough: the most valuable first, the others wait."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction, alert_budget
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.waiting_customers import most_valuable
from churn.domain.events import Event
from churn.domain.features import Features
from churn.domain.model import Prediction
from churn.services.alert_outcomes import judge_alerts
from churn.services.rescoring import Swept, sweep
from churn.services.retention import prune
from churn.services.scoring import Scoring
from churn.settings import Retention, Settings
from tests.support.clock import set_clock
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import customer, kept_and_counted, rows


def _scoring(database: Database, model: RecencyModel | None = None, **environment: str) -> Scoring:
    return Scoring(database, model or RecencyModel(), Settings.from_environment(environment))


def _apply(database: Database, scoring: Scoring, days: float, *events: Event) -> None:
    set_clock(database, NOW + timedelta(days=days))
    scoring.apply(events, now=NOW + timedelta(days=days))


def _sweep(database: Database, scoring: Scoring, days: float) -> Swept:
    set_clock(database, NOW + timedelta(days=days))
    return sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)


def _alerted(database: Database, kind: str = "churn_risk") -> list[str]:
    """Return whose alerts have been raised, in their order."""
    query = f"SELECT c.customer_id FROM alerts a JOIN customers c ON c.id = a.customer_pk WHERE alert_type = '{kind}'"
    return [row["customer_id"] for row in rows(database, f"{query} ORDER BY a.id")]


def _at_risk(database: Database, scoring: Scoring, values: Mapping[str, float]) -> None:
    """Let customers order for so much 50 days ago, and their risk rise from 0.5 to 0.7 half a day after NOW.

    The day of NOW ends at the same moment.
    """
    _apply(database, scoring, 0, *(order(name, days_ago=50, value=value) for name, value in values.items()))
    failed = [event("payment_failed", name, days_ago=0.5, order_id=f"{n}") for name in values for n in range(2)]
    _apply(database, scoring, 0.4, *failed)


_VALUES = {"C-10": 10.0, "C-400": 400.0, "C-90": 90.0, "C-20": 20.0, "C-200": 200.0}


def test_without_a_limit_alerts_are_raised_at_once(database: Database) -> None:
    _at_risk(database, _scoring(database), _VALUES)
    assert sorted(_alerted(database)) == sorted(_VALUES)
    assert {row["waiting_value"] for row in rows(database, "SELECT waiting_value FROM customers")} == {None}


def test_the_most_valuable_are_raised_first_and_the_others_on_the_next_days(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="2")
    _at_risk(database, scoring, _VALUES)
    assert _alerted(database) == []
    assert _sweep(database, scoring, 0.41).alerts == 2
    assert _alerted(database) == ["C-400", "C-200"]
    assert _sweep(database, scoring, 0.45).alerts == 0
    # Somebody more valuable than all who wait has come: they are the first of the next day.
    _at_risk_later(database, scoring, "C-900", 900)
    assert _sweep(database, scoring, 0.49).alerts == 0
    assert _sweep(database, scoring, 0.51).alerts == 2
    assert _alerted(database)[2:] == ["C-900", "C-90"]
    assert _sweep(database, scoring, 0.9).alerts == 0
    _sweep(database, scoring, 1.51)
    assert _alerted(database)[4:] == ["C-20", "C-10"]
    _sweep(database, scoring, 2.51)
    assert len(_alerted(database)) == 6
    days = rows(database, "SELECT DATE(created_at) AS day, COUNT(*) AS n FROM alerts GROUP BY 1")
    assert {row["n"] for row in days if row["n"]} >= {2}
    kept, counted = kept_and_counted(database)
    assert kept == counted


def _at_risk_later(database: Database, scoring: Scoring, name: str, value: float) -> None:
    _apply(database, scoring, 0.46, order(name, days_ago=50, value=value))
    _apply(database, scoring, 0.47, event("payment_failed", name, order_id="1"), event("payment_failed", name))


def test_what_is_not_true_any_more_is_not_raised_and_takes_no_room(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="2")
    _at_risk(database, scoring, _VALUES)
    _sweep(database, scoring, 0.41)
    _apply(database, scoring, 0.45, order("C-90", days_ago=-0.44))
    assert customer(database, "C-90")["waiting_value"] is None
    _sweep(database, scoring, 0.51)
    assert _alerted(database) == ["C-400", "C-200", "C-20", "C-10"]


def test_what_ends_unseen_by_any_score_is_found_at_the_release(database: Database) -> None:
    """A failed payment leaves its window while the alert waits: no event comes, the score falls all the same."""
    scoring = _scoring(database, ALERTS_A_DAY="1", SWEEP_AFTER_HOURS="8000")
    _apply(database, scoring, 0, order("C-1", days_ago=1, value=99), order("C-2", days_ago=1, value=9))
    failed = [event("payment_failed", "C-1", days_ago=89, order_id=f"{n}") for n in range(7)]
    failed += [event("payment_failed", "C-2", order_id=f"{n}") for n in range(7)]
    _apply(database, scoring, 0.1, *failed)
    assert customer(database, "C-1")["waiting_value"] is not None
    _sweep(database, scoring, 2)
    assert _alerted(database) == ["C-2"]
    assert customer(database, "C-1")["waiting_value"] is None


def test_the_score_with_which_an_alert_begins_to_wait_is_stored_however_small_the_step(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="1", SWEEP_AFTER_HOURS="1")
    _apply(database, scoring, 0, *(order(name, days_ago=59.9, value=value) for name, value in _VALUES.items()))
    _sweep(database, scoring, 0.2)
    assert _alerted(database) == ["C-400"]
    query = "SELECT COUNT(*) AS n, MAX(churn_probability) AS newest FROM predictions GROUP BY customer_pk"
    stored = sorted((row["n"], round(row["newest"], 3)) for row in rows(database, query))
    # The one that was released was scored once more for it.
    assert stored == [(2, 0.601)] * 4 + [(3, 0.601)]


def test_alerts_that_an_event_calls_for_have_no_limit(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="1", ALERT_MIN_VALUE="1000")
    _at_risk(database, scoring, _VALUES)
    assert sorted(_alerted(database, "payment_failure")) == sorted(_VALUES)


def test_an_open_alert_is_raised_to_a_higher_band_without_room(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="1")
    _at_risk(database, scoring, {"C-1": 50})
    _sweep(database, scoring, 0.41)
    _apply(database, scoring, 0.45, event("payment_failed", "C-1", order_id="9"), event("payment_failed", "C-1"))
    (alert,) = rows(database, "SELECT priority FROM alerts WHERE alert_type = 'churn_risk'")
    assert alert["priority"] == "urgent"


def test_below_the_least_value_an_alert_waits_until_there_is_enough_to_lose(database: Database) -> None:
    scoring = _scoring(database, ALERT_MIN_VALUE="50", INACTIVITY_DAYS="365")
    _at_risk(database, scoring, _VALUES)
    assert set(_alerted(database)) == {"C-90", "C-400", "C-200"}
    # An older order comes late: there is more to lose, and the risk is the same.
    _apply(database, scoring, 0.5, order("C-20", days_ago=51, value=300))
    assert "C-20" in _alerted(database)
    assert "C-10" not in _alerted(database)
    assert _sweep(database, scoring, 0.6).scored == 0, "who waits for value is not scored at each sweep"


def test_a_model_that_changes_forgets_what_waits(database: Database) -> None:
    _at_risk(database, _scoring(database, ALERTS_A_DAY="1"), _VALUES)

    class Other(RecencyModel):
        version = "other-1"

        def _predict(self, row: Features) -> Prediction:
            prediction = super()._predict(row)
            return Prediction(prediction.churn_probability, 0.9, self.version, prediction.contributions, 0.0)

    _sweep(database, _scoring(database, Other(), ALERTS_A_DAY="1"), 0.41)
    assert _alerted(database) == []


def test_processes_that_release_at_once_keep_to_the_budget(database: Database, mysql_url: str) -> None:
    values = {f"C-{number:02d}": 10.0 + number for number in range(30)}
    _at_risk(database, _scoring(database, ALERTS_A_DAY="7"), values)

    def work(worker: int) -> int:
        own = Database(mysql_url)
        try:
            scoring = _scoring(own, ALERTS_A_DAY="7")
            _apply(own, scoring, 0.41, event("login", f"C-{worker:02d}", days_ago=-0.4))
            return _sweep(own, scoring, 0.41).alerts
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        raised = list(pool.map(work, range(4)))
    assert sum(raised) == 7
    assert sorted(_alerted(database)) == [f"C-{number:02d}" for number in range(23, 30)]


def test_erasing_makes_no_room_on_a_day(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="2", ERASURE_KEY="only-a-test-knows-this-key-of-32-bytes")
    _at_risk(database, scoring, _VALUES)
    _sweep(database, scoring, 0.41)
    _apply(database, scoring, 0.42, event("customer_deleted", "C-400"), event("customer_deleted", "C-90"))
    assert _sweep(database, scoring, 0.45).alerts == 0
    _sweep(database, scoring, 0.51)
    assert _alerted(database) == ["C-200", "C-20", "C-10"]


def test_one_whose_data_cannot_be_read_does_not_keep_the_others_waiting(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="2")
    _at_risk(database, scoring, _VALUES)
    key = customer(database, "C-400")["id"]
    damage = "UPDATE customer_states SET state = 'no JSON' WHERE customer_pk = %s"
    database.run(lambda transaction: transaction.execute(damage, (key,)))
    _sweep(database, scoring, 0.41)
    assert _alerted(database) == ["C-200", "C-90"]


def test_the_days_of_the_budget_are_pruned(database: Database) -> None:
    database.run(alert_budget.lock)
    prune(database, Retention(), now=NOW + timedelta(days=5000), time_left=lambda: True)
    assert rows(database, "SELECT day FROM alert_budget") == []


def test_the_most_valuable_are_read_from_their_index(database: Database) -> None:
    scoring = _scoring(database, ALERTS_A_DAY="1")
    _at_risk(database, scoring, {f"C-{number}": number for number in range(40)})
    judge_alerts(database, Settings.from_environment({}), now=NOW, time_left=lambda: True)
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE customers"))
    plans: list[Row] = []

    class Explained:
        def __init__(self, transaction: Transaction) -> None:
            self._transaction = transaction

        def rows(self, statement: str, parameters: Any) -> list[Row]:
            plans.extend(self._transaction.rows(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters))
            return self._transaction.rows(statement, parameters)

    def read(transaction: Transaction) -> list[tuple[float, int]]:
        explained: Any = Explained(transaction)
        first = most_valuable(explained, 0, NOW, None, 3)
        return first + most_valuable(explained, 0, NOW, first[-1], 3)

    found = database.run(read)
    assert found == sorted(found, reverse=True)
    assert len(found) == 6
    for plan in plans:
        assert (plan["key"], plan["type"]) == ("customers_by_waiting_value", "range")
        assert "filesort" not in plan["Extra"]


@pytest.mark.parametrize("limit", ["0", "3"])
def test_an_import_raises_nothing_and_lets_nothing_wait(database: Database, limit: str) -> None:
    scoring = _scoring(database, ALERTS_A_DAY=limit)
    scoring.apply([order("C-1", days_ago=50)], now=NOW, raise_alerts=False)
    later = [event("payment_failed", "C-1", days_ago=-1, order_id=f"{n}") for n in range(4)]
    scoring.apply(later, now=NOW + timedelta(days=1), raise_alerts=False)
    assert rows(database, "SELECT waiting_value FROM customers") == [{"waiting_value": None}]
