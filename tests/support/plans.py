"""The plans of the statements that code under test runs, as the server tells them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal
from unittest.mock import patch

import pytest
from pymysql.cursors import Cursor, DictCursor

from churn.adapters.mysql import Transaction
from churn.adapters.mysql.customer_search import MANY_MATCHES
from churn.adapters.mysql.database import Row


def watch_plans(
    monkeypatch: pytest.MonkeyPatch, is_chosen: Callable[[str], bool], of: Literal["rows", "row", "column"] = "rows"
) -> list[list[Row]]:
    """Explain each chosen query, from now to the end of the test; return where the plans go, one each.

    `is_chosen` looks at the statement before its parameters are bound. `of`: queries of several rows, of one, or of
    a column.
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


def rows_read(transaction: Transaction) -> int:
    """Return how many rows and entries of indexes this session has read in passing from one to the next."""
    status = transaction.rows("SHOW SESSION STATUS LIKE 'Handler_read%%'")
    return sum(int(row["Value"]) for row in status if row["Variable_name"].endswith(("next", "prev", "deleted")))


@contextmanager
def every_plan() -> Iterator[dict[str, list[Row]]]:
    """Yield a dictionary that fills with the plan of each statement that reads, by its text without parameters."""
    plans: dict[str, list[Row]] = {}
    execute = Cursor.execute

    def explained(cursor: Cursor, query: str, args: object = None) -> int:
        if query not in plans and query.lstrip("(").startswith(("SELECT", "UPDATE", "DELETE")):
            with cursor.connection.cursor(DictCursor) as asking:
                execute(asking, f"EXPLAIN FORMAT=TRADITIONAL {cursor.mogrify(query, args)}")
                plans[query] = [*asking.fetchall()]
        return execute(cursor, query, args)

    with patch.object(Cursor, "execute", explained):
        yield plans


def faults(statement: str, plan: list[Row]) -> list[str]:
    """Return what of a statement's plan grows with a large shop: a scan, or sorting or copying of more than is bounded.

    What other parts of a statement have found is sorted and copied at will, as those parts are bounded; and a part that
    ends at so many different keys of an index has to remember those.
    """
    found = []
    for row in plan:
        name, extra = str(row["table"]), row["Extra"] or ""
        if row["table"] is None or name.startswith("<") or int(row["rows"] or 0) <= MANY_MATCHES:
            continue
        # An index that is walked in order ends with the page.
        if row["type"] == "ALL" or (row["type"] == "index" and "LIMIT" not in statement):
            found.append(f"all of {name} is looked at")
        if "filesort" in extra:
            found.append(f"{name} is sorted")
        if "temporary" in extra and not (row["select_type"] == "DERIVED" and "Using index" in extra):
            found.append(f"{name} is copied")
    return found
