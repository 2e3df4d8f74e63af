"""The table of customers and their states: rows locked, read and written by the many."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.customer import CustomerState
from churn.domain.customer_record import COLUMNS, CustomerRecord
from churn.domain.model import Prediction

_values = attrgetter(*COLUMNS)
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


def lock(transaction: Transaction, customer_ids: Collection[str], now: datetime) -> dict[str, Customer]:
    """Lock the customers in one order for all writers, creating those that do not exist; return them by customer id."""
    wanted = sorted(customer_ids)
    places = ", ".join(["%s"] * len(wanted))
    known = {
        row["customer_id"]
        for row in transaction.rows(f"SELECT customer_id FROM customers WHERE customer_id IN ({places})", wanted)
    }
    transaction.insert_many(
        "INSERT IGNORE INTO customers (customer_id, created_at, updated_at)",
        [(customer_id, now, now) for customer_id in wanted if customer_id not in known],
    )
    rows = transaction.rows(f"{_SELECT} WHERE customer_id IN ({places}) ORDER BY customer_id FOR UPDATE", wanted)
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
        size=500,
    )
    transaction.insert_many(
        "INSERT INTO customer_states (customer_pk, state, contributions)",
        [(customer.pk, customer.state.to_json(), _reasons(predictions.get(customer.pk))) for customer in customers],
        "ON DUPLICATE KEY UPDATE state = VALUES(state), contributions = VALUES(contributions)",
        size=500,
    )


def index_words(transaction: Transaction, words: Mapping[int, Iterable[str]]) -> None:
    """Replace the search words of customers, by their keys."""
    if words:
        keys = sorted(words)
        transaction.execute(f"DELETE FROM customer_words WHERE customer_pk IN ({', '.join(['%s'] * len(keys))})", keys)
        transaction.insert_many(
            "INSERT INTO customer_words (word, customer_pk)",
            [(word, key) for key in keys for word in sorted(words[key])],
        )


def erase(transaction: Transaction, customer_pk: int) -> Counter[str]:
    """Remove a customer's history, predictions, alerts and words; return how the totals change by it."""
    change: Counter[str] = Counter()
    for row in transaction.rows(
        "SELECT status, priority, DATE_FORMAT(created_at, '%%Y-%%m-%%d') AS day FROM alerts WHERE customer_pk = %s",
        (customer_pk,),
    ):
        change[f"alerts:{row['status']}:{row['priority']}"] -= 1
        change[f"alerts_created:{row['day']}"] -= 1
    for row in transaction.rows("SELECT risk_level FROM predictions WHERE customer_pk = %s", (customer_pk,)):
        change[f"predictions:{row['risk_level']}"] -= 1
    for table in ("events", "predictions", "shadow_predictions", "alerts", "customer_words"):
        transaction.execute(f"DELETE FROM {table} WHERE customer_pk = %s", (customer_pk,))
    return change


def _with_states(transaction: Transaction, rows: Sequence[Row]) -> list[Customer]:
    if not rows:
        return []
    keys = [row["id"] for row in rows]
    states = {
        row["customer_pk"]: row["state"]
        for row in transaction.rows(
            f"SELECT customer_pk, state FROM customer_states WHERE customer_pk IN ({', '.join(['%s'] * len(keys))})",
            keys,
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
