"""The order number 0 is an order's where numbers begin there, and stands for none where many lines share it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer import tables
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STANDS_FOR_NONE = "the order number 0, which stands for none"


@pytest.fixture(params=[1, 1000])
def _blocks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(tables, "_LINES_OF_A_BLOCK", request.param)


def read(folder: Path, *lines: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text("customer,date,order id,sku,amount\n" + "\n".join(lines), encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("_blocks")
def test_0_is_the_first_number_where_numbers_begin_there(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        *("ann,2026-01-05,0,A,10", "ann,2026-01-05,0,B,5"),
        *("bob,2026-01-06,1,A,10", "bob,2026-01-06,1,C,7", "ann,2026-01-07,2,A,1"),
    )
    assert (file.figures.orders, file.figures.money) == (3, 33)
    assert [event.data["order_id"] for event in file.events if event.customer_id == "ann"] == ["0", "2"]
    assert "0 is read as the number of an order: its 2 lines are of one customer" in file.said


@pytest.mark.usefixtures("_blocks")
def test_a_later_cancellation_takes_back_the_order_0(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "customer,date,order id,amount,status\nann,2026-01-05,0,10,paid\nann,2026-01-09,0,10,cancelled\n"
        "bob,2026-01-06,1,7,paid\n"
    )
    file = read_file(path, now=NOW)
    assert (file.figures.orders, file.figures.money, file.figures.cancelled, file.figures.unmatched) == (1, 7, 1, 0)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize(
    "lines",
    [
        ["ann,2026-01-05,0,A,10", "bob,2026-01-06,0,B,5", "cleo,2026-01-06,1,A,10"],
        ["ann,2026-01-05,0,A,10", "cleo,2026-01-06,1,A,10", "ann,2026-02-06,0,B,5"],
        ["ann,2026-01-05,0,A,10", "ann,2026-01-05,0,B,5", "cleo,2026-01-06,70001,A,10"],
    ],
)
def test_0_that_stands_for_none_is_told(tmp_path: Path, lines: list[str]) -> None:
    file = read(tmp_path, *lines)
    assert (file.figures.orders, file.figures.money) == (3, 25)
    assert f"WARNING: 2 lines have {STANDS_FOR_NONE}: each is an order of its own" in file.said


def test_a_single_line_is_an_order_with_the_id_that_it_has_always_had(tmp_path: Path) -> None:
    lines = ["ann,2026-01-05,0,A,10", "bob,2026-01-06,1,A,10"]
    file = read(tmp_path, *lines)
    assert f"WARNING: 1 line has {STANDS_FOR_NONE}: it is an order of its own" in file.said
    without = read(tmp_path, lines[0].replace(",0,", ",,"), lines[1])
    assert [event.event_id for event in file.events] == [event.event_id for event in without.events]
    assert STANDS_FOR_NONE not in without.said


def test_0_as_a_number_of_json_is_read_alike(tmp_path: Path) -> None:
    orders = [
        {"customer": name, "date": "2026-01-05", "order_id": number, "sku": sku, "amount": amount}
        for name, number, sku, amount in (("ann", 0, "A", 10), ("ann", 0, "B", 5), ("bob", 1, "A", 10))
    ]
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(orders))
    file = read_file(path, now=NOW)
    assert (file.figures.orders, file.figures.money) == (2, 25)
