"""Customers as CSV, to be opened in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from churn.domain.features import FEATURE_NAMES
from churn.domain.values import storable

if TYPE_CHECKING:
    from churn.domain.answers import Customer

COLUMNS = (
    "customer_id", "name", "email", "status", "churn_probability", "risk_level", "risk_percentile", "risk_change_7d",
    "expected_spend", "value_at_risk", *FEATURE_NAMES, "recommendations",
)  # fmt: skip
# A spreadsheet takes text that begins so for a formula, whatever spaces are before it.
_FORMULA = tuple(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


def customers_csv(customers: list[Customer], *, has_header: bool) -> str:
    """Return a line for each customer, after one with the names of the columns; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    if has_header:
        writer.writerow(COLUMNS)
    for customer in customers:
        row: dict[str, object] = {**customer, "recommendations": "; ".join(customer["recommendations"])}
        writer.writerow([_cell(row[column]) for column in COLUMNS])
    return storable(text.getvalue())


def _cell(value: object) -> object:
    """Return a value such that no spreadsheet runs it; a number is none that could be run."""
    is_formula = isinstance(value, str) and (value.lstrip().startswith(_FORMULA) or value[:1] in {"\t", "\r"})
    return f"'{value}" if is_formula else value
