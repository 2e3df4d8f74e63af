"""What a spreadsheet would run is text in a file, and what it would not stays as it is."""

import csv
import io
from typing import Any

import pytest

from churn.services.customers_csv import COLUMNS, customers_csv


def _read(name: Any, change: float | None = None) -> dict[str, str]:
    customer: Any = dict.fromkeys(COLUMNS) | {"name": name, "risk_change_7d": change, "recommendations": ["a", "b"]}
    (row,) = csv.DictReader(io.StringIO(customers_csv([customer], has_header=True), newline=""))
    return row


@pytest.mark.parametrize(
    "name", ["=1+1", "+49", "-2", "@SUM(A1)", " =1", "\t=1", "\rx", "\n=1", "\N{FULLWIDTH EQUALS SIGN}1"]
)
def test_a_cell_that_looks_like_a_formula_is_text(name: str) -> None:
    assert _read(name)["name"] == f"'{name}"


@pytest.mark.parametrize("name", ["Anna", 'O"Neil, Jr.', "two\nlines", "a=b", "王小明", ""])
def test_other_text_stays_as_it_is(name: str) -> None:
    assert _read(name)["name"] == name


def test_numbers_stay_numbers_and_the_unknown_is_empty() -> None:
    row = _read(None, -0.25)
    assert (row["risk_change_7d"], row["name"], row["recommendations"]) == ("-0.25", "", "a; b")


def test_only_the_first_part_has_the_names_of_the_columns() -> None:
    assert customers_csv([], has_header=False) == ""
    assert customers_csv([], has_header=True) == ",".join(COLUMNS) + "\r\n"
