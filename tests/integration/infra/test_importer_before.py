"""What earlier imports stored: nothing comes twice, and an order that a later file shows as none is taken back."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.domain.events import parse_event
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.tools.importer import command
from tests.support.forests import small_model
from tests.support.stored import assert_tables_agree, compare_with_histories, rows

# Small files, and the events that the importer which read whole files into memory made of them.
_BEFORE: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "imported_before.json").read_text("utf-8"))
_HEADER = "customer,order,date,total,status\n"
_NOW = datetime(2026, 11, 24, tzinfo=UTC)


def _import(folder: Path, name: str, text: str, *arguments: str) -> int:
    (folder / name).write_text(text, encoding="utf-8")
    return command.main([str(folder / name), *arguments])


def _orders(database: Database) -> dict[str, tuple[int, float]]:
    found = rows(database, "SELECT customer_id, total_orders, total_spent FROM customers")
    return {row["customer_id"]: (row["total_orders"], float(row["total_spent"])) for row in found}


@pytest.mark.parametrize("name", sorted(_BEFORE))
def test_a_file_that_was_imported_before_adds_nothing(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = _BEFORE[name]
    events = [parse_event(event, now=_NOW) for event in before["events"]]
    Scoring(shop, small_model(), Settings.from_environment(os.environ)).apply(events, now=_NOW, raise_alerts=False)
    stored = rows(shop, "SELECT customer_pk, event_id, data FROM events ORDER BY customer_pk, event_id")

    assert _import(tmp_path, name, "\n".join([*before["text"], ""]), "--kind", before["kind"]) == 0
    said = capsys.readouterr().out
    assert f" 0 events imported, {len(events)} already there" in said
    assert "replaced" not in said
    assert rows(shop, "SELECT customer_pk, event_id, data FROM events ORDER BY customer_pk, event_id") == stored


def test_an_order_that_a_later_file_shows_as_none_is_taken_back(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monday = _HEADER + "ann,1,2026-01-05,10,processing\nann,2,2026-01-06,20,processing\nbob,3,2026-01-07,5,pending\n"
    assert _import(tmp_path, "monday.csv", monday) == 0
    assert _orders(shop) == {"ann": (2, 30.0)}
    capsys.readouterr()

    tuesday = monday.replace("20,processing", "20,failed")
    assert _import(tmp_path, "tuesday.csv", tuesday) == 0
    said = capsys.readouterr().out
    assert "1 stored orders never were any, as this file shows them now: they were taken back" in said
    assert "1 customers" in said
    assert _orders(shop) == {"ann": (1, 10.0)}
    # Neither file changes anything when it is imported again.
    for name, text in (("monday.csv", monday), ("tuesday.csv", tuesday)):
        assert _import(tmp_path, name, text) == 0
        assert "0 events imported" in capsys.readouterr().out
        assert _orders(shop) == {"ann": (1, 10.0)}

    # Paid after all, and then it was none again.
    assert _import(tmp_path, "wednesday.csv", monday + "cleo,4,2026-01-08,1,paid\n") == 0
    assert _orders(shop)["ann"] == (2, 30.0)
    assert _import(tmp_path, "thursday.csv", tuesday + "cleo,4,2026-01-08,1,paid\n") == 0
    assert _orders(shop)["ann"] == (1, 10.0)
    assert compare_with_histories(shop) == 2
    assert_tables_agree(shop)


def test_a_row_that_is_older_than_the_stored_order_takes_nothing_back(shop: Database, tmp_path: Path) -> None:
    header = "customer,order,date,total,status,updated_at\n"
    paid = header + "ann,1,2026-01-05,10,paid,2026-01-06\n"
    older = header + "ann,1,2026-01-05,10,pending,2026-01-05\nann,2,2026-01-05,1,paid,2026-01-05\n"
    assert _import(tmp_path, "paid.csv", paid) == _import(tmp_path, "older.csv", older) == 0
    assert _orders(shop) == {"ann": (2, 11.0)}


def test_a_file_of_orders_that_never_were_any_alone_is_an_import_where_one_is_stored(
    shop: Database, tmp_path: Path
) -> None:
    draft = _HEADER + "ann,1,2026-01-05,10,draft\n"
    assert _import(tmp_path, "drafts.csv", draft) == 1
    assert _orders(shop) == {}
    assert _import(tmp_path, "paid.csv", draft.replace("draft", "paid")) == 0
    assert _import(tmp_path, "failed.csv", draft.replace("draft", "failed")) == 0
    assert _import(tmp_path, "failed.csv", draft.replace("draft", "failed")) == 0
    assert _orders(shop) == {"ann": (0, 0.0)}
