"""Lists as files: their columns, and the lines of CSV, to be opened in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from churn.domain.features import FEATURE_NAMES
from churn.domain.values import storable

# A spreadsheet takes text that begins so for a formula, whatever spaces are before it.
_FORMULA = tuple(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


@dataclass(frozen=True, slots=True)
class ListFile:
    """The file of a list: its name, which is that of the list in an answer, and its columns."""

    name: str
    columns: tuple[str, ...]

    def csv(self, items: Iterable[Mapping[str, object]], *, has_header: bool) -> str:
        """Return a line for each item, after one with the names of the columns; what is not known is empty."""
        text = io.StringIO()
        writer = csv.writer(text)
        if has_header:
            writer.writerow(self.columns)
        for item in items:
            writer.writerow([_cell(value) for value in self.row(item)])
        return storable(text.getvalue())

    def row(self, item: Mapping[str, object]) -> list[object]:
        """Return the values of an item in the order of the columns.

        The members of an object have columns of their own (`last_action_by`), and a list of texts is one text.
        """
        values: dict[str, object] = {}
        for name, value in item.items():
            if isinstance(value, Mapping):
                values |= {f"{name}_{member}": one for member, one in value.items()}
            else:
                values[name] = "; ".join(map(str, value)) if isinstance(value, list) else value
        return [values.get(column) for column in self.columns]


CUSTOMERS = ListFile(
    "customers",
    (
        "customer_id", "name", "email", "status", "churn_probability", "risk_level", "risk_percentile",
        "risk_change_7d", "expected_orders", "expected_spend", "next_order_expected_at", "overdue_factor",
        "value_at_risk", *FEATURE_NAMES, "days_at_risk",
        "days_since_return", "recommendations", "model_kind", "model_source",
    ),
)  # fmt: skip
ALERTS = ListFile(
    "alerts",
    (
        "id", "customer_id", "customer_name", "alert_type", "priority", "title", "message", "reason", "risk_score",
        "previous_risk_score", "status", "created_at", "acknowledged_at", "acknowledged_by", "resolved_at",
        "resolved_by", "assigned_to", "snoozed_until", "raised_at", "change", "last_action_by", "last_action_at",
        "last_action_note", "model_source",
    ),
)  # fmt: skip
PREDICTIONS = ListFile(
    "predictions",
    (
        "id", "customer_id", "churn_probability", "risk_level", "confidence", "model_version", "model_kind",
        "model_source", "created_at",
    ),
)  # fmt: skip


def _cell(value: object) -> object:
    """Return a value such that no spreadsheet runs it; a number is none that could be run."""
    is_formula = isinstance(value, str) and (value.lstrip().startswith(_FORMULA) or value[:1] in {"\t", "\r"})
    return f"'{value}" if is_formula else value
