"""What a spreadsheet would run is text in a file, and what it would not stays as it is."""

import csv
import io
import json
from typing import Any

import pytest

from churn.entrypoints.http.routes import ROUTES
from churn.services.csv_files import ALERTS, CUSTOMERS, PREDICTIONS, ListFile


def _read(name: Any, change: float | None = None) -> dict[str, str]:
    customer: Any = dict.fromkeys(CUSTOMERS.columns) | {
        "name": name,
        "risk_change_7d": change,
        "recommendations": ["a", "b"],
    }
    (row,) = csv.DictReader(io.StringIO(CUSTOMERS.csv([customer], has_header=True), newline=""))
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
    assert CUSTOMERS.csv([], has_header=False) == ""
    assert CUSTOMERS.csv([], has_header=True) == ",".join(CUSTOMERS.columns) + "\r\n"


def test_what_was_done_last_has_columns_of_its_own() -> None:
    action = {"by": "anna", "at": "2026-11-23T12:00:00Z", "note": "=1", "changed": {"status": "resolved"}, "change": 7}
    text = ALERTS.csv([{"id": 3, "last_action": action}, {"id": 4, "last_action": None}], has_header=True)
    done, untouched = csv.DictReader(io.StringIO(text, newline=""))
    assert [done["last_action_by"], done["last_action_note"], done["change"]] == ["anna", "'=1", ""]
    assert [untouched["id"], untouched["last_action_by"]] == ["4", ""]


# The longest that each text may be: of what others write, and of what the service writes itself, in plain letters.
_WRITTEN = {
    **dict.fromkeys(("name", "email", "customer_name", "title", "message"), 255),
    **dict.fromkeys(("acknowledged_by", "resolved_by", "assigned_to", "last_action_by"), 255),
    "customer_id": 64,
    "last_action_note": 201,
}
_MADE = {"reason": 512, "recommendations": 512, "title": 50, "message": 200}


@pytest.mark.parametrize("file", [CUSTOMERS, ALERTS, PREDICTIONS], ids=lambda file: file.name)
def test_a_part_is_smaller_than_what_a_function_may_answer_with(file: ListFile) -> None:
    (route,) = [route for route in ROUTES if route.operation == f"export_{file.name}"]
    most = route.query.model_json_schema()["properties"]["limit"]
    assert most["default"] == most["maximum"]
    # Of four bytes each, which JSON writes as twelve.
    item = {name: "\N{GRINNING FACE}" * _WRITTEN.get(name, 0) + "x" * _MADE.get(name, 30) for name in file.columns}
    answer = json.dumps({"body": file.csv([item] * most["maximum"], has_header=True)})
    assert len(answer) < 6_000_000
