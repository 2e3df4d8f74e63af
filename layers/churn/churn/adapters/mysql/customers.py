"""The rows of customers: locked, read and written by the many."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.alerts import RiskMemory
from churn.domain.customer import CustomerState
from churn.domain.model import Prediction
from churn.domain.risk import ACTIVE_STATUSES

_COLUMNS = (
    "id",
    "customer_id",
    "deleted",
    "is_active",
    "name",
    "email",
    "phone",
    "address",
    "first_seen_at",
    "last_order_at",
    "total_orders",
    "total_spent",
    "status",
    "churn_probability",
    "risk_level",
    "confidence",
    "model_version",
    "expected_spend",
    "scored_at",
    "remembered_level",
    "alerted_level",
    "alerted_at",
    "created_at",
    "updated_at",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM customers"


@dataclass(slots=True)
class Customer:
    """A customer's row, under a lock until the transaction ends, and the folded state that goes with it."""

    row: Row
    state: CustomerState
    counted: Counter[str]

    @property
    def pk(self) -> int:
        """The key of the row."""
        return int(self.row["id"])

    @property
    def name(self) -> str:
        """What the shop's people call the customer."""
        return str(self.row["name"] or self.row["customer_id"])

    @property
    def memory(self) -> RiskMemory:
        """What is remembered of the customer's risk."""
        return RiskMemory(self.row["remembered_level"], self.row["alerted_level"], self.row["alerted_at"])


def lock(transaction: Transaction, customer_ids: Collection[str], now: datetime) -> dict[str, Customer]:
    """Locks the customers, making those that do not exist, in one order for all writers; by customer id."""
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
    return {customer.row["customer_id"]: customer for customer in _with_states(transaction, rows)}


def lock_due(
    transaction: Transaction, after: int, limit: int, *, scored_before: datetime, model_version: str
) -> tuple[list[Customer], int | None]:
    """Locks those of the next `limit` customers by key whose score is older than `scored_before` or another model's.

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
    """Writes the rows and states back, with the reasons of each prediction by the customer's key."""
    transaction.insert_many(
        f"INSERT INTO customers ({', '.join(_COLUMNS)})",
        [[customer.row[column] for column in _COLUMNS] for customer in customers],
        "ON DUPLICATE KEY UPDATE "
        + ", ".join(f"{column} = VALUES({column})" for column in _COLUMNS if column not in {"id", "customer_id"}),
        size=500,
    )
    transaction.insert_many(
        "INSERT INTO customer_states (customer_pk, state, contributions)",
        [(customer.pk, customer.state.to_json(), _reasons(predictions.get(customer.pk))) for customer in customers],
        "ON DUPLICATE KEY UPDATE state = VALUES(state), contributions = VALUES(contributions)",
        size=500,
    )


def index_words(transaction: Transaction, words: Mapping[int, Iterable[str]]) -> None:
    """Makes the customers, by their keys, found by these words and no others."""
    if words:
        keys = sorted(words)
        transaction.execute(f"DELETE FROM customer_words WHERE customer_pk IN ({', '.join(['%s'] * len(keys))})", keys)
        transaction.insert_many(
            "INSERT INTO customer_words (word, customer_pk)",
            [(word, key) for key in keys for word in sorted(words[key])],
        )


def erase(transaction: Transaction, customer_pk: int) -> Counter[str]:
    """Removes a customer's history, predictions, alerts and words; returns how the totals change by it."""
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


def share_of_totals(row: Mapping[str, object]) -> Counter[str]:
    """What a customer's row adds to the sums of `churn.adapters.mysql.totals`."""
    if row["deleted"]:
        return Counter()
    share: Counter[str] = Counter({f"customers:{row['status']}:{row['risk_level'] or 'none'}": 1})
    probability = row["churn_probability"]
    if row["status"] in ACTIVE_STATUSES and isinstance(probability, float):
        share["probability"] = round(probability * 1_000_000)
        share["revenue_at_risk"] = round(probability * float(str(row["expected_spend"])) * 100)
    return share


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
    return [
        Customer(row, CustomerState.from_json(states[row["id"]]), share_of_totals(row))
        if row["id"] in states
        # A row without a state was made in this transaction: no total counts it yet.
        else Customer(row, CustomerState(), Counter())
        for row in rows
    ]


def _reasons(prediction: Prediction | None) -> str | None:
    if prediction is None:
        return None
    contributions = {name: round(value, 6) for name, value in prediction.contributions.items()}
    reasons = {"base": prediction.base, "contributions": contributions, "interval": prediction.interval}
    return json.dumps(reasons, separators=(",", ":"))
