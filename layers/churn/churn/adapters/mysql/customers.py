"""Tables `customers` and `customer_states`: rows locked and written in batches, and read."""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import batched
from operator import attrgetter

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.customer import CustomerState
from churn.domain.customer_record import COLUMNS, CustomerRecord
from churn.domain.identifiers import canonical
from churn.domain.model import Prediction

_values = attrgetter(*COLUMNS)
HASHES = 2**32
"""The number of values of CRC32, by which a share of the customers is chosen: the same ones each time."""

_STATES_PER_PAGE = 1000
_READ = (
    "SELECT c.*, s.state, s.contributions, m.kind AS model_kind FROM customers c "
    "LEFT JOIN customer_states s ON s.customer_pk = c.id LEFT JOIN models m ON m.version = c.model_version"
)
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM customers"


@dataclass(slots=True)
class Customer:
    """A customer's record, under a lock until the transaction ends, with the folded state and the counted share.

    `counted` is what the stored sums hold of the customer.
    """

    record: CustomerRecord
    state: CustomerState
    counted: Counter[str]

    @property
    def pk(self) -> int:
        """The key of the row."""
        return self.record.id


def exist(transaction: Transaction) -> bool:
    """Return whether the table can be read and holds a customer."""
    return transaction.row("SELECT 1 AS present FROM customers LIMIT 1") is not None


def lock(transaction: Transaction, customer_ids: Collection[str], now: datetime) -> dict[str, Customer]:
    """Lock the customers in one order for all writers, creating those that do not exist; return them by customer id."""
    wanted = sorted(customer_ids)
    found = transaction.rows_among("SELECT customer_id FROM customers WHERE customer_id IN ({values})", wanted)
    existing = {row["customer_id"] for row in found}
    transaction.insert_many(
        "INSERT IGNORE INTO customers (customer_id, created_at, updated_at)",
        [(customer_id, now, now) for customer_id in wanted if customer_id not in existing],
    )
    rows = transaction.rows_among(_SELECT + " WHERE customer_id IN ({values}) ORDER BY customer_id FOR UPDATE", wanted)
    return {customer.record.customer_id: customer for customer in _with_states(transaction, rows)}


def lock_due(
    transaction: Transaction, after: int, limit: int, *, scored_before: datetime, model_version: str
) -> tuple[list[Customer], int | None]:
    """Lock those of the next `limit` customers by key whose score is older than `scored_before` or another model's.

    Returns them with the last key that was looked at, None at the end of the table.
    """
    keys = transaction.rows("SELECT id FROM customers WHERE id > %s ORDER BY id LIMIT %s", (after, limit))
    if not keys:
        return [], None
    last = int(keys[-1]["id"])
    rows = transaction.rows(
        f"{_SELECT} WHERE id > %s AND id <= %s AND deleted = 0 "
        "AND (scored_at IS NULL OR scored_at < %s OR model_version <> %s) ORDER BY id FOR UPDATE",
        (after, last, scored_before, model_version),
    )
    return _with_states(transaction, rows), last


def save(transaction: Transaction, customers: Sequence[Customer], predictions: Mapping[int, Prediction]) -> None:
    """Write the records and states back, with the reasons of each prediction by the customer's key."""
    transaction.insert_many(
        f"INSERT INTO customers ({', '.join(COLUMNS)})",
        [_values(customer.record) for customer in customers],
        "ON DUPLICATE KEY UPDATE "
        + ", ".join(f"{column} = VALUES({column})" for column in COLUMNS if column not in {"id", "customer_id"}),
    )
    transaction.insert_many(
        "INSERT INTO customer_states (customer_pk, state, contributions)",
        [(customer.pk, customer.state.to_json(), _reasons(predictions.get(customer.pk))) for customer in customers],
        "ON DUPLICATE KEY UPDATE state = VALUES(state), contributions = VALUES(contributions)",
    )


def by_id(transaction: Transaction, customer_ids: Collection[str]) -> dict[str, Row]:
    """Return customers with their states and reasons by the ids asked for, without the deleted.

    An id means the customer who is stored in its very form of Unicode, or else in the one in which ids are stored.
    """
    forms = {customer_id: (customer_id.strip(), canonical(customer_id)) for customer_id in customer_ids}
    rows = _read(
        transaction, "c.deleted = 0 AND c.customer_id", sorted({form for pair in forms.values() for form in pair})
    )
    stored = {row["customer_id"]: row for row in rows}
    return {
        customer_id: next(stored[form] for form in pair if form in stored)
        for customer_id, pair in forms.items()
        if not stored.keys().isdisjoint(pair)
    }


def by_key(transaction: Transaction, keys: Sequence[int]) -> list[Row]:
    """Return customers with their states and reasons, in the order of the keys that are given."""
    rows = {row["id"]: row for row in _read(transaction, "c.id", keys)}
    return [rows[key] for key in keys]


def states(database: Database) -> Iterator[CustomerState]:
    """Yield every customer's state, by ranges of the key: memory holds one page at a time."""
    query = (
        "SELECT customer_pk, state FROM customer_states "
        "WHERE customer_pk > %(customer_pk)s ORDER BY customer_pk LIMIT %(size)s"
    )
    for row in database.pages(query, {"customer_pk": 0}, _STATES_PER_PAGE):
        yield CustomerState.from_json(row["state"])


def states_by_key(database: Database, keys: Iterable[int]) -> Iterator[tuple[int, CustomerState]]:
    """Yield the states of customers in the order of their keys: memory holds one page at a time."""
    query = "SELECT customer_pk, state FROM customer_states WHERE customer_pk IN ({values}) ORDER BY customer_pk"
    for page in batched(sorted(keys), _STATES_PER_PAGE, strict=False):
        rows = database.run(partial(Transaction.rows_among, query=query, values=page))
        yield from ((row["customer_pk"], CustomerState.from_json(row["state"])) for row in rows)


def count(transaction: Transaction, condition: str = "TRUE", *values: object) -> int:
    """Return how many customers that are not deleted meet a condition."""
    return Conditions(["deleted = 0", condition], [*values]).count(transaction, "customers")


def lapsed_between(transaction: Transaction, after: datetime, until: datetime) -> int:
    """Return how many customers ordered last after an instant and not after another."""
    return count(transaction, "last_order_at > %s AND last_order_at <= %s", after, until)


def active_sample(transaction: Transaction, ordered_since: datetime, most: int) -> list[int]:
    """Return the keys of about `most` active customers who have ordered since an instant, chosen by a hash."""
    active = ("is_active = 1 AND last_order_at >= %s", ordered_since)
    share = min(1.0, most / max(1, count(transaction, *active)))
    rows = transaction.rows(
        f"SELECT id FROM customers WHERE deleted = 0 AND {active[0]} AND CRC32(id) < %s ORDER BY id",
        (ordered_since, math.ceil(share * HASHES)),
    )
    return [row["id"] for row in rows]


def _read(transaction: Transaction, column: str, values: Sequence[object]) -> list[Row]:
    return transaction.rows_among(f"{_READ} WHERE {column} IN ({{values}})", values)


def _with_states(transaction: Transaction, rows: Sequence[Row]) -> list[Customer]:
    if not rows:
        return []
    keys = [row["id"] for row in rows]
    states = {
        row["customer_pk"]: row["state"]
        for row in transaction.rows_among(
            "SELECT customer_pk, state FROM customer_states WHERE customer_pk IN ({values})", keys
        )
    }
    return [_customer(CustomerRecord.from_row(row), states.get(row["id"])) for row in rows]


def _customer(record: CustomerRecord, state: str | None) -> Customer:
    if state is None:
        # A row without a state was made in this transaction: no total counts it yet.
        return Customer(record, CustomerState(), Counter())
    return Customer(record, CustomerState.from_json(state), record.share_of_totals())


def _reasons(prediction: Prediction | None) -> str | None:
    if prediction is None:
        return None
    contributions = {name: round(value, 6) for name, value in prediction.contributions.items()}
    reasons = {"base": prediction.base, "contributions": contributions, "interval": prediction.interval}
    return json.dumps(reasons, separators=(",", ":"))
