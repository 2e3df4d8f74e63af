"""Columns that say what did not stay of orders, and that no field is read from, are told with what reads them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(folder: Path, column: str, second: str, **options: object) -> ReadFile:
    """Read three orders of 10, 20 and 30, of which the second has a word in a column."""
    path = folder / "orders.csv"
    nothing = "0" if second == "1" else ""
    rows = f"ann;2026-01-05;1;10;{nothing}\nbob;2026-01-06;2;20;{second}\ncid;2026-01-07;3;30;{nothing}\n"
    path.write_text(f"customer;date;order id;amount;{column}\n{rows}", encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "second", "field"),
    [
        ("is_cancel", "1", "cancelled"),
        ("cancel_flag", "yes", "cancelled"),
        ("cancellation_date", "2026-01-08", "cancelled"),
        ("Cancel Date", "01/18/2026", "cancelled"),
        ("Stornodatum", "08.01.2026", "cancelled"),
        ("Date d'annulation", "2026-01-08", "cancelled"),
        ("Fecha de cancelación", "2026-01-08", "cancelled"),
        ("Annuleringsdatum", "2026-01-08", "cancelled"),
        ("Data anulowania", "2026-01-08", "cancelled"),
        ("returned_at", "2026-01-08", "cancelled"),
        ("is_return", "1", "cancelled"),
        ("void_flag", "1", "cancelled"),
        ("chargeback", "1", "cancelled"),
        ("Devuelto", "x", "cancelled"),
        ("return_amount", "20.00", "refunded"),
        ("Retoure", "20,00", "refunded"),
        ("chargeback amount", "20", "refunded"),
    ],
)
def test_a_column_that_says_what_came_back_is_told(tmp_path: Path, column: str, second: str, field: str) -> None:
    file = read(tmp_path, column, second)
    assert (file.figures.orders, file.figures.money) == (3, 60)
    assert f"--column={field}=" in file.said, file.said
    used = read(tmp_path, column, second, columns={field: column})
    assert (used.figures.orders, used.figures.money, used.rejects) == (2, 40, [])
    assert "is not used" not in used.said


@pytest.mark.parametrize("column", ["is_deleted", "fraud", "test_mode", "is_draft", "sandbox"])
def test_a_column_that_says_what_never_was_an_order_is_told(tmp_path: Path, column: str) -> None:
    file = read(tmp_path, column, "1")
    assert f"WARNING: column '{column}' may say which lines never were orders ('1' (1)); they count" in file.said
    used = read(tmp_path, column, "1", columns={"status": column}, statuses={"1": "never", "0": "counts"})
    assert (used.figures.orders, used.figures.money) == (2, 40)


@pytest.mark.parametrize(
    ("column", "second"),
    [
        ("Return policy", "30 days"),
        ("Returning customer", "1"),
        ("is_return", ""),
        ("gift", "1"),
        ("cancel_before", "2026-01-20"),
        ("R\u00fcckgabefrist", "30"),
        ("cancel_at_period_end", "1"),
        ("Return rate", "0,2"),
    ],
)
def test_what_a_shop_allows_and_an_empty_column_are_not_told(tmp_path: Path, column: str, second: str) -> None:
    assert "WARNING" not in read(tmp_path, column, second).said


@pytest.mark.parametrize(
    ("states", "is_told"), [(("paid", "paid"), True), (("paid", "cancelled"), False), (("paid", "refunded"), False)]
)
def test_beside_states_it_is_told_where_these_take_nothing_back(
    tmp_path: Path,
    states: tuple[str, str],
    is_told: bool,
) -> None:
    path = tmp_path / "orders.csv"
    rows = f"ann,2026-01-05,1,10,{states[0]},\nbob,2026-01-06,2,20,{states[1]},2026-01-08\n"
    path.write_text(f"customer,date,order id,amount,status,returned_at\n{rows}")
    assert ("'returned_at' reads like what did not stay" in read_file(path, now=NOW).said) == is_told


def test_a_reason_names_no_field_that_could_read_it(tmp_path: Path) -> None:
    file = read(tmp_path, "Cancel Reason", "changed mind")
    assert "'Cancel Reason' reads like what did not stay of orders ('changed mind' (1)), and is not used" in file.said
    assert "--column" not in file.said


def test_dates_beside_amounts_may_be_of_a_part(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = "ann,2026-01-05,20,,\nbob,2026-01-06,20,2026-01-10,20\ncid,2026-01-07,20,2026-01-12,5\n"
    path.write_text(f"customer,date,amount,returned_at,return_amount\n{rows}")
    said = read_file(path, now=NOW).said
    assert ("--column=refunded=return_amount" in said, "'returned_at' reads like" in said) == (True, True)
    assert "--column=cancelled" not in said
