"""Pages of 100 customers, by every filter and every order that the API offers: the first, and the one half way down.

Inside the function, without what the route adds. Half way down a million is the 5,000th page. A combination is read
once after a first time, in the smallest shop and in the largest one; the row of an order has the median and percentiles
of all its filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql.customer_pages import Position
from churn.adapters.mysql.customer_search import SORT_COLUMNS
from churn.domain.customer_record import CustomerSort, SortOrder
from churn.services.cursors import write_customer_cursor
from churn.services.customers import CustomerQuery, Customers
from tests.benchmarks.frame import SIZES, Bench, Row, Spread, by_size, grown, one, timed
from tests.support.large_shop import NOW, SETTINGS
from tests.support.list_queries import filters, orders

SHOPS = SIZES
_SLOWEST = 5
_SEARCHES = ("anna", "ann", "a", "c-77", "anna baker", "quinn", "nobody")
type Taken = dict[int, dict[tuple[str, str], float]]


def measure(bench: Bench) -> Iterator[Row]:
    """Yield the pages of each order, the searches, the slowest combinations and the slowest statement."""
    with bench.databases() as databases:
        pages, statements = _pages({size: databases[size] for size in (SIZES[0], SIZES[-1])})
        searches = [*_searches(databases)]
    for order in dict.fromkeys(order for order, _ in pages[SIZES[0]]):
        of_order = {
            size: Spread.of([ms for (of, _), ms in taken.items() if of == order]) for size, taken in pages.items()
        }
        yield from grown(f"a page of 100, {order}, all filters", of_order, at_most=15)
    last = pages[SIZES[-1]]
    for key in sorted(last, key=lambda key: -last[key])[:_SLOWEST]:
        yield from grown(f"the slowest: {', '.join(key)}", {size: one(taken[key]) for size, taken in pages.items()})
    yield from grown("the slowest statement of a page", {size: one(ms) for size, ms in statements.items()}, at_most=50)
    yield from searches


def _pages(databases: Mapping[int, Database]) -> tuple[Taken, dict[int, float]]:
    """Return the milliseconds of each page by the shop's size, and those of the slowest statement."""
    customers = {size: Customers(database, SETTINGS) for size, database in databases.items()}
    taken: Taken = {size: {} for size in databases}
    slowest = dict.fromkeys(databases, 0.0)
    for sort, order in orders():
        half = {size: _half_way(database, sort, order) for size, database in databases.items()}
        for name, asked in filters(NOW).items():
            for place, cursors in (("first page", {}), ("half way down", half)):
                for size, of_size in customers.items():
                    query = CustomerQuery(limit=100, sort=sort, order=order, cursor=cursors.get(size), **asked)
                    with _statements() as statements:
                        taken[size][f"{sort} {order}", f"{name}, {place}"] = _again(partial(of_size.page, query, NOW))
                    slowest[size] = max(slowest[size], *statements.values())
    return taken, slowest


def _searches(databases: Mapping[int, Database]) -> Iterator[Row]:
    for words in _SEARCHES:
        query = CustomerQuery(limit=100, search=words)
        works = {size: partial(Customers(database, SETTINGS).page, query, NOW) for size, database in databases.items()}
        yield from grown(f"a search for “{words}”", by_size(works, 7), at_most=15)


def _half_way(database: Database, sort: CustomerSort, order: SortOrder) -> str:
    """Return the cursor of the page after half of the customers."""
    column = SORT_COLUMNS[sort]
    direction = "DESC" if (order == "desc") != (sort == "days_since_last_order") else "ASC"

    def work(transaction: Transaction) -> dict[str, Any]:
        statement = f"SELECT {column}, id FROM customers WHERE {column} IS NOT NULL "
        half = transaction.row(f"SELECT COUNT({column}) DIV 2 AS half FROM customers")
        assert half
        ordered = f"ORDER BY {column} {direction}, id {direction} LIMIT 1 OFFSET {half['half']}"
        row = transaction.row(f"{statement} {ordered}")
        assert row
        return dict(row)

    row = database.run(work)
    return write_customer_cursor(sort, order, Position(row[column], row["id"], 0))


def _again(read: Callable[[], object]) -> float:
    """Return the milliseconds of the second time."""
    read()
    return timed(read) * 1000


@contextmanager
def _statements() -> Iterator[dict[str, float]]:
    """Yield what each statement took at the least, in milliseconds, by its text."""
    least: dict[str, float] = {}
    asked = {name: getattr(Transaction, name) for name in ("rows", "row")}

    def of(name: str) -> Callable[..., Any]:
        def measured(transaction: Transaction, statement: str, parameters: Any = ()) -> Any:
            answers: list[Any] = []
            took = timed(lambda: answers.append(asked[name](transaction, statement, parameters))) * 1000
            key = f"{statement} {parameters}"
            least[key] = min(took, least.get(key, took))
            return answers[0]

        return measured

    with patch.object(Transaction, "rows", of("rows")), patch.object(Transaction, "row", of("row")):
        yield least
