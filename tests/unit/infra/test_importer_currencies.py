"""The currencies of a file are those of amounts that count."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer import tables
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SEVERAL = "amounts in several currencies"
PAYPAL = "Date,Time,Type,Status,Currency,Gross,From Email Address,Transaction ID\n"


def read(folder: Path, text: str) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW)


def test_entries_that_are_no_payments_say_nothing_of_the_currency(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        PAYPAL + "2026-01-05,10:00:00,Website Payment,Completed,EUR,10,ann@x.y,1\n"
        "2026-01-06,10:00:00,General Currency Conversion,Completed,USD,12,,2\n"
        "2026-01-06,10:00:00,General Currency Conversion,Completed,EUR,-10,,3\n"
        "2026-01-07,10:00:00,Website Payment,Pending,GBP,5,bob@x.y,4\n",
    )
    assert (file.figures.money, SEVERAL in file.said, "10.00 EUR" in file.said) == (10, False, True)


def test_payments_in_several_currencies_are_told_with_their_number(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        PAYPAL + "2026-01-05,10:00:00,Website Payment,Completed,EUR,10,ann@x.y,1\n"
        "2026-01-05,10:00:00,Website Payment,Completed,EUR,10,ann@x.y,5\n"
        "2026-01-06,10:00:00,General Currency Conversion,Completed,USD,12,,2\n"
        "2026-01-07,10:00:00,Website Payment,Completed,USD,5,bob@x.y,4\n",
    )
    assert f"{SEVERAL} are added as they stand: EUR (2), USD (1)" in file.said


@pytest.mark.parametrize("lines_of_a_block", [1, 1000])
def test_orders_that_never_were_any_say_nothing_of_the_currency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines_of_a_block: int
) -> None:
    monkeypatch.setattr(tables, "_LINES_OF_A_BLOCK", lines_of_a_block)
    header = "customer,date,amount,currency,status\n"
    rows = "ann,2026-01-05,10,EUR,paid\nbob,2026-01-06,5,USD,failed\ncleo,2026-01-07,7,CHF,cancelled\n"
    assert SEVERAL not in read(tmp_path, header + rows).said
    assert (
        f"{SEVERAL} are added as they stand: EUR (1), USD (1)"
        in read(tmp_path, header + rows.replace("failed", "paid")).said
    )


def test_signs_beside_amounts_are_those_of_orders_that_count(tmp_path: Path) -> None:
    header = "customer,date,amount,status\n"
    rows = "ann,2026-01-05,10 \u20ac,paid\nbob,2026-01-06,$ 5,failed\n"
    assert "10.00 EUR" in read(tmp_path, header + rows).said
    assert SEVERAL in read(tmp_path, header + rows.replace("failed", "paid")).said


def test_currencies_of_as_many_lines_are_told_by_name(tmp_path: Path) -> None:
    text = "customer,date,total,currency\n{0}\n{1}\n"
    lines = ("ann,2026-01-05,10,USD", "bob,2026-01-06,20,EUR")
    said = {read(tmp_path, text.format(*pair)).said for pair in (lines, lines[::-1])}
    assert len(said) == 1
    assert "EUR (1), USD (1)" in said.pop()
