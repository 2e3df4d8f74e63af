"""The plans of the statements that code under test runs, as the server tells them."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from churn.adapters.mysql import Transaction
from churn.adapters.mysql.database import Row


def watch_plans(
    monkeypatch: pytest.MonkeyPatch, is_chosen: Callable[[str], bool], of: Literal["rows", "row"] = "rows"
) -> list[list[Row]]:
    """Explain each chosen query, from now to the end of the test; return where the plans go, one each.

    `is_chosen` looks at the statement before its parameters are bound. `of`: queries of several rows, or of one.
    """
    asked: Callable[..., Any] = getattr(Transaction, of)
    read = Transaction.rows
    plans: list[list[Row]] = []

    def explained(transaction: Transaction, statement: str, parameters: Any = ()) -> Any:
        if is_chosen(statement):
            plans.append(read(transaction, f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters))
        return asked(transaction, statement, parameters)

    monkeypatch.setattr(Transaction, of, explained)
    return plans


def rows_of(plans: list[list[Row]]) -> list[Row]:
    """Return the rows of several plans."""
    return [row for plan in plans for row in plan]
