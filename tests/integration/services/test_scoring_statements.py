"""What scoring asks and writes: a few statements a page, by keys, and what has changed alone."""

from datetime import timedelta
from typing import Any

import pytest
from pymysql.cursors import DictCursor

from churn.adapters.mysql import Database
from churn.domain.timestamps import to_millis
from churn.services.customers import Customers
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import compare_with_histories, rows

_SETTINGS = Settings.from_environment({"SWEEP_AFTER_HOURS": "24"})


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _fill(scoring: Scoring, first: int, last: int) -> None:
    events = [order(f"C-{number}", days_ago=30) for number in range(first, last)]
    scoring.apply(
        [
            *events,
            *(event("customer_registered", f"C-{number}", name=f"Name {number}") for number in range(first, last)),
        ],
        now=NOW,
        raise_alerts=False,
    )


def _swept(scoring: Scoring, monkeypatch: pytest.MonkeyPatch, days: int) -> list[str]:
    """Sweep so many days later, and return the statements that were sent."""
    sent: list[str] = []
    send = DictCursor.execute

    def noted(cursor: DictCursor, statement: str, parameters: Any = None) -> int:
        sent.append(cursor.mogrify(statement, parameters))
        return send(cursor, statement, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(DictCursor, "execute", noted)
        assert sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True).scored
    return sent


def _one(sent: list[str], beginning: str) -> str:
    (statement,) = (statement for statement in sent if statement.startswith(beginning))
    return statement


def test_a_page_costs_as_many_statements_for_many_customers_as_for_few(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(scoring, 0, 20)
    few = _swept(scoring, monkeypatch, 2)
    _fill(scoring, 20, 300)
    many = _swept(scoring, monkeypatch, 4)
    assert len(many) == len(few)


def test_a_sweep_writes_the_columns_that_have_changed_alone(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(scoring, 0, 20)
    before = rows(database, "SELECT name, email, total_spent, created_at FROM customers ORDER BY id")
    written = _one(_swept(scoring, monkeypatch, 2), "INSERT INTO customers (").partition(")")[0]
    columns = {column.strip() for column in written.partition("(")[2].split(",")}
    assert {"churn_probability", "scored_at", "updated_at"} <= columns
    assert columns.isdisjoint({"name", "email", "total_spent", "total_orders", "first_seen_at", "order_days"})
    assert rows(database, "SELECT name, email, total_spent, created_at FROM customers ORDER BY id") == before


def test_customers_and_their_earlier_scores_are_found_by_keys(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(scoring, 0, 300)
    for days in (2, 4, 6):
        _swept(scoring, monkeypatch, days)
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE customers, predictions"))
    sent = _swept(scoring, monkeypatch, 10)
    plans = {
        "SELECT c.id, (SELECT p.churn_probability": ("PRIMARY", "predictions_by_customer"),
        "SELECT id, customer_id, ": ("PRIMARY",),
    }
    for beginning, indexes in plans.items():
        plan = rows(database, f"EXPLAIN FORMAT=TRADITIONAL {_one(sent, beginning)}".replace("%", "%%"))
        assert tuple(row["key"] for row in plan) == indexes
        # MySQL sorts the few scores of each customer.
        of_all = [row["Extra"] or "" for row in plan if row["select_type"] != "DEPENDENT SUBQUERY"]
        assert not any(word in extra for extra in of_all for word in ("filesort", "temporary")), plan


def test_a_state_of_which_the_clock_alone_has_moved_is_not_written_again(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(scoring, 0, 20)
    stored = "SELECT customer_pk, state FROM customer_states ORDER BY customer_pk"
    before = rows(database, stored)
    assert not [statement for statement in _swept(scoring, monkeypatch, 2) if "state = VALUES(state)" in statement]
    assert rows(database, stored) == before
    explained = "SELECT COUNT(*) AS n FROM customer_states WHERE contributions LIKE %s"
    as_of = f'%"as_of":{to_millis(NOW + timedelta(days=2))}%'
    assert database.run(lambda transaction: transaction.rows(explained, (as_of,))) == [{"n": 20}]
    # An order of before the sweep, which comes after it, is folded as if it had come in time.
    late = order("C-1", days_ago=-1)
    scoring.apply([late], now=NOW + timedelta(days=3))
    # The windows of spend end at a sweep's clock: what leaves them is written.
    assert [statement for statement in _swept(scoring, monkeypatch, 400) if "state = VALUES(state)" in statement]
    assert compare_with_histories(database) == 20


def test_what_is_shown_beside_a_score_is_as_of_it(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(scoring, 0, 1)
    _swept(scoring, monkeypatch, 60)
    # A server whose clock is behind that of the one that swept.
    assert Customers(database, _SETTINGS).get("C-0", NOW)["days_since_last_order"] == pytest.approx(90)


def test_scores_that_events_ask_for_take_one_call_of_the_model(database: Database) -> None:
    model = RecencyModel()
    Scoring(database, model, _SETTINGS).apply([order(f"C-{number}") for number in range(20)], now=NOW)
    assert model.calls == 1
