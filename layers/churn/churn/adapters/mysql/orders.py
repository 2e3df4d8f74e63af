"""Table `orders`: every order of every customer, and the ledgers through which states look them up."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from statistics import median
from typing import NamedTuple

from churn.adapters.mysql import events as history
from churn.adapters.mysql.conditions import Conditions, rows_of_pairs
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.orders import MAX_RECENT, Order
from churn.domain.timestamps import DAY, from_millis, to_millis

_ORDERS_PER_PAGE = 5000
_COLUMNS = ", ".join(Order._fields)
_INSTANTS = frozenset({"placed_at", "cancelled_at", "revised_at", "reinstated_at", "cancelled_as_of"})
# The value of an order that counts: one that is not known may be any.
_VALUED = "({order}cents IS NULL OR {order}cents > 0)"
# Of an order between two instants, the later of which is given twice.
_STOOD = (
    f"{{order}}placed_at > %s AND {{order}}placed_at <= %s AND {_VALUED} "
    "AND ({order}cancelled_at IS NULL OR {order}cancelled_at > %s)"
)
# The index of a customer's orders by time: another has all that is asked for, of everybody.
_OF_ONE = "FORCE INDEX (orders_by_time)"
_LAST_MILLISECOND = time(23, 59, 59, 999_000)
_COUNTS = f"placed_at IS NOT NULL AND {_VALUED.format(order='')} AND cancelled_at IS NULL"


class Ledgers:
    """The ledgers of the customers of one transaction: what they look up is read, what they store is written at once.

    Call `load` before orders are looked up, and `save` at the end of the transaction.
    """

    def __init__(self, transaction: Transaction) -> None:
        """Read and write in this transaction."""
        self.transaction = transaction
        self._known: dict[tuple[int, str], Order | None] = {}
        self._without: set[int] = set()
        self._changed: dict[tuple[int, str], Order] = {}

    def of(self, customer_pk: int) -> "StoredLedger":
        """Return the ledger of a customer."""
        return StoredLedger(self, customer_pk)

    def begin(self, customer_pk: int) -> "StoredLedger":
        """Return the ledger of a customer of whom nothing is stored yet: of such, no order is looked up."""
        self._without.add(customer_pk)
        return self.of(customer_pk)

    def load(self, pairs: Collection[tuple[int, str]]) -> None:
        """Read the orders with these customers' keys and ids, all together."""
        wanted = sorted({pair for pair in pairs if pair not in self._known and pair[0] not in self._without})
        if not wanted:
            return
        self._known.update(dict.fromkeys(wanted))
        query = (
            f"SELECT STRAIGHT_JOIN o.customer_pk, o.order_id, {_COLUMNS} FROM {{pairs}} AS asked "
            "JOIN orders AS o ON o.customer_pk = asked.pk AND o.order_id = asked.id COLLATE utf8mb4_bin"
        )
        for row in rows_of_pairs(self.transaction, query, wanted):
            self._known[int(row["customer_pk"]), row["order_id"]] = _order(row)

    def get(self, customer_pk: int, order_id: str) -> Order | None:
        """Return an order."""
        pair = customer_pk, order_id
        if pair not in self._known and customer_pk not in self._without:
            self.load([pair])
        return self._known.get(pair)

    def put(self, customer_pk: int, order_id: str, order: Order) -> None:
        """Take an order's new version, to be written by `save`."""
        self._known[customer_pk, order_id] = self._changed[customer_pk, order_id] = order

    def save(self) -> None:
        """Write the orders that have changed."""
        write(self.transaction, self._changed.items())
        self._changed.clear()

    def all_of(self, keys: Sequence[int]) -> dict[int, list[Order]]:
        """Return all orders of some customers, by the customer's key; what has changed is written before."""
        self.save()
        found: dict[int, list[Order]] = {key: [] for key in keys}
        for (pk, _), order in self._known.items():
            if order is not None and pk in self._without and pk in found:
                found[pk].append(order)
        stored = of_customers(self.transaction, [key for key in keys if key not in self._without])
        return found | {pk: [*own.values()] for pk, own in stored.items()}

    def clear(self, customer_pk: int) -> None:
        """Delete a customer's orders."""
        for orders in (self._known, self._changed):
            for pair in [pair for pair in orders if pair[0] == customer_pk]:
                del orders[pair]
        erase(self.transaction, customer_pk)

    def replace(self, customer_pk: int, orders: Iterable[tuple[str, Order]]) -> None:
        """Store these orders of a customer in place of all that are stored."""
        self.clear(customer_pk)
        write(self.transaction, (((customer_pk, order_id), order) for order_id, order in orders))


class StoredLedger:
    """A customer's ledger in the table (`churn.domain.orders.Ledger`)."""

    def __init__(self, ledgers: Ledgers, customer_pk: int) -> None:
        """Look up what belongs to one customer."""
        self.folded_until: int | None = None
        """Up to this instant (milliseconds since 1970) the state has the events of the history."""
        self._ledgers = ledgers
        self._pk = customer_pk

    def get(self, order_id: str) -> Order | None:
        """Return an order by its id."""
        return self._ledgers.get(self._pk, order_id)

    def put(self, order_id: str, order: Order) -> None:
        """Store an order under its id."""
        self._ledgers.put(self._pk, order_id, order)

    def orders(self) -> Iterable[Order]:
        """Return all orders."""
        self._ledgers.save()
        return of_customers(self._ledgers.transaction, [self._pk]).get(self._pk, {}).values()

    def newest(self, most: int) -> list[int]:
        """Return the instants of the newest orders that count, the oldest first."""
        self._ledgers.save()
        rows = self._ledgers.transaction.rows(
            f"SELECT placed_at FROM orders WHERE customer_pk = %s AND {_COUNTS} ORDER BY placed_at DESC LIMIT %s",
            (self._pk, most),
        )
        return [to_millis(row["placed_at"]) for row in reversed(rows)]

    def counts_on(self, day: int, without: str) -> bool:
        """Return whether an order other than `without` counts that was placed on a UTC day (days since 1970)."""
        self._ledgers.save()
        row = self._ledgers.transaction.row(
            f"SELECT 1 AS present FROM orders WHERE customer_pk = %s AND placed_at >= %s AND placed_at < %s "
            f"AND {_COUNTS} AND order_id <> %s LIMIT 1",
            (self._pk, from_millis(day * DAY), from_millis((day + 1) * DAY), without),
        )
        return row is not None

    def point_changes(self, after: int) -> list[tuple[int, int]]:
        """Return the folded changes of loyalty points after an instant: (instant, millionths of a point)."""
        if self.folded_until is None:
            return []
        return history.point_changes(self._ledgers.transaction, self._pk, after, self.folded_until)

    def add_point_change(self, at: int, micros: int) -> None:
        """Do nothing: the change is in the history."""

    def clear(self) -> None:
        """Delete all orders."""
        self._ledgers.clear(self._pk)


def of_customers(transaction: Transaction, keys: Sequence[int]) -> dict[int, dict[str, Order]]:
    """Return all orders of some customers by their ids, by the customer's key."""
    orders: dict[int, dict[str, Order]] = {}
    query = f"SELECT customer_pk, order_id, {_COLUMNS} FROM orders WHERE customer_pk IN ({{values}})"
    for row in transaction.rows_among(query, keys):
        orders.setdefault(int(row["customer_pk"]), {})[row["order_id"]] = _order(row)
    return orders


def typical_cents(transaction: Transaction, customer_pk: int) -> int | None:
    """Return the median of the known values of a customer's newest MAX_RECENT orders that count, in hundredths.

    None without any.
    """
    rows = transaction.rows(
        f"SELECT cents FROM orders WHERE customer_pk = %s AND {_COUNTS} ORDER BY placed_at DESC LIMIT %s",
        (customer_pk, MAX_RECENT),
    )
    known = [int(row["cents"]) for row in rows if row["cents"] is not None]
    return round(median(known)) if known else None


class Standing(NamedTuple):
    """An order under the customer that it is stored for, by key and id."""

    customer_pk: int
    customer_id: str
    order: Order


def standing(transaction: Transaction, wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[Standing]]:
    """Return the orders that stand with these instants (milliseconds since 1970) and ids, whoever placed them.

    Those that were cancelled are left out.
    """
    query = (
        f"SELECT STRAIGHT_JOIN c.id, c.customer_id, o.order_id, {_COLUMNS} FROM {{pairs}} AS asked "
        "JOIN orders AS o FORCE INDEX (orders_by_placed) "
        "ON o.placed_at = CAST(asked.pk AS DATETIME(3)) AND o.order_id = asked.id COLLATE utf8mb4_bin "
        "JOIN customers AS c ON c.id = o.customer_pk WHERE o.cancelled_at IS NULL"
    )
    found: dict[tuple[int, str], list[Standing]] = {}
    for row in rows_of_pairs(transaction, query, [(from_millis(at), number) for at, number in sorted(wanted)]):
        one = Standing(int(row["id"]), row["customer_id"], _order(row))
        found.setdefault((to_millis(row["placed_at"]), row["order_id"]), []).append(one)
    return found


def is_any(transaction: Transaction) -> bool:
    """Return whether an order is stored."""
    return transaction.row("SELECT 1 AS present FROM orders LIMIT 1") is not None


def days(transaction: Transaction, keys: Sequence[int]) -> dict[int, set[int]]:
    """Return the UTC days (since 1970) on which customers have an order that counts, by the customers' keys."""
    placed: dict[int, set[int]] = {key: set() for key in keys}
    query = (
        "SELECT DISTINCT customer_pk, TO_DAYS(placed_at) - TO_DAYS('1970-01-01') AS day FROM orders "
        f"WHERE {_COUNTS} AND customer_pk IN ({{values}})"
    )
    for row in transaction.rows_among(query, keys):
        placed[int(row["customer_pk"])].add(int(row["day"]))
    return placed


def histories(database: Database) -> Iterator[list[Order]]:
    """Yield the orders of each customer who has any: memory holds one page at a time."""
    query = (
        f"SELECT customer_pk, order_id, {_COLUMNS} FROM orders WHERE customer_pk > %(customer_pk)s "
        "OR (customer_pk = %(customer_pk)s AND order_id > %(order_id)s) ORDER BY customer_pk, order_id LIMIT %(size)s"
    )
    rows = database.pages(query, {"customer_pk": 0, "order_id": ""}, _ORDERS_PER_PAGE)
    for _, own in groupby(rows, key=itemgetter("customer_pk")):
        yield [_order(row) for row in own]


def active_but_for_cancellations(transaction: Transaction, at: datetime, lapse: timedelta) -> int:
    """Return how many had at an instant an order that stood, no older than `lapse`, which was cancelled since then.

    Of customers without an order that counts today and was newer than that: rows of customers tell of all others.
    """
    row = transaction.row(
        "SELECT COUNT(DISTINCT o.customer_pk) AS number FROM orders o FORCE INDEX (orders_by_placed) "
        f"JOIN customers c ON c.id = o.customer_pk WHERE {_STOOD.format(order='o.')} AND o.cancelled_at > %s "
        "AND (c.last_order_at IS NULL OR c.last_order_at <= %s)",
        (at - lapse, at, at, at, at - lapse),
    )
    return int(row["number"]) if row else 0


def active_at(customer_pk: str, at: datetime, lapse: timedelta) -> Conditions:
    """Return the condition that a customer, by the name of a column, had an order that stood, no older than `lapse`."""
    active = Conditions()
    active.add(
        f"EXISTS (SELECT 1 FROM orders o {_OF_ONE} WHERE o.customer_pk = {customer_pk} AND "
        f"{_STOOD.format(order='o.')})",
        at - lapse,
        at,
        at,
    )
    return active


def ordered_again(customer: str, first: date | None, last: date | None) -> Conditions:
    """Return the condition that a row of customers has an order that counts between two days, None leaves an end open.

    The day of the first order is not one of ordering again.
    """
    orders = Conditions([f"o.customer_pk = {customer}.id", _COUNTS])
    orders.add(f"o.placed_at >= {customer}.first_order_day + INTERVAL 1 DAY")
    if first is not None:
        orders.add("o.placed_at >= %s", first)
    if last is not None:
        orders.add("o.placed_at <= %s", datetime.combine(last, _LAST_MILLISECOND))
    # A value, not EXISTS, which servers turn into a join.
    return Conditions([f"(SELECT 1 FROM orders o {_OF_ONE} {orders.where()} LIMIT 1) IS NOT NULL"], orders.values)


def lapsed_customers(transaction: Transaction, first: datetime, last: datetime, lapse: timedelta) -> int:
    """Return for how many customers, from an instant to another, `lapse` was over since their newest order."""
    over = "o.placed_at + INTERVAL %(lapse)s SECOND"
    row = transaction.row(
        "SELECT COUNT(DISTINCT o.customer_pk) AS number FROM orders o "
        f"WHERE o.placed_at >= %(first)s AND o.placed_at <= %(last)s AND {_VALUED.format(order='o.')} "
        f"AND (o.cancelled_at IS NULL OR o.cancelled_at > {over}) AND NOT EXISTS "
        "(SELECT 1 FROM orders n WHERE n.customer_pk = o.customer_pk AND n.placed_at > o.placed_at "
        f"AND n.placed_at <= {over} AND {_VALUED.format(order='n.')} "
        f"AND (n.cancelled_at IS NULL OR n.cancelled_at > {over}))",
        {"first": first - lapse, "last": last - lapse, "lapse": int(lapse.total_seconds())},
    )
    return int(row["number"]) if row else 0


def write(transaction: Transaction, orders: Iterable[tuple[tuple[int, str], Order]]) -> None:
    """Store orders, each under its customer's key and its id, in place of older versions."""
    pairs = sorted(orders, key=itemgetter(0))
    columns = zip(Order._fields, zip(*[order for _, order in pairs], strict=True), strict=False)
    # Most orders have a time and a value alone: a column in which none has a value is none of the statement's values.
    told = {name: values for name, values in columns if any(value is not None for value in values)}
    for name in _INSTANTS & told.keys():
        told[name] = tuple([_instant(millis) for millis in told[name]])
    keys = zip(*[pair for pair, _ in pairs], strict=True)
    transaction.insert_many(
        f"INSERT INTO orders ({', '.join(('customer_pk', 'order_id', *told))})",
        zip(*keys, *told.values(), strict=True),
        "ON DUPLICATE KEY UPDATE "
        + ", ".join(f"{name} = {f'VALUES({name})' if name in told else 'NULL'}" for name in Order._fields),
    )


def erase(transaction: Transaction, customer_pk: int) -> None:
    """Delete a customer's orders."""
    transaction.execute("DELETE FROM orders WHERE customer_pk = %s", (customer_pk,))


def _order(row: Row) -> Order:
    discounted = row["discounted"]
    return Order(
        _millis(row["placed_at"]),
        None if row["cents"] is None else int(row["cents"]),
        None if discounted is None else bool(discounted),
        _millis(row["cancelled_at"]),
        _millis(row["revised_at"]),
        _millis(row["reinstated_at"]),
        _millis(row["cancelled_as_of"]),
    )


def _instant(millis: int | None) -> datetime | None:
    return None if millis is None else from_millis(millis)


def _millis(instant: datetime | None) -> int | None:
    return None if instant is None else to_millis(instant)
