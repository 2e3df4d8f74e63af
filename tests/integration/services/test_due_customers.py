"""The sweep finds who is due by indexes: nobody else is looked at."""

from datetime import timedelta

import pytest

from churn.adapters.mysql import Database, Transaction, due_customers
from churn.services.rescoring import Swept, sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, rows_read, watch_plans
from tests.support.stored import customer, rows

_SETTINGS = Settings.from_environment({"SWEEP_AFTER_HOURS": "24"})
_CUSTOMERS = 600
_SOON = timedelta(hours=1)
_IDS = [f"C-{number:04d}" for number in range(_CUSTOMERS)]


@pytest.fixture
def scoring(database: Database) -> Scoring:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    scoring.apply([order(customer_id, days_ago=30) for customer_id in _IDS], now=NOW, raise_alerts=False)
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE customers"))
    return scoring


def _sweep(scoring: Scoring, after: timedelta, pages: int | None = None, resume_after: int = 0) -> Swept:
    left = iter([True] * pages + [False] * 9) if pages is not None else iter(lambda: True, False)
    return sweep(scoring, now=NOW + after, time_left=lambda: next(left), resume_after=resume_after)


def _change(database: Database, customer_id: str, assignment: str) -> None:
    database.run(
        lambda transaction: transaction.execute(
            f"UPDATE customers SET {assignment} WHERE customer_id = %s", (customer_id,)
        )
    )


@pytest.mark.parametrize(
    "lapsed",
    # Most customers of an old shop have lapsed, and their scores may be older than those of the others.
    [0, 7],
)
def test_nobody_is_looked_at_while_nobody_is_due(database: Database, scoring: Scoring, lapsed: int) -> None:
    long_ago = "scored_at = scored_at - INTERVAL 10 DAY, last_order_at = last_order_at - INTERVAL 1 YEAR"
    statement = f"UPDATE customers SET status = 'lapsed', {long_ago} WHERE id MOD 10 < %s"
    database.run(lambda transaction: transaction.execute(statement, (lapsed,)))
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE customers"))

    def look(transaction: Transaction) -> tuple[list[int], int]:
        rows_read(transaction)
        before = rows_read(transaction)
        # The status itself is read row by row.
        own = rows_read(transaction) - before
        start = rows_read(transaction)
        keys = due_customers.keys(transaction, scoring.due_at(NOW + _SOON), 0)
        return keys, rows_read(transaction) - start - own

    keys, read = database.run(look)
    assert keys == []
    assert read < 30


def test_each_reason_is_found_by_its_index(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = watch_plans(
        monkeypatch, lambda statement: "FORCE INDEX" in statement and "FROM customers" in statement, "column"
    )
    scoring.due(0, now=NOW + _SOON)
    assert len(plans) == 17
    for row in rows_of(plans):
        assert row["type"] in {"range", "ref"} or row["table"] is None, row
        assert not {"filesort", "temporary"} & {*(row["Extra"] or "").split()}, row


@pytest.mark.parametrize(
    "assignment",
    [
        "model_version = NULL",
        "model_version = 'another-1'",
        "model_version = 'zzz-1'",
        "scored_at = NULL",
        "scored_at = scored_at - INTERVAL 2 DAY",
        "scored_at = scored_at + INTERVAL 3 DAY",
        "due_at = scored_at",
        "fold_version = 0",
        "words_version = 0",
        "order_days = NULL",
    ],
)
def test_each_reason_makes_one_customer_due(database: Database, scoring: Scoring, assignment: str) -> None:
    _change(database, "C-0123", assignment)
    before = customer(database, "C-0456")["scored_at"]
    assert _sweep(scoring, _SOON).scored == 1
    assert customer(database, "C-0123")["scored_at"] == NOW + _SOON
    assert customer(database, "C-0456")["scored_at"] == before
    assert _sweep(scoring, _SOON).scored == 0


def test_who_has_lapsed_is_scored_thirty_times_as_seldom(database: Database, scoring: Scoring) -> None:
    scoring.apply([order("C-L", days_ago=200)], now=NOW, raise_alerts=False)
    assert customer(database, "C-L")["status"] == "lapsed"
    for days, scored in ((2, _CUSTOMERS), (29, _CUSTOMERS), (31, _CUSTOMERS + 1)):
        assert _sweep(scoring, timedelta(days=days)).scored == scored
    assert _sweep(scoring, timedelta(days=31)).scored == 0
    scoring.apply([order("C-L", days_ago=-40)], now=NOW + timedelta(days=40), raise_alerts=False)
    assert customer(database, "C-L")["status"] != "lapsed"


def test_who_has_not_lapsed_by_a_longer_rule_is_due(database: Database, scoring: Scoring) -> None:
    events = [order("C-L", days_ago=200), order("C-M", days_ago=400)]
    scoring.apply(events, now=NOW, raise_alerts=False)
    longer = Scoring(database, RecencyModel(), Settings.from_environment({"INACTIVITY_DAYS": "365"}))
    assert _sweep(longer, _SOON).scored == 1
    assert [customer(database, name)["status"] == "lapsed" for name in ("C-L", "C-M")] == [False, True]
    assert _sweep(longer, _SOON).scored == 0


def test_an_alert_that_was_held_back_makes_its_customer_due(database: Database, scoring: Scoring) -> None:
    _change(database, "C-0123", "waiting_value = 10, pending_level = 'high', alerted_at = created_at - INTERVAL 2 DAY")
    assert _sweep(scoring, _SOON).scored == 1


def test_the_deleted_are_never_due(database: Database, scoring: Scoring) -> None:
    _change(database, "C-0123", "deleted = 1, model_version = NULL")
    assert _sweep(scoring, _SOON).scored == 0


def test_a_sweep_goes_on_where_its_time_ran_out(database: Database, scoring: Scoring) -> None:
    first = _sweep(scoring, timedelta(days=2), pages=1)
    assert first.scored == 500
    assert first.resume_after is not None
    rest = _sweep(scoring, timedelta(days=2), resume_after=first.resume_after)
    assert (rest.scored, rest.resume_after) == (_CUSTOMERS - 500, None)
    assert rows(database, "SELECT DISTINCT scored_at FROM customers") == [{"scored_at": NOW + timedelta(days=2)}]


def test_who_is_scored_meanwhile_is_not_scored_again(scoring: Scoring) -> None:
    later = NOW + timedelta(days=2)
    keys = scoring.due(0, now=later)
    assert len(keys) == _CUSTOMERS
    scoring.rescore(keys[:300], now=later)
    assert scoring.rescore(keys, now=later).rescored == _CUSTOMERS - 300
