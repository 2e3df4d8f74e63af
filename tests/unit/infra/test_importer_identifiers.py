"""The identifiers of a shop's files: one customer in whatever form a tool wrote the id, and nobody is none."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from infra.tools.importer.export_format import Kind
from tests.support.imports import ReadFile as History
from tests.support.imports import read_file as read_history

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(folder: Path, text: str, kind: Kind = "orders", name: str = "shop.csv", **options: Any) -> History:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_history(path, kind, now=NOW, **options)


def _orders(folder: Path, *ids: str, **options: Any) -> History:
    lines = [f"{customer_id},2026-01-{number:02d},1" for number, customer_id in enumerate(ids, 1)]
    return read(folder, "\n".join(["customer,date,value", *lines, ""]), **options)


def _customers(history: History) -> list[str]:
    return sorted(event.customer_id for event in history.events)


@pytest.mark.parametrize(
    ("ids", "customers"),
    [
        (["12345.0", "12345", " 12345.00 "], ["12345"] * 3),
        (["12345.0", "", "nan", "12345.0"], ["12345"] * 2),
        (["12345.0", "A-17", "12345.0"], ["12345.0", "12345.0", "A-17"]),
        (["12345.0", "17.5"], ["12345.0", "17.5"]),
        (["007", "7"], ["007", "7"]),
        (["ann", "Ann"], ["Ann", "ann"]),
        (["Zo\u00eb", "Zoe\u0308"], ["Zo\u00eb"] * 2),
    ],
)
def test_text_is_what_it_says_unless_its_whole_column_is_of_whole_numbers(
    tmp_path: Path, ids: list[str], customers: list[str]
) -> None:
    assert _customers(_orders(tmp_path, *ids)) == customers


@pytest.mark.parametrize("kind", ["orders", "customers", "events"])
def test_numbers_of_json_and_parquet_are_their_digits(tmp_path: Path, kind: Kind) -> None:
    row = {
        "customer_id": 12345.0,
        "date": "2026-01-01",
        "value": 1,
        "event_type": "login",
        "timestamp": "2026-01-01T00:00:00Z",
    }
    assert set(_customers(read(tmp_path, json.dumps(row), kind, "shop.jsonl"))) == {"12345"}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "shop.parquet")
    assert set(_customers(read_history(tmp_path / "shop.parquet", kind, now=NOW))) == {"12345"}


def test_the_lines_of_an_order_add_up_in_any_form_of_its_number(tmp_path: Path) -> None:
    lines = "customer,invoice,date,value\nZo\u00eb,17.0,2026-01-01,1\nZoe\u0308,17,2026-01-01,2\n"
    [event] = read(tmp_path, lines).events
    assert (event.order_id, event.data["order_value"]) == ("17", 3)


@pytest.mark.parametrize("kind", ["orders", "customers", "events"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_nobody_is_no_customer_but_may_be_allowed(tmp_path: Path, kind: Kind, suffix: str) -> None:
    ids = ["null", "nan", "None", "#N/A", "\\N", "-", "0", "C-1"]
    columns = ["customer_id", "date", "timestamp", "value", "event_type"]
    rows = [[name, "2026-01-01", "2026-01-01", "1", "login"] for name in ids]
    if suffix == "csv":
        text = "\n".join(",".join(row) for row in [columns, *rows])
    else:
        text = "\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows)
    # An order's time is a column of either name.
    options = {"columns": {"timestamp": "date"}} if kind == "orders" else {}
    history = read(tmp_path, text, kind, f"shop.{suffix}", **options)
    assert set(_customers(history)) == {"C-1"}
    assert len(history.rejects) == 7
    assert all("stands for no customer; if it is one, import with --allow-id=" in one.reason for one in history.rejects)
    assert "WARNING: 7 lines were rejected" in history.said
    allowed = read(tmp_path, text, kind, f"shop.{suffix}", allowed={"0", "-"}, **options)
    assert set(_customers(allowed)) == {"C-1", "0", "-"}
    assert "WARNING: 5 lines" in allowed.said


@pytest.mark.parametrize("customer_id", ["a\u200bb", "x" * 65, "\u3164"])
def test_what_is_no_identifier_costs_its_line(tmp_path: Path, customer_id: str) -> None:
    history = _orders(tmp_path, customer_id, "ann")
    assert _customers(history) == ["ann"]
    assert [reject.reason.split(":")[0] for reject in history.rejects] == ["customer_id"]


def test_the_ids_of_events_are_those_of_every_import_before(tmp_path: Path) -> None:
    history = _orders(tmp_path, "12345.0", "12346.0", "12345.0")
    assert [event.event_id for event in history.events] == [
        "order-18c326e64627e3c530ef4a59e44505222363e85c",
        "order-f491b0c404a60e065d1e0b2ee0f2efc64ff1eb91",
        "order-5e477c3659cecfe2316c57b25122b311a1f22a2a",
    ]
    [event] = _orders(tmp_path, "Zoe\u0308").events
    assert (event.event_id, event.sent_ids) == (
        "order-0915a60ba23cf5444b6c86e47b9f1b991b5fbf72",
        ("Zoe\u0308", "order-0915a60ba23cf5444b6c86e47b9f1b991b5fbf72"),
    )


@pytest.mark.parametrize("header", ["customer_id,date_added,total", "customer_id,timestamp,order_value"])
@pytest.mark.parametrize("guest", ["", "0", "null"])
def test_guests_are_known_by_their_addresses_where_a_column_of_ids_knows_the_others(
    tmp_path: Path, header: str, guest: str
) -> None:
    lines = f"7,2026-01-05,10,a@x.example\n{guest},2026-01-06,20,Guest@x.example\n{guest},2026-01-07,30,\n"
    history = read(tmp_path, f"{header},email\n{lines}")
    assert (set(_customers(history)), len(history.rejects)) == ({"7", "guest@x.example"}, 1)
    assert "(1 lines are of guests, by 'email')" in history.said
    named = read(tmp_path, f"{header},email\n{lines}", columns={"customer_id": "customer_id"})
    assert (set(_customers(named)), len(named.rejects)) == ({"7"}, 2)


def test_nested_columns_of_parquet_are_read_as_those_of_json(tmp_path: Path) -> None:
    rows = [{"customer": {"id": name}, "created_at": "2026-01-05", "total": 10.0} for name in ("ann", "bob")]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "shop.parquet")
    history = read_history(tmp_path / "shop.parquet", now=NOW)
    assert (set(_customers(history)), history.rejects) == ({"ann", "bob"}, [])


@pytest.mark.parametrize("header", ["customer_id,date,total,email", "customer_id,timestamp,order_value,email"])
def test_ids_of_orders_that_are_taken_for_customers_are_told_beside_addresses(tmp_path: Path, header: str) -> None:
    lines = [f"{number},2026-01-{number % 28 + 1:02d},1,a{number % 5}@x.example" for number in range(1, 40)]
    said = read(tmp_path, "\n".join([header, *lines, ""])).said
    assert "every customer has one order: is 'customer_id' the customer? 'email' names persons" in said
