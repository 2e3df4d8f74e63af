"""A database that the release before has filled: `data/release_0_1.sql.gz`, of 28 customers, with its schema 0005."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from churn.adapters.mysql import Database, Transaction, customers
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.adapters.redis_cache import Cache
from churn.domain.risk import ACTIVE_STATUSES
from churn.domain.timestamps import to_millis
from churn.services.alert_outcomes import judge_alerts
from churn.services.cohorts import cohort_table
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.hourly_stats import rebuild, refresh
from churn.services.imported_hours import HourSpan
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.tools.importer.storing import import_events
from infra.tools.progress import Progress
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import compare_with_histories, kept_and_counted, rows, stored_orders

_ROOT = Path(__file__).parents[3]
_DUMP = Path(__file__).parent / "data" / "release_0_1.sql.gz"
_SETTINGS = Settings.from_environment({})
_LATER = NOW + timedelta(days=21)


@pytest.fixture
def upgraded(empty: Database) -> Database:
    migrations = read_migrations(_ROOT / "infra" / "migrations")
    migrate(empty, [migration for migration in migrations if migration.name < "0006"])
    statements = gzip.decompress(_DUMP.read_bytes()).decode().split(";\n")

    def fill(transaction: Transaction) -> None:
        for statement in filter(None, statements):
            transaction.execute(statement.replace("%", "%%"))

    empty.run(fill)
    migrate(empty, migrations)
    return empty


def _sweep(database: Database, now: datetime = _LATER) -> int:
    return sweep(Scoring(database, RecencyModel(), _SETTINGS), now=now, time_left=lambda: True).scored


def _count(database: Database, condition: str) -> int:
    return int(rows(database, f"SELECT COUNT(*) AS n FROM customers WHERE deleted = 0 AND {condition}")[0]["n"])


def _named(rows: Sequence[Row], customer_id: str) -> Row:
    return next(row for row in rows if row["customer_id"] == customer_id)


def test_the_sweep_makes_every_state_again_and_totals_move_with_it(upgraded: Database) -> None:
    assert not upgraded.run(customers.all_folded)
    assert refresh(upgraded, _SETTINGS, _LATER) == 0
    assert not cohort_table(upgraded, "month", 12, _LATER)["is_complete"]
    assert _sweep(upgraded) == 27
    table = cohort_table(upgraded, "month", 60, _LATER)
    assert table["is_complete"]
    assert sum(cohort["customers"] for cohort in table["cohorts"]) == _count(upgraded, "total_orders > 0")
    assert upgraded.run(customers.all_folded)
    assert compare_with_histories(upgraded) == 27
    stored = rows(upgraded, "SELECT * FROM customers")
    assert _named(stored, "GONE")["deleted"] == 1
    assert not _named(stored, "LEFT")["is_active"]
    # Five orders at one checkout are one purchase, and the order of in forty days waits.
    assert json.loads(rows(upgraded, _STATE_OF.format("BURST"))[0]["state"])["purchases"][4] == 2
    assert _named(stored, "AHEAD")["due_at"] == NOW + timedelta(days=40)
    assert _named(stored, "AHEAD")["total_orders"] == 2
    assert _sweep(upgraded) == 0
    assert refresh(upgraded, _SETTINGS, _LATER) > 24 * 366
    (hour,) = rows(upgraded, "SELECT active_customers FROM hourly_stats ORDER BY hour DESC LIMIT 1")
    counted = rows(upgraded, "SELECT COUNT(*) AS n FROM customers WHERE status IN ('new', 'active', 'at_risk')")
    assert hour["active_customers"] == counted[0]["n"]


_STATE_OF = "SELECT s.state FROM customer_states s JOIN customers c ON c.id = s.customer_pk WHERE c.customer_id = '{}'"


def test_a_customer_is_made_again_at_the_next_event_and_can_be_read_before(upgraded: Database) -> None:
    before = Customers(upgraded, _SETTINGS).get("BURST", _LATER)
    assert [before["total_orders"], before["days_since_last_order"]] == pytest.approx([6, 24])
    Scoring(upgraded, RecencyModel(), _SETTINGS).apply([order("BURST", days_ago=-20, value=9)], now=_LATER)
    row = _named(rows(upgraded, "SELECT * FROM customers"), "BURST")
    assert (row["total_orders"], float(row["total_spent"]), row["fold_version"]) == (7, 39.0, 2)
    assert len(stored_orders(upgraded)["BURST"]) == 7
    _sweep(upgraded)
    assert compare_with_histories(upgraded) == 27


def test_the_sweep_stores_values_at_risk_and_bins_and_sums_agree_before_it(upgraded: Database) -> None:
    def agree() -> list[float]:
        page = Customers(upgraded, _SETTINGS).page(
            CustomerQuery(sort="value_at_risk", status=ACTIVE_STATUSES, limit=500), _LATER
        )
        values = [customer["value_at_risk"] or 0.0 for customer in page["customers"]]
        stats = Dashboard(upgraded, Cache(""), _SETTINGS).stats(_LATER)
        assert len(values) == page["total"]
        assert sum(values) > 0
        assert stats["revenue_at_risk"] == round(sum(values), 2)
        return values

    assert agree()
    # One event brings its customer up to date, and the sums of the others stand.
    Scoring(upgraded, RecencyModel(), _SETTINGS).apply([order("BURST", days_ago=-20, value=9)], now=_LATER)
    assert agree()
    assert _sweep(upgraded) > 0
    values = agree()
    assert values == sorted(values, reverse=True)
    kept, counted = kept_and_counted(upgraded)
    assert kept == counted
    assert sum(count for name, count in kept.items() if name.startswith("bins:")) == len(values)


def test_the_sweep_makes_the_search_words_of_stored_customers_again(upgraded: Database) -> None:
    def name(transaction: Transaction) -> None:
        (row,) = transaction.rows("SELECT id FROM customers WHERE customer_id = 'BURST'")
        transaction.execute(
            "INSERT INTO events (customer_pk, event_id, event_type, occurred_at, data) "
            "VALUES (%s, 'named', 'profile_updated', %s, %s)",
            (row["id"], NOW, json.dumps({"name": "Łukasz 王小明"})),
        )

    upgraded.run(name)
    searched = ("lukasz", "łukasz", "小", "明")
    _sweep(upgraded)
    assert [_found(upgraded, text) for text in searched] == [["BURST"]] * 4
    # Words alone may be of older rules, too, and those of a profile that has not changed since.
    upgraded.run(lambda transaction: transaction.execute("DELETE FROM customer_words"))
    upgraded.run(lambda transaction: transaction.execute("UPDATE customers SET words_version = 1"))
    assert _found(upgraded, "lukasz") == []
    assert _sweep(upgraded) == 27
    assert [_found(upgraded, text) for text in searched] == [["BURST"]] * 4
    assert _sweep(upgraded) == 0


def _found(database: Database, text: str) -> list[str]:
    page = Customers(database, _SETTINGS).page(CustomerQuery(search=text), _LATER)
    return [customer["customer_id"] for customer in page["customers"]]


def test_a_clock_that_was_wrong_is_set_right_from_the_history(upgraded: Database) -> None:
    _sweep(upgraded, NOW + timedelta(days=400))
    assert _sweep(upgraded) == 27
    living = rows(
        upgraded,
        "SELECT c.scored_at, s.state FROM customers c JOIN customer_states s ON s.customer_pk = c.id WHERE deleted = 0",
    )
    assert {json.loads(row["state"])["clock"] for row in living} == {to_millis(_LATER)}
    assert {row["scored_at"] for row in living} == {_LATER}
    assert compare_with_histories(upgraded) == 27


def test_an_upgrade_raises_no_alert_and_old_alerts_keep_their_times(upgraded: Database) -> None:
    before = rows(upgraded, "SELECT id, created_at, change_number, counted_on FROM alerts ORDER BY id")
    assert before
    assert [(row["change_number"], row["counted_on"]) for row in before] == [
        (row["id"], row["created_at"].date()) for row in before
    ]
    stored = rows(
        upgraded,
        "SELECT c.stored_probability AS kept, c.stored_version, (SELECT p.churn_probability FROM predictions p "
        "WHERE p.customer_pk = c.id ORDER BY p.created_at DESC, p.id DESC LIMIT 1) AS newest "
        "FROM customers c WHERE c.deleted = 0 AND c.model_version IS NOT NULL",
    )
    assert [row["kept"] for row in stored] == [row["newest"] for row in stored]
    # The clock has not moved, so no risk has risen.
    _sweep(upgraded, NOW)
    after = rows(upgraded, "SELECT id, created_at, change_number, counted_on FROM alerts ORDER BY id")
    assert after == before
    Scoring(upgraded, RecencyModel(), _SETTINGS).apply([event("payment_failed", "BURST", days_ago=-20)], now=_LATER)
    newest = rows(upgraded, "SELECT id, created_at, change_number FROM alerts ORDER BY id")[-1]
    assert newest["id"] == before[-1]["id"] + 1
    assert newest["change_number"] > before[-1]["change_number"]
    assert newest["created_at"] > max(row["created_at"] for row in before)


def test_alerts_of_before_are_counted_by_week_in_the_first_night(upgraded: Database) -> None:
    (stored,) = rows(upgraded, "SELECT COUNT(*) AS n FROM alerts")
    judged = judge_alerts(upgraded, _SETTINGS, now=_LATER, time_left=lambda: True)
    assert judged.counted == stored["n"] > 0
    kept, counted = kept_and_counted(upgraded)
    assert kept == counted
    assert any(name.startswith("alerts_by_week:") for name in kept)


def test_an_import_over_a_database_of_before_adds_its_own_orders_once(upgraded: Database) -> None:
    names = [row["customer_id"] for row in rows(upgraded, "SELECT customer_id FROM customers WHERE deleted = 0")]
    placed = sum(len(own) for own in stored_orders(upgraded).values())
    ids = sorted([*names, "NEW-1", "NEW-2"])
    added = [replace(order(name, days_ago=3), event_id=f"imported-{name}") for name in ids]
    scoring = Scoring(upgraded, RecencyModel(), _SETTINGS)
    for already_there in (0, len(added)):
        hours = HourSpan.begin(upgraded, _SETTINGS, _LATER)
        imported = import_events(scoring, added, Progress("importing"), hours)
        assert (imported.repeated, imported.refused) == (already_there, 0)
        hours.store(upgraded, _SETTINGS, imported.hours, _LATER)
    _sweep(upgraded)
    assert compare_with_histories(upgraded) == len(names) + 2
    assert sum(len(own) for own in stored_orders(upgraded).values()) >= placed + len(added)
    kept, counted = kept_and_counted(upgraded)
    assert kept == counted
    figures = "active_customers, new_customers, churned_customers, left_customers"
    query = f"SELECT hour, {figures} FROM hourly_stats ORDER BY hour"
    stored = rows(upgraded, query)
    rebuild(upgraded, _SETTINGS, _LATER)
    assert rows(upgraded, query) == stored


def test_a_change_of_a_week_that_a_version_of_before_has_left_of_a_lapsed_customer_is_gone(empty: Database) -> None:
    migrations = read_migrations(_ROOT / "infra" / "migrations")
    migrate(empty, [migration for migration in migrations if migration.name < "0052"])
    Scoring(empty, RecencyModel(), _SETTINGS).apply([order(name, days_ago=9) for name in ("ann", "bob")], now=NOW)
    left = "UPDATE customers SET risk_change_7d = 0.2, status = IF(customer_id = 'ann', 'lapsed', status)"
    empty.run(lambda transaction: transaction.execute(left))
    migrate(empty, migrations)
    changes = rows(empty, "SELECT risk_change_7d FROM customers ORDER BY customer_id")
    assert [row["risk_change_7d"] for row in changes] == [None, 0.2]
