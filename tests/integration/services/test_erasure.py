"""Erasing customers: nothing is left of them, and the totals stay right."""

from concurrent.futures import ThreadPoolExecutor

from churn.adapters.mysql import Database, Transaction, totals
from churn.adapters.mysql.alerts import resolve
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support import eventually
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})


def _waiting(database: Database) -> int:
    row = database.run(
        lambda transaction: transaction.row(
            "SELECT COUNT(*) AS number FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        )
    )
    return int(row["number"]) if row else 0


def test_an_alert_that_is_resolved_while_its_customer_is_erased_leaves_the_totals_right(
    database: Database, mysql_url: str
) -> None:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    (alert,) = scoring.apply([order(days_ago=2), event("payment_failed")], now=NOW).alert_ids
    resolver, eraser = Database(mysql_url), Database(mysql_url)
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
        eventually(lambda: _waiting(database_of_the_test) == 1, within=10, every=0.25)
        erased = threads.submit(Scoring(eraser, RecencyModel(), _SETTINGS).apply, [event("customer_deleted")], now=NOW)
        eventually(lambda: _waiting(database_of_the_test) == 2, within=10, every=0.25)
        return [resolved, erased]

    database_of_the_test = Database(mysql_url)
    try:
        for outcome in database.run(race):
            outcome.result(20)  # type: ignore[attr-defined]
        assert database.run(lambda transaction: +totals.read(transaction, "")) == {}
        assert database.run(lambda transaction: -totals.read(transaction, "")) == {}
    finally:
        threads.shutdown()
        for own in (resolver, eraser, database_of_the_test):
            own.close()
