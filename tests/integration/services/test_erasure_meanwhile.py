"""Erasing customers while something else works on them."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from churn.adapters.mysql import Database, Transaction, customers, totals
from churn.adapters.mysql.alert_work import resolve
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.erasure import erase
from churn.adapters.mysql.orders import Ledgers
from churn.domain.tombstones import Tombstones
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support import eventually
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.personal_data import tables_that_hold

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})
_ID = "KUNDE-ø-4711"
# Seconds.
_PATIENCE = 60


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _rows(database: Database, query: str) -> list[Row]:
    return database.run(lambda transaction: transaction.rows(query))


def _event_of_theirs(scoring: Scoring) -> bool:
    return scoring.apply([order(_ID)], now=NOW).repeated == 1


def _sweep(scoring: Scoring) -> bool:
    later = NOW + timedelta(days=30)
    due = [*scoring.due(0, now=later)]
    return len(due) == 1 and scoring.rescore(due, now=later).rescored == 0


@pytest.mark.parametrize(
    ("is_known", "is_passed_over"),
    [(True, _event_of_theirs), (False, _event_of_theirs), (True, _sweep)],
    ids=["an event of a customer", "an event of somebody of whom nothing is stored yet", "a sweep"],
)
def test_who_is_erased_while_something_waits_to_score_them_is_not_brought_back(
    database: Database, scoring: Scoring, mysql_url: str, is_known: bool, is_passed_over: Callable[[Scoring], bool]
) -> None:
    if is_known:
        scoring.apply([order(_ID)], now=NOW)
    tombstones = Tombstones(lambda: _SETTINGS.erasure_key)
    later, looker = Database(mysql_url), Database(mysql_url)
    with ThreadPoolExecutor(1) as thread:

        def work(transaction: Transaction) -> Future[bool]:
            customer = customers.lock(Ledgers(transaction), {_ID}, NOW, tombstones)[_ID]
            waiting = thread.submit(is_passed_over, Scoring(later, RecencyModel(), _SETTINGS))
            eventually(lambda: _waiting(looker) == 1, every=0.25)
            customer.state.apply(event("customer_deleted", _ID))
            erase(transaction, customer.record, tombstones, now=NOW)
            customer.record = customer.record.erased(tombstones.of(_ID), NOW)
            customers.save(transaction, [customer], {})
            return waiting

        try:
            assert database.run(work).result(_PATIENCE)
            assert [row["deleted"] for row in _rows(looker, "SELECT deleted FROM customers")] == [1]
            assert tables_that_hold(looker, [_ID]) == set()
        finally:
            later.close()
            looker.close()


def _waiting(database: Database) -> int:
    row = database.run(
        lambda transaction: transaction.row(
            "SELECT COUNT(*) AS number FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        )
    )
    return int(row["number"]) if row else 0


def _patient(mysql_url: str) -> Database:
    """Return a database that waits for locks however slow the machine is.

    Whoever gave up would let go of the alert and begin again: by then the alert is erased, and not found.
    """
    database = Database(mysql_url, statement_timeout=3 * _PATIENCE)
    database.run(lambda transaction: transaction.execute(f"SET SESSION innodb_lock_wait_timeout = {3 * _PATIENCE}"))
    return database


def test_an_alert_that_is_resolved_while_its_customer_is_erased_leaves_the_totals_right(
    database: Database, mysql_url: str
) -> None:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    (alert,) = scoring.apply([order(days_ago=2), event("payment_failed")], now=NOW).alert_ids
    resolver, eraser = _patient(mysql_url), _patient(mysql_url)
    threads = ThreadPoolExecutor(2)

    def race(transaction: Transaction) -> list[object]:
        # Whoever resolves holds the alert, and waits for the sums that this transaction holds.
        for name in ("alerts:new:high", "alerts:resolved:high"):
            transaction.insert_many(
                "INSERT INTO totals (name, shard, value)",
                [(name, shard, 0) for shard in range(totals.SHARDS)],
                "ON DUPLICATE KEY UPDATE value = value + 0",
            )
        resolved = threads.submit(resolve, resolver, alert, "ann", None, NOW)
        eventually(lambda: _waiting(database_of_the_test) == 1, within=_PATIENCE, every=0.25)
        erased = threads.submit(Scoring(eraser, RecencyModel(), _SETTINGS).apply, [event("customer_deleted")], now=NOW)
        eventually(lambda: _waiting(database_of_the_test) == 2, within=_PATIENCE, every=0.25)
        return [resolved, erased]

    database_of_the_test = Database(mysql_url)
    try:
        for outcome in database.run(race):
            outcome.result(_PATIENCE)  # type: ignore[attr-defined]
        assert database.run(lambda transaction: +totals.read(transaction, "")) == {}
        assert database.run(lambda transaction: -totals.read(transaction, "")) == {}
    finally:
        threads.shutdown()
        for own in (resolver, eraser, database_of_the_test):
            own.close()
