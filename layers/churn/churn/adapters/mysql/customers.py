"""Tables `customers` and `customer_states`: rows locked and written in batches, and read."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from churn.adapters.mysql import customer_states
from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.adapters.mysql.orders import Ledgers
from churn.adapters.mysql.statement_parts import HASHES
from churn.domain.customer import FOLD_VERSION, CustomerState, OutdatedStateError, UnreadableStateError
from churn.domain.customer_record import COLUMNS, CustomerRecord
from churn.domain.identifiers import stored_forms
from churn.domain.model import Prediction
from churn.domain.tombstones import NEXT_PREFIX, PREFIX, Tombstones

_KEYS = ("id", "customer_id", "created_at")
# Of a row that knows no value at risk, one is worked out where it is read.
_WRITTEN = ("updated_at", "value_at_risk")
WRONG_CLOCK = timedelta(hours=1)
"""Clocks of servers differ by less; a state or a score that is further ahead was made by a wrong clock."""

_PAGE = 1000
_OF_MODEL = "m.kind AS model_kind, m.source AS model_source"
_WITH_MODEL = "LEFT JOIN models m ON m.version = c.model_version"
_OF_STATE = "s.state, s.contributions"
_WITH_STATE = "LEFT JOIN customer_states s ON s.customer_pk = c.id"
_READ = f"SELECT c.*, {_OF_STATE}, {_OF_MODEL} FROM customers c {_WITH_STATE} {_WITH_MODEL}"
# What a list shows: a driver written in Python takes its time for each value.
_LISTED = (
    "id", "customer_id", "name", "email", "status", "churn_probability", "risk_level", "value_at_risk",
    "risk_change_7d", "at_risk_since", "returned_at", "expected_orders", "expected_spend", "expected_spend_low",
    "expected_spend_high", "usual_gap_days", "next_order_at", "scored_at", "due_at",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM customers"


@dataclass(slots=True)
class Customer:
    """A customer's record, under a lock until the transaction ends, with the folded state."""

    record: CustomerRecord
    state: CustomerState
    stored: CustomerRecord | None
    """The record as it is stored, and as the stored sums count it; None before the first score."""
    is_outdated: bool = False
    """Whether the stored state was made by another version of the fold; `state` is empty then."""
    is_new: bool = False
    """Whether the row was made in this transaction: nothing else is stored of the customer."""
    is_state_stored: bool = False
    """Whether the stored state is this one but for its clock, which the instant of the score tells as well."""
    is_explained: bool = False
    """Whether the reasons of a prediction are stored."""
    damage: UnreadableStateError | None = None
    """Why the stored state cannot be read, if it cannot; `state` is empty then, and only erasing may replace it."""

    @property
    def pk(self) -> int:
        """The key of the row."""
        return self.record.id


def exist(transaction: Transaction) -> bool:
    """Return whether the table can be read and holds a customer."""
    return transaction.row("SELECT 1 AS present FROM customers LIMIT 1") is not None


def lock(ledgers: Ledgers, customer_ids: Collection[str], now: datetime, tombstones: Tombstones) -> dict[str, Customer]:
    """Lock the customers in one order for all writers, creating those that do not exist; return them by customer id.

    An erased customer is found under the tombstone.
    """
    transaction = ledgers.transaction
    graves = {customer_id: tombstones.of(customer_id) for customer_id in customer_ids}
    rows: dict[str, Row] = {}
    # A customer who is erased at this moment is found under the tombstone when they are looked for again.
    while missing := sorted(graves.keys() - rows.keys()):
        names = {name for customer_id in missing for name in (customer_id, graves[customer_id])}
        keys = existing(transaction, names)
        new = [customer_id for customer_id in missing if keys.keys().isdisjoint((customer_id, graves[customer_id]))]
        if new:
            transaction.insert_many(
                "INSERT IGNORE INTO customers (customer_id, created_at, updated_at)",
                [(customer_id, now, now) for customer_id in new],
            )
            # Somebody may have created and erased a new one meanwhile: the tombstone then stands beside the row made
            # here.
            keys = existing(transaction, names)
        # By their keys, as the sweep locks them: writers that lock in two orders wait for each other.
        query = _SELECT + " WHERE id IN ({values}) ORDER BY id FOR UPDATE"
        rows_by_key = transaction.rows_among(query, sorted(keys.values()))
        locked = {row["customer_id"]: row for row in rows_by_key}
        for customer_id in missing:
            grave, row = locked.get(graves[customer_id]), locked.get(customer_id)
            if grave is not None and row is not None and grave is not row and customer_id in new:
                transaction.execute("DELETE FROM customers WHERE id = %s", (row["id"],))
                row = None
            # Where both stand, a version that knew no tombstones has made the customer again: until they are erased.
            if found := row or grave:
                rows[customer_id] = found
    by_key = {customer.pk: customer for customer in _with_states(ledgers, list(rows.values()))}
    return {customer_id: by_key[row["id"]] for customer_id, row in rows.items()}


def with_events_due(transaction: Transaction, now: datetime, most: int) -> list[str]:
    """Return the ids of customers with an event that was stored ahead of its time, which has come."""
    rows = transaction.rows(
        "SELECT customer_id FROM customers WHERE deleted = 0 AND due_at <= %s ORDER BY due_at LIMIT %s", (now, most)
    )
    return [row["customer_id"] for row in rows]


def existing(transaction: Transaction, customer_ids: Collection[str]) -> dict[str, int]:
    """Return those of some ids, or tombstones, that stand in the table, with their keys."""
    query = "SELECT id, customer_id FROM customers WHERE customer_id IN ({values})"
    return {row["customer_id"]: int(row["id"]) for row in transaction.rows_among(query, customer_ids)}


def bury(transaction: Transaction, customer_pk: int, tombstone: str) -> None:
    """Put the tombstone in place of the id of an erased customer, and of an older row with the same tombstone."""
    transaction.execute(
        "DELETE c, s FROM customers c LEFT JOIN customer_states s ON s.customer_pk = c.id "
        "WHERE c.customer_id = %s AND c.id <> %s",
        (tombstone, customer_pk),
    )
    transaction.execute("UPDATE customers SET customer_id = %s WHERE id = %s", (tombstone, customer_pk))


def bury_older(transaction: Transaction, tombstones: Tombstones, limit: int) -> int:
    """Put tombstones in place of the ids of at most `limit` customers who were erased before there were tombstones.

    Return how many there were.
    """
    rows = transaction.rows(
        "SELECT id, customer_id FROM customers WHERE deleted = 1 AND (customer_id < %s OR customer_id >= %s) "
        "ORDER BY customer_id LIMIT %s FOR UPDATE",
        (PREFIX, NEXT_PREFIX, limit),
    )
    for row in rows:
        bury(transaction, row["id"], tombstones.of(row["customer_id"]))
    return len(rows)


def newest_key(transaction: Transaction) -> int:
    """Return the key of the newest customer, 0 without any."""
    row = transaction.row("SELECT MAX(id) AS newest FROM customers")
    return int(row["newest"] or 0) if row else 0


def key_after(transaction: Transaction, after: int) -> int | None:
    """Return the next customer's key, None at the end of the table."""
    row = transaction.row("SELECT id FROM customers WHERE id > %s ORDER BY id LIMIT 1", (after,))
    return None if row is None else int(row["id"])


def put_off(transaction: Transaction, key: int, now: datetime, until: datetime) -> None:
    """Let a customer, who is due now for a stored event, be due later."""
    transaction.execute("UPDATE customers SET due_at = %s WHERE id = %s AND due_at <= %s", (until, key, now))


def all_folded(transaction: Transaction) -> bool:
    """Return whether every state, hence the table of orders, was made by this version of the fold."""
    row = transaction.row(
        "SELECT 1 AS present FROM customers WHERE deleted = 0 AND fold_version < %s LIMIT 1", (FOLD_VERSION,)
    )
    return row is None


def all_days_counted(transaction: Transaction) -> bool:
    """Return whether the sums of cohorts hold every customer."""
    row = transaction.row(
        "SELECT 1 AS present FROM customers FORCE INDEX (customers_by_days) "
        "WHERE deleted = 0 AND order_days IS NULL LIMIT 1"
    )
    return row is None


def save(transaction: Transaction, customers: Sequence[Customer], predictions: Mapping[int, Prediction]) -> None:
    """Write the records and states back, and the reasons of each prediction by the customer's key.

    The reasons of the others stay, but for those who are deleted.
    """
    columns = _changed_columns(customers)
    values = attrgetter(*_KEYS, *columns)
    transaction.insert_many(
        f"INSERT INTO customers ({', '.join((*_KEYS, *columns))})",
        [values(customer.record) for customer in customers],
        "ON DUPLICATE KEY UPDATE " + ", ".join(f"{column} = VALUES({column})" for column in columns),
    )
    customer_states.save(transaction, customers, predictions)


def lock_keys(ledgers: Ledgers, keys: Collection[int], condition: str = "TRUE") -> list[Customer]:
    """Lock those of some customers, by their keys, who are not deleted and meet a condition."""
    # By the keys, whatever indexes the condition suggests.
    table = f"{_SELECT} FORCE INDEX (PRIMARY)"
    query = f"{table} WHERE deleted = 0 AND ({condition}) AND id IN ({{values}}) ORDER BY id FOR UPDATE"
    return _with_states(ledgers, ledgers.transaction.rows_among(query, sorted(keys)))


def hold(transaction: Transaction, keys: Collection[int]) -> None:
    """Lock the rows of customers until the transaction ends, in the order of those who raise their alerts."""
    transaction.rows_among("SELECT id FROM customers WHERE id IN ({values}) ORDER BY id FOR UPDATE", sorted(keys))


def by_id(transaction: Transaction, customer_ids: Collection[str]) -> dict[str, Row]:
    """Return customers with their states and reasons by the ids asked for, without the deleted.

    An id means the customer who is stored in its very form of Unicode, or else in another one of it.
    """
    forms = {customer_id: stored_forms(customer_id) for customer_id in customer_ids}
    wanted = sorted({form for own in forms.values() for form in own})
    stored = {row["customer_id"]: row for row in _read(transaction, "c.deleted = 0 AND c.customer_id", wanted)}
    return {
        customer_id: next(stored[form] for form in own if form in stored)
        for customer_id, own in forms.items()
        if not stored.keys().isdisjoint(own)
    }


def listed(transaction: Transaction, keys: Sequence[int], column: str, *, with_states: bool) -> list[Row]:
    """Return what a list shows of customers, and the column that it is sorted by, in the order of the keys.

    `with_states`: with their states and reasons as well.
    """
    columns = ", ".join(f"c.{name}" for name in dict.fromkeys([*_LISTED, column]))
    state, joined = (f", {_OF_STATE}", _WITH_STATE) if with_states else ("", "")
    query = f"SELECT {columns}, {_OF_MODEL}{state} FROM customers c {joined} {_WITH_MODEL} WHERE c.id IN ({{values}})"
    rows = {row["id"]: row for row in transaction.rows_among(query, keys)}
    return [rows[key] for key in keys]


def first_seen(database: Database) -> Iterator[datetime]:
    """Yield when each customer was first seen: memory holds one page at a time."""
    query = "SELECT id, first_seen_at FROM customers WHERE id > %(id)s ORDER BY id LIMIT %(size)s"
    for row in database.pages(query, {"id": 0}, _PAGE):
        if row["first_seen_at"] is not None:
            yield row["first_seen_at"]


def first_known(transaction: Transaction) -> datetime | None:
    """Return when the oldest customer was first seen, None without any."""
    row = transaction.row("SELECT MIN(first_seen_at) AS first FROM customers WHERE deleted = 0")
    first: datetime | None = row["first"] if row else None
    return first


def count(transaction: Transaction, condition: str = "TRUE", *values: object) -> int:
    """Return how many customers that are not deleted meet a condition."""
    return Conditions(["deleted = 0", condition], [*values]).count(transaction, "customers")


def ordered_last_between(transaction: Transaction, after: datetime, until: datetime) -> int:
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


def _changed_columns(customers: Sequence[Customer]) -> list[str]:
    """Return the columns to be written: those in which a record of these has changed, all where one is new."""
    changed = {*_WRITTEN}
    for customer in customers:
        if customer.stored is None:
            return [column for column in COLUMNS if column not in _KEYS]
        changed.update(customer.record.differences(customer.stored))
    return [column for column in COLUMNS if column in changed and column not in _KEYS]


def _read(transaction: Transaction, column: str, values: Sequence[object]) -> list[Row]:
    return transaction.rows_among(f"{_READ} WHERE {column} IN ({{values}})", values)


def _with_states(ledgers: Ledgers, rows: Sequence[Row]) -> list[Customer]:
    if not rows:
        return []
    keys = [row["id"] for row in rows]
    states = {
        row["customer_pk"]: row
        for row in ledgers.transaction.rows_among(
            "SELECT customer_pk, state, contributions IS NOT NULL AS is_explained FROM customer_states "
            "WHERE customer_pk IN ({values})",
            keys,
        )
    }
    customers = []
    for row in rows:
        stored = states.get(row["id"])
        customer = _customer(ledgers, CustomerRecord.from_row(row), None if stored is None else stored["state"])
        customer.is_explained = stored is not None and bool(stored["is_explained"])
        customers.append(customer)
    return customers


def _customer(ledgers: Ledgers, record: CustomerRecord, text: str | None) -> Customer:
    ledger = ledgers.of(record.id)
    if record.deleted:
        return Customer(record, CustomerState(ledger, deleted=True), record)
    if text is None and record.scored_at is not None:
        # The state was lost; the history is there.
        return Customer(record, CustomerState(ledger), record, is_outdated=True)
    if text is None:
        # A row without a state was made in this transaction: no total counts it yet.
        return Customer(record, CustomerState(ledgers.begin(record.id)), None, is_new=True)
    try:
        state = customer_states.moved_by_score(CustomerState.from_json(text, ledger), record.scored_at)
    except OutdatedStateError:
        return Customer(record, CustomerState(ledger), record, is_outdated=True)
    except UnreadableStateError as error:
        return Customer(record, CustomerState(ledger), record, damage=error)
    ledger.folded_until = state.clock
    return Customer(record, state, record, is_state_stored=True)
