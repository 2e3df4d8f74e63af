"""What a file holds and an import does not use is told, and files that were put together are read right."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer import tables
from infra.tools.importer.faults import UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def test_a_column_of_states_that_is_not_read_is_told(tmp_path: Path) -> None:
    text = "customer,date,amount,Zustand,Farbe\nann,2026-01-05,10,Bezahlt,rot\nbob,2026-01-06,20,Storniert,blau\n"
    file = read(tmp_path, text)
    assert file.figures.orders == 2
    assert "'Zustand' reads like the state of orders ('Bezahlt' (1), 'Storniert' (1))" in file.said
    assert "Farbe" not in file.said
    assert read(tmp_path, text, columns={"status": "Zustand"}).figures.orders == 1
    assert "reads like" not in read(tmp_path, text.replace("Storniert", "Bezahlt")).said


def test_orders_that_were_paid_back_in_part_are_told_where_no_column_says_how_much(tmp_path: Path) -> None:
    text = "customer,date,amount,status,back\nann,2026-01-05,10,Partially refunded,4\nbob,2026-01-06,20,paid,\n"
    assert "WARNING: 1 orders were paid back in part ('Partially refunded')" in read(tmp_path, text).said
    file = read(tmp_path, text, columns={"refunded": "back"})
    assert (file.figures.money, "in part (" in file.said) == (26, False)
    empty = read(tmp_path, text.replace("refunded,4", "refunded,0"), columns={"refunded": "back"})
    assert "WARNING: 1 orders were paid back in part ('Partially refunded'), and 'back' is empty" in empty.said


def test_refunds_within_an_order_of_woocommerce_are_subtracted(tmp_path: Path) -> None:
    order = {
        "status": "completed",
        "date_created": "2026-01-05T10:00:00",
        "customer_id": 5,
        "billing": {"email": "a@x.y"},
    }
    refunded = {"id": 1, "total": "20.00", "refunds": [{"id": 9, "total": "-5.00"}, {"id": 10, "total": "-1"}, 7]}
    file = read(tmp_path, json.dumps([order | refunded, order | {"id": 2, "total": "9", "refunds": []}]))
    assert (file.format, file.figures.orders, file.figures.money) == ("WooCommerce orders", 2, 23)


@pytest.mark.parametrize("lines_of_a_block", [2, 1000])
def test_a_header_in_the_middle_is_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines_of_a_block: int
) -> None:
    monkeypatch.setattr(tables, "_LINES_OF_A_BLOCK", lines_of_a_block)
    header = "customer,date,amount\n"
    file = read(tmp_path, f"{header}ann,2026-01-05,10\nbob,2026-01-06,1\n{header}cleo,2026-01-07,5\n")
    assert (file.figures.orders, file.figures.money, file.rejects, file.lines) == (3, 16, [], 3)


def test_a_file_in_one_column_says_that_it_may_be_several(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="there is one column only"):
        read(tmp_path, "customer^date^amount\nann^2026-01-05^10\n")


def test_the_command_that_would_work_names_the_number_of_orders(tmp_path: Path) -> None:
    text = "Klient;Data;Kwota;Numer zam\u00f3wienia;Stan\njan;2026-01-05;5;Z1;op\u0142acone\n"
    with pytest.raises(UnreadableFileError, match="would work") as refused:
        read(tmp_path, text + "ola;2026-01-06;7;Z2;anulowane\n")
    named = {
        "customer_id": "Klient",
        "timestamp": "Data",
        "order_value": "Kwota",
        "order_id": "Numer zam\u00f3wienia",
    }
    assert all(f"--column={field}={column}" in str(refused.value) for field, column in named.items())
    file = read(tmp_path, text + "ola;2026-01-06;7;Z2;anulowane\n", columns=named)
    assert (file.columns["status"], file.figures.orders, file.figures.money, file.figures.cancelled) == (
        "Stan",
        1,
        5,
        1,
    )


def test_a_file_of_events_with_columns_of_orders_is_one_of_events(tmp_path: Path) -> None:
    header = "event_type,customer_id,timestamp,order_value,order_id\n"
    file = read(tmp_path, f"{header}order_placed,ann,2026-01-05,10,1\nlogin,ann,2026-01-06,,\n")
    assert (file.format, [event.event_type for event in file.events]) == ("our own events", ["order_placed", "login"])


def test_an_object_of_json_without_orders_is_not_said_to_be_a_table_of_one_column(tmp_path: Path) -> None:
    [reject] = read(tmp_path, json.dumps({"data": {"orders": {"edges": []}}})).rejects
    assert "there is no column for customer_id, timestamp" in reject.reason
