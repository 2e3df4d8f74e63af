"""Which predictions open sockets ask for: columns of `sockets`, and the table `prediction_customers`."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import batched

from churn.adapters.mysql.database import Transaction, placeholders
from churn.adapters.mysql.websocket_connections import REACHABLE, SECONDS_LEFT
from churn.domain.identifiers import stored_forms
from churn.domain.prediction_filter import PredictionFilter

# A longer statement would pin a session of RDS Proxy.
_IDS_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An open socket that asks for predictions; `names_customers`: only for those of customers that it names.

    `seconds_left`: for how long after it was read the socket may be posted to.
    """

    connection_id: str
    seconds_left: float
    min_risk: float
    segment: int | None
    names_customers: bool


def subscribe(transaction: Transaction, connection_id: str, wanted: PredictionFilter) -> None:
    """Let a registered socket be told of the predictions of a filter, in place of those of another one."""
    _store(transaction, connection_id, wanted, is_wanted=True)


def unsubscribe(transaction: Transaction, connection_id: str) -> None:
    """Let a socket be told of no predictions any more."""
    _store(transaction, connection_id, PredictionFilter(), is_wanted=False)


def subscribers(transaction: Transaction) -> list[Subscriber]:
    """Return the sockets that ask for predictions and can be posted to."""
    rows = transaction.rows(
        f"SELECT connection_id, min_risk, segment_id, names_customers, {SECONDS_LEFT} "
        f"FROM sockets FORCE INDEX (sockets_by_predictions) WHERE wants_predictions = 1 AND {REACHABLE}"
    )
    return [
        Subscriber(
            row["connection_id"],
            row["seconds_left"],
            row["min_risk"],
            row["segment_id"],
            bool(row["names_customers"]),
        )
        for row in rows
    ]


def named_by(transaction: Transaction, customer_ids: Collection[str]) -> dict[str, set[str]]:
    """Return which of some customers each socket names."""
    named: defaultdict[str, set[str]] = defaultdict(set)
    query = "SELECT connection_id, customer_id FROM prediction_customers WHERE customer_id IN"
    for part in batched(customer_ids, _IDS_PER_STATEMENT, strict=False):
        for row in transaction.rows(f"{query} ({placeholders(part)})", part):
            named[row["connection_id"]].add(row["customer_id"])
    return dict(named)


def erase(transaction: Transaction, customer_id: str) -> None:
    """Forget that sockets have named a customer."""
    forms = stored_forms(customer_id)
    transaction.execute(f"DELETE FROM prediction_customers WHERE customer_id IN ({placeholders(forms)})", forms)


def _store(transaction: Transaction, connection_id: str, wanted: PredictionFilter, *, is_wanted: bool) -> None:
    names: Sequence[str] = wanted.customer_ids or ()
    transaction.execute(
        "UPDATE sockets SET wants_predictions = %s, names_customers = %s, min_risk = %s, segment_id = %s "
        "WHERE connection_id = %s",
        (is_wanted, wanted.customer_ids is not None, wanted.min_risk, wanted.segment, connection_id),
    )
    transaction.execute("DELETE FROM prediction_customers WHERE connection_id = %s", (connection_id,))
    forms = dict.fromkeys(form for name in names for form in stored_forms(name))
    if forms:
        transaction.insert_many(
            "INSERT INTO prediction_customers (customer_id, connection_id)", [(form, connection_id) for form in forms]
        )
