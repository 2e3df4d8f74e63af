"""Handing over what is stored of a customer: all of it, in parts, and nothing of anybody else."""

from typing import Any

import pytest

from churn.adapters.mysql import Database, stored_of_customer
from churn.domain.errors import CustomerNotFoundError
from churn.services import handing_over
from churn.services.cursors import InvalidCursorError
from churn.services.handing_over import hand_over
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})


@pytest.fixture
def shop(database: Database) -> Database:
    """Return a shop of two, one of whom has a history and a name."""
    events = [event("customer_registered", "C-1", name="Ada Byron", email="ada@example.com", days_ago=300)]
    events += [order("C-1", days_ago=days, value=10 + days) for days in range(1, 40)]
    events += [event("payment_failed", "C-1", days_ago=1), order("C-2", days_ago=3)]
    Scoring(database, RecencyModel(), _SETTINGS).apply(events, now=NOW)
    return database


def _whole(database: Database, customer_id: str = "C-1") -> tuple[dict[str, list[dict[str, Any]]], int]:
    """Return all rows by their tables, and the number of parts."""
    stored: dict[str, list[dict[str, Any]]] = {}
    cursor, parts = None, 0
    while parts == 0 or cursor is not None:
        part = hand_over(database, customer_id, cursor, NOW)
        for table, own in part["stored"].items():
            stored.setdefault(table, []).extend(own)
        cursor, parts = part["next_cursor"], parts + 1
    return stored, parts


def test_every_table_with_rows_of_customers_is_handed_over(database: Database) -> None:
    query = (
        "SELECT table_name AS tab FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND column_name = 'customer_pk'"
    )
    assert {row["tab"] for row in rows(database, query)} | {"customers"} == {
        part.table for part in stored_of_customer.PARTS
    }


def test_all_that_is_stored_comes_and_nothing_of_others(shop: Database) -> None:
    stored, parts = _whole(shop)
    assert parts == 1
    assert [row["customer_id"] for row in stored["customers"]] == ["C-1"]
    assert (stored["customers"][0]["name"], stored["customers"][0]["email"]) == ("Ada Byron", "ada@example.com")
    (pk,) = [row["id"] for row in rows(shop, "SELECT id FROM customers WHERE customer_id = 'C-1'")]
    for table, owner, _ in stored_of_customer.PARTS:
        (count,) = rows(shop, f"SELECT COUNT(*) AS n FROM {table} WHERE {owner} = {pk}")
        assert len(stored.get(table, [])) == count["n"], table
    # What is kept as JSON comes as such, and no key of the database.
    assert stored["customer_states"][0]["state"]["clock"]
    assert "customer_pk" not in stored["events"][0]


@pytest.mark.parametrize("rows_a_part", [1, 7, 40])
def test_parts_of_any_size_are_the_same_together(
    shop: Database, monkeypatch: pytest.MonkeyPatch, rows_a_part: int
) -> None:
    whole, _ = _whole(shop)
    monkeypatch.setattr(handing_over, "_ROWS", rows_a_part)
    stored, parts = _whole(shop)
    assert stored == whole
    assert parts > 1


def test_who_is_not_there_or_was_erased_is_not_handed_over(shop: Database) -> None:
    Scoring(shop, RecencyModel(), _SETTINGS).apply([event("customer_deleted", "C-1")], now=NOW)
    for customer_id in ("C-1", "C-3"):
        with pytest.raises(CustomerNotFoundError):
            hand_over(shop, customer_id, None, NOW)


@pytest.mark.parametrize("cursor", ["", "x", "WyJleHBvcnQiLDk5LDFd", "WyJleHBvcnQiLDAsbnVsbF0", "WyJhbGVydHMiLDFd"])
def test_a_cursor_of_something_else_is_refused(shop: Database, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        hand_over(shop, "C-1", cursor, NOW)


def test_no_table_is_read_from_end_to_end(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = watch_plans(monkeypatch, lambda statement: statement.startswith("SELECT * FROM"))
    monkeypatch.setattr(handing_over, "_ROWS", 7)
    _whole(shop)
    assert {row["table"] for row in rows_of(plans)} >= {"events", "orders", "predictions"}
    assert [row for row in rows_of(plans) if row["key"] is None and row["table"] is not None] == []
