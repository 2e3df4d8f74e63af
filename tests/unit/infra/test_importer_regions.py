"""A column `State` may be of regions: then no word of it is told as an unknown state of orders."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer.faults import UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNKNOWN = "unknown words for the state of an order"


def read(folder: Path, header: str, words: list[str], line: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    rows = [line.format(f"c{number}", word) for number, word in enumerate(words)]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "line", "words"),
    [
        ("customer,date,amount,City,State,Zip", "{},2026-01-05,10,Town,{},1", ["CA", "NY", "OK", "OK"]),
        ("customer,date,amount,State,Country", "{},2026-01-05,10,{},DE", ["Berlin", "NRW", "Bayern"]),
        ("customer,State,date,amount,Shipping City", "{},{},2026-01-05,10,Town", ["CA", "CA", "OK", "TX"]),
        ("cliente,data,total,Estado,Cidade", "{},2026-01-05,10,{},Porto", ["SP", "RJ"]),
    ],
)
def test_regions_are_no_states_of_orders(tmp_path: Path, header: str, line: str, words: list[str]) -> None:
    column = "Estado" if "Estado" in header else "State"
    named = {"customer_id": "cliente", "timestamp": "data"} if column == "Estado" else {}
    file = read(tmp_path, header, words, line, columns=named)
    assert (file.figures.orders, UNKNOWN in file.said, "status" in file.columns) == (len(words), False, False)
    assert f"column {column!r} is read as one of addresses" in file.said
    assert f"--column=status={column} reads it so" in file.said


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("customer,date,amount,State", "{},2026-01-05,10,{}"),
        ("customer,City,date,amount,State", "{},Town,2026-01-05,10,{}"),
    ],
)
def test_states_in_another_language_are_told(tmp_path: Path, header: str, line: str) -> None:
    file = read(tmp_path, header, ["Toimitettu", "Peruutettu", "Toimitettu"], line)
    assert (UNKNOWN in file.said, "one of addresses" in file.said) == (True, False)


def test_states_of_orders_among_addresses_are_read(tmp_path: Path) -> None:
    file = read(
        tmp_path, "customer,date,amount,City,State,Zip", ["paid", "cancelled", "odd"], "{},2026-01-05,10,Town,{},1"
    )
    assert (file.figures.orders, file.figures.cancelled, "'odd' (1)" in file.said) == (2, 1, True)


def test_whoever_names_the_column_has_it_read(tmp_path: Path) -> None:
    header, line = "customer,date,amount,City,State,Zip", "{},2026-01-05,10,Town,{},1"
    file = read(tmp_path, header, ["Berlin", "NRW"], line, columns={"status": "State"})
    assert (file.columns["status"], UNKNOWN in file.said) == ("State", True)


def test_regions_are_not_offered_as_states(tmp_path: Path) -> None:
    header, line = "Buyer name,When,Sum,City,State,Zip,Zustand", "{},2026-01-05,10,Town,{},1,bezahlt"
    with pytest.raises(UnreadableFileError, match="this would work") as refused:
        read(tmp_path, header, ["CA", "NY"], line)
    assert "--column=status=State" not in str(refused.value)
    assert "--column=status=Zustand" in str(refused.value)


def test_another_column_of_states_beside_regions_is_told(tmp_path: Path) -> None:
    header, line = "customer,date,amount,City,State,Zip,Lage", "{},2026-01-05,10,Town,{},1,storniert"
    file = read(tmp_path, header, ["CA", "NY"], line)
    assert "column 'Lage' reads like the state of orders" in file.said
    assert "--column=status=Lage uses it" in file.said
