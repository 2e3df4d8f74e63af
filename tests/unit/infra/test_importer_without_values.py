"""Files of orders without amounts: the orders count, and money is unknown; a column of zeros is told."""

from pathlib import Path
from typing import Any

import pytest

from infra.tools.importer.command import main
from infra.tools.importer.faults import UnreadableFileError
from tests.support.events import NOW
from tests.support.imports import ReadFile, read_file

_LOG = "customer_id,timestamp,order_id\nann,2026-01-02 10:00,1\nann,2026-02-03 11:00,2\nbob,2026-02-04 12:00,3\n"


def read(folder: Path, text: str, **options: Any) -> ReadFile:
    path = folder / "log.csv"
    path.write_text(text)
    return read_file(path, now=NOW, **options)


def dry_run(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert main([str(path), "--dry-run", *options]) == 0
    return capsys.readouterr().out


def test_orders_of_a_log_without_amounts_count_and_have_no_value(tmp_path: Path) -> None:
    file = read(tmp_path, _LOG)
    assert [event.event_type for event in file.events] == ["order_placed"] * 3
    assert all("order_value" not in event.data for event in file.events)
    assert (file.figures.orders, file.figures.unvalued, file.figures.money) == (3, 3, 0)
    assert file.rejects == []


def test_an_empty_cell_is_unknown_and_not_0(tmp_path: Path) -> None:
    text = "customer_id,timestamp,order_value\nann,2026-01-02,\nann,2026-02-03,0\nann,2026-03-04,7\n"
    file = read(tmp_path, text)
    assert [event.data.get("order_value") for event in file.events] == [None, 0, 7]
    assert (file.figures.orders, file.figures.unvalued, file.figures.free, file.figures.money) == (2, 1, 1, 7)


def test_lines_of_one_number_are_one_order_of_unknown_value(tmp_path: Path) -> None:
    text = "customer_id,timestamp,order_id,sku\nann,2026-01-02,1,A\nbob,2026-01-02,2,A\nann,2026-01-02,1,B\n"
    file = read(tmp_path, text)
    assert sorted(event.data["order_id"] for event in file.events) == ["1", "2"]


def test_a_column_that_looks_like_the_value_is_asked_for_and_can_be_denied(tmp_path: Path) -> None:
    text = "customer_id,timestamp,Warenwert\nann,2026-01-02,5\n"
    with pytest.raises(UnreadableFileError, match=r"order_value.*--column=order_value= "):
        read(tmp_path, text)
    file = read(tmp_path, text, columns={"order_value": ""})
    assert [event.data for event in file.events] == [{}]


def test_the_summary_says_that_money_is_unknown_and_names_what_could_tell_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = dry_run(tmp_path, _LOG.replace("order_id", "ware"), capsys)
    assert "money          not known" in said
    assert "if 'ware' does, import again with --column=order_value=COLUMN" in said


def test_a_column_of_zeros_is_told_and_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "customer_id,timestamp,order_value\nann,2026-01-02,0\nbob,2026-02-03,0.00\n"
    assert "WARNING: every order has the value 0, so none counts" in dry_run(tmp_path, text, capsys)
    said = dry_run(tmp_path, text, capsys, "--column=order_value=")
    assert "orders         2" in said
    assert "every order has the value 0" not in said
