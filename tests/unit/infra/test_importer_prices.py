"""Whether an amount beside a quantity is the price of one piece or the amount of all: the values decide."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer.faults import DoubtError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_PRICES = {"A": 5.0, "B": 2.49, "C": 120.0}
_QUANTITIES = [("A", 1), ("B", 3), ("A", 2), ("C", 1), ("B", 1), ("A", 4), ("C", 2), ("B", 7), ("A", 1)]
_PIECES = sum(_PRICES[sku] for sku, _ in _QUANTITIES)
_ALL = round(sum(_PRICES[sku] * quantity for sku, quantity in _QUANTITIES), 2)


def read(folder: Path, column: str, *, of_piece: bool, header: str = "sku,qty", **options: object) -> ReadFile:
    rows = [
        f"ann,{number},2026-01-{number + 10},{sku},{quantity},{_PRICES[sku] * (1 if of_piece else quantity):.2f}\n"
        for number, (sku, quantity) in enumerate(_QUANTITIES)
    ]
    path = folder / "orders.csv"
    path.write_text(f"customer,order,date,{header},{column}\n" + "".join(rows), encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def money(file: ReadFile) -> float:
    return round(file.figures.money, 2)


@pytest.mark.parametrize("column", ["amount", "price", "item price", "value"])
@pytest.mark.parametrize("of_piece", [True, False])
def test_the_values_decide_what_an_amount_is_of(tmp_path: Path, column: str, of_piece: bool) -> None:
    file = read(tmp_path, column, of_piece=of_piece)
    assert money(file) == _ALL
    what = "the price of one piece" if of_piece else "the amount of all pieces"
    assert f"{column!r} is {what}, as its values say" in file.said


@pytest.mark.parametrize(("column", "of_piece"), [("unit price", False), ("line total", True), ("order total", True)])
def test_a_name_that_the_values_speak_against_is_a_doubt(tmp_path: Path, column: str, of_piece: bool) -> None:
    with pytest.raises(DoubtError) as doubt:
        read(tmp_path, column, of_piece=of_piece)
    added = _PIECES if of_piece else _ALL
    said = str(doubt.value)
    assert f"--column=order_value={column}" in said
    assert f"--column=unit_price={column}" in said
    assert f"{added:,.2f} if it is not" in said
    assert money(read(tmp_path, column, of_piece=of_piece, columns={"order_value": column})) == round(added, 2)
    assert money(read(tmp_path, column, of_piece=True, columns={"unit_price": column})) == _ALL


def test_lines_that_say_both_are_a_doubt(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = ["A,1,5", "A,2,5", "B,1,3", "B,2,6"]
    lines = "".join(f"ann,{number},2026-01-05,{row}\n" for number, row in enumerate(rows))
    path.write_text("customer,order,date,product,quantity,amount\n" + lines, encoding="utf-8")
    with pytest.raises(DoubtError, match="some of its lines"):
        read_file(path, now=NOW)
    assert read_file(path, now=NOW, columns={"order_value": "amount"}).figures.money == 19


@pytest.mark.parametrize("header", ["sku,note", "colour,qty"])
def test_without_a_product_or_a_quantity_the_name_decides(tmp_path: Path, header: str) -> None:
    file = read(tmp_path, "amount", of_piece=True, header=header)
    assert money(file) == round(_PIECES, 2)
    assert "pieces" not in file.said


def test_prices_that_change_and_quantities_that_do_not_leave_it_to_the_name(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = ["A,1,5", "A,2,7.5", "B,3,9", "B,3,9", "C,1,0", "C,2,0", "D,1,-4", "D,2,-4"]
    lines = "".join(f"ann,{number},2026-01-05,{row}\n" for number, row in enumerate(rows))
    for column, total in (("price", 5 + 15 + 27 + 27), ("amount", 5 + 7.5 + 9 + 9)):
        path.write_text(f"customer,order,date,product,quantity,{column}\n" + lines, encoding="utf-8")
        assert read_file(path, now=NOW).figures.money == total


def test_a_price_that_is_multiplied_is_told(tmp_path: Path) -> None:
    said = read(tmp_path, "price", of_piece=True, header="colour,qty").said
    assert "'price' is the price of one piece, by its name, and is multiplied by 'qty'" in said
    named = read(tmp_path, "price", of_piece=True, header="colour,qty", columns={"unit_price": "price"})
    assert (money(named), "by its name" in named.said) == (_ALL, False)
