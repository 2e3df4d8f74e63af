"""What the customers of a filter come to: their number, sums, and how many have lapsed, by a bounded amount of work.

The customers of a short range of an index are looked at there; else everybody is, in the order of the keys, which reads
a row five times as fast as an index does, until so many have been looked at.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from churn.adapters.mysql import customer_search, customers, orders
from churn.adapters.mysql.conditions import Conditions, merged, size_of
from churn.adapters.mysql.customer_pages import CustomerFilter
from churn.adapters.mysql.customer_search import Search, Table, in_index
from churn.adapters.mysql.database import Row, Transaction

MOST_COUNTED = 1_000_000
"""So many customers are looked at to count those of a filter, and a fifth if each is looked up in another table, too.

What is counted then is a lower bound.
"""

MOST_FOR_A_PAGE = 20_000
"""The same to tell a page of a list how many match; of more the number is not known."""

_SHORT_RANGE = 200_000
_STEP = 100_000
_COST_OF_LOOKING_UP = 5
_BY_KEY = in_index("PRIMARY")


@dataclass(frozen=True, slots=True)
class ChurnSpan:
    """Who was active at `first` and has lapsed by `last`, `lapse` after the last order."""

    first: datetime
    last: datetime
    lapse: timedelta


@dataclass(frozen=True, slots=True)
class Counted:
    """What customers come to. `is_lower_bound`: they were too many to look at all of them."""

    customers: int = 0
    value_at_risk: Decimal | None = Decimal(0)
    """None where somebody is scored and nobody's value is known."""
    scored: int = 0
    probability: float = 0.0
    churned: int = 0
    active_before: int = 0
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class _Path:
    """Ranges of an index, and what to look for in them."""

    index: str
    ranges: list[Conditions]
    rest: Conditions


def count(
    transaction: Transaction, wanted: CustomerFilter, churn: ChurnSpan | None, most: int = MOST_COUNTED
) -> Counted:
    """Return what the customers that a filter matches come to; `most` of all are looked at.

    Without a span of churn nobody is counted as churned or active before.
    """
    if wanted.is_nobody:
        return Counted()
    search = customer_search.prepared(transaction, wanted)
    if search.is_sorted:
        return _total([_looked_at(transaction, search.table(), search.whole(search.others), Conditions(), churn, most)])
    path = _shortest_path(transaction, search, _SHORT_RANGE)
    if path is not None:
        table = in_index(path.index)
        parts = [_looked_at(transaction, table, part, path.rest, churn, _SHORT_RANGE) for part in path.ranges]
        return _total(parts)
    return _everybody(transaction, search, churn, _affordable(wanted, most))


def number_of(transaction: Transaction, search: Search, everybody: int) -> int | None:
    """Return how many customers a search finds; None if too many would have to be looked at.

    `everybody`: how many customers there are in all.
    """
    most = _affordable(search.wanted, MOST_FOR_A_PAGE)
    if everybody <= most:
        whole = search.whole(search.others)
        whole.add("c.id > 0")
        return whole.count(transaction, *_BY_KEY)
    path = _shortest_path(transaction, search, most)
    if path is None:
        return None
    return sum(merged([part, path.rest]).count(transaction, *in_index(path.index)) for part in path.ranges)


def _affordable(wanted: CustomerFilter, most: int) -> int:
    """Return how many customers cost as much to look at as `most` of whom the row alone tells it."""
    looks_up = bool(wanted.words or wanted.ordered_again) or wanted.has_open_alert is not None
    return most // _COST_OF_LOOKING_UP if looks_up else most


def _shortest_path(transaction: Transaction, search: Search, most: int) -> _Path | None:
    """Return the shortest of the ranges that an index tells; None if there are none, or all are longer than `most`."""
    shortest, path = most, None
    for column in search.indexed_columns():
        walk, rest = search.walk(column)
        candidate = _Path(customer_search.index_of(walk, column), walk.ranges(column, walk.others), rest)
        table, bound = in_index(candidate.index)
        size = size_of(transaction, table, candidate.ranges, shortest, bound)
        if size <= shortest:
            shortest, path = size, candidate
    return path


def _everybody(transaction: Transaction, search: Search, churn: ChurnSpan | None, most: int) -> Counted:
    rest, parts, last, left = search.whole(search.others), [], 0, most
    while left > 0:
        step = min(left, _STEP)
        # In the order of the keys, so that the last is the last of a step.
        ranged = Conditions(["c.id > %s"], [last])
        part = _looked_at(transaction, _BY_KEY, ranged, rest, churn, step, "ORDER BY c.id")
        parts.append(part)
        if part["looked_at"] < step:
            return _total(parts)
        last, left = part["last_key"], left - step
    return _total(parts, is_lower_bound=customers.key_after(transaction, last) is not None)


def _looked_at(
    transaction: Transaction,
    table_and_bound: Table,
    ranged: Conditions,
    rest: Conditions,
    churn: ChurnSpan | None,
    most: int,
    order: str = "",
) -> Row:
    """Return sums over the first of the customers in a range of a table who meet the other conditions."""
    table, bound = table_and_bound
    lapsed, active = _churn_conditions(churn)
    fits, has_lapsed, was_active = (" AND ".join(part.texts) or "TRUE" for part in (rest, lapsed, active))
    row = transaction.row(
        "SELECT COUNT(*) AS looked_at, IFNULL(MAX(id), 0) AS last_key, IFNULL(SUM(fits), 0) AS customers, "
        "IFNULL(SUM(IF(fits, value_at_risk, 0)), 0) AS value_at_risk, "
        "IFNULL(SUM(fits AND value_at_risk IS NOT NULL), 0) AS valued, "
        "IFNULL(SUM(fits AND churn_probability IS NOT NULL), 0) AS scored, "
        "IFNULL(SUM(IF(fits, churn_probability, 0)), 0) AS probability, "
        "IFNULL(SUM(fits AND has_lapsed), 0) AS churned, IFNULL(SUM(was_active), 0) AS active_before "
        f"FROM (SELECT c.id, c.value_at_risk, c.churn_probability, ({fits}) AS fits, ({has_lapsed}) AS has_lapsed, "
        f"(({fits}) AND {was_active}) AS was_active FROM {table} {ranged.where()} {order} "
        "LIMIT %s) looked_at",
        [*rest.values, *lapsed.values, *rest.values, *active.values, *bound, *ranged.values, most],
    )
    return row or {}


def _churn_conditions(churn: ChurnSpan | None) -> tuple[Conditions, Conditions]:
    """Return the conditions that a customer has lapsed in a span, and was active at its beginning."""
    if churn is None:
        return Conditions(["FALSE"]), Conditions(["FALSE"])
    lapsed, active = Conditions(), Conditions()
    lapsed.add("c.last_order_at > %s", churn.first - churn.lapse)
    lapsed.add("c.last_order_at <= %s", churn.last - churn.lapse)
    stood = orders.active_at("c.id", churn.first, churn.lapse)
    # The last order tells it of most, without a look at the orders.
    active.add(
        f"c.last_order_at > %s AND (c.last_order_at <= %s OR {stood.texts[0]})",
        churn.first - churn.lapse,
        churn.first,
        *stood.values,
    )
    return lapsed, active


def _total(parts: list[Row], *, is_lower_bound: bool = False) -> Counted:
    scored = sum(int(part["scored"]) for part in parts)
    is_unknown = scored > 0 and not any(part["valued"] for part in parts)
    return Counted(
        sum(int(part["customers"]) for part in parts),
        None if is_unknown else sum((part["value_at_risk"] for part in parts), Decimal(0)),
        scored,
        sum(float(part["probability"]) for part in parts),
        sum(int(part["churned"]) for part in parts),
        sum(int(part["active_before"]) for part in parts),
        is_lower_bound,
    )
