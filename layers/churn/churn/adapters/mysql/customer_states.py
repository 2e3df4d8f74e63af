"""Table `customer_states`: the folded state of each customer, and the reasons of a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from churn.adapters.mysql import events, orders
from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.customer import CustomerState, OutdatedStateError, replay
from churn.domain.errors import DATA_ERRORS
from churn.domain.json_text import write_compact
from churn.domain.model import Prediction
from churn.domain.orders import MemoryLedger, Order
from churn.domain.timestamps import to_millis
from churn.observability import note_unreadable

if TYPE_CHECKING:
    from churn.adapters.mysql.customers import Customer
    from churn.domain.customer_record import CustomerRecord

_PAGE = 1000


def save(transaction: Transaction, customers: Sequence[Customer], predictions: Mapping[int, Prediction]) -> None:
    """Write states that have changed, and the reasons of each prediction by the customer's key.

    With the reasons goes the instant that they explain. Those of the others stay, but for those who are deleted.
    """
    changed = [customer for customer in customers if not customer.is_state_stored]
    kept = [customer for customer in customers if customer.is_state_stored and customer.pk in predictions]
    explained = [customer for customer in changed if customer.pk in predictions or customer.state.deleted]
    transaction.insert_many(
        "INSERT INTO customer_states (customer_pk, state, contributions)",
        [(one.pk, one.state.to_json(), _reasons(predictions.get(one.pk), one.record)) for one in explained],
        "ON DUPLICATE KEY UPDATE state = VALUES(state), contributions = VALUES(contributions)",
    )
    transaction.insert_many(
        "INSERT INTO customer_states (customer_pk, state)",
        [
            (customer.pk, customer.state.to_json())
            for customer in changed
            if not (customer.pk in predictions or customer.state.deleted)
        ],
        "ON DUPLICATE KEY UPDATE state = VALUES(state)",
    )
    transaction.insert_many(
        # The rows are there: many of them are updated by one statement.
        "INSERT INTO customer_states (customer_pk, state, contributions)",
        [(one.pk, "", _reasons(predictions[one.pk], one.record)) for one in kept],
        "ON DUPLICATE KEY UPDATE contributions = VALUES(contributions)",
    )


def save_state(transaction: Transaction, customer: Customer) -> None:
    """Write the state alone back."""
    transaction.execute(
        "UPDATE customer_states SET state = %s WHERE customer_pk = %s", (customer.state.to_json(), customer.pk)
    )


def states_by_key(database: Database, keys: Iterable[int], now: datetime) -> Iterator[tuple[int, CustomerState]]:
    """Yield the states of customers at `now`, with all their orders; memory holds one page at a time.

    Those that cannot be read are noted and left out.
    """
    for page in batched(sorted(keys), _PAGE, strict=False):
        yield from database.run(partial(_states_of, keys=page, now=now))


def moved_by_score(state: CustomerState, scored_at: datetime | None) -> CustomerState:
    """Return a stored state with its clock moved to the score's: of that alone, no state is written again."""
    if state.clock is not None and scored_at is not None:
        state.clock = max(state.clock, to_millis(scored_at))
    return state


def state_at(
    transaction: Transaction, row: Row, now: datetime, placed: Mapping[str, Order] | None = None
) -> CustomerState:
    """Return a customer's state for reading: as it is at `now`, though not stored so yet.

    `row` has `id`, `state`, `scored_at` and `due_at`. A state that another version of the fold made is made again, and
    events whose time has come are folded. Nothing is stored. The ledger holds the orders `placed`, those that are
    needed without them. Raises UnreadableStateError, and what else is in DATA_ERRORS.
    """
    pk, text, clock = row["id"], row["state"], to_millis(now)
    is_due = row["due_at"] is not None and row["due_at"] <= now
    if placed is None:
        placed = orders.of_customers(transaction, [pk]).get(pk, {}) if is_due else {}
    ledger = MemoryLedger({**placed})
    if text is None:
        return CustomerState(ledger)
    try:
        state = moved_by_score(CustomerState.from_json(text, ledger), row["scored_at"])
    except OutdatedStateError:
        return replay(events.of_one(transaction, pk, "", until=clock), clock)
    if is_due:
        state.advance(events.of_one(transaction, pk, "", after=state.clock, until=clock), clock)
    return state


def _states_of(transaction: Transaction, keys: Sequence[int], now: datetime) -> list[tuple[int, CustomerState]]:
    query = (
        "SELECT c.id, c.due_at, c.scored_at, s.state FROM customers c JOIN customer_states s ON s.customer_pk = c.id "
        "WHERE c.id IN ({values}) ORDER BY c.id"
    )
    rows = transaction.rows_among(query, keys)
    placed = orders.of_customers(transaction, keys)
    states = []
    for row in rows:
        try:
            states.append((row["id"], state_at(transaction, row, now, placed.get(row["id"], {}))))
        except DATA_ERRORS as error:
            note_unreadable(row["id"], error)
    return states


def _reasons(prediction: Prediction | None, record: CustomerRecord) -> str | None:
    if prediction is None:
        return None
    contributions = {name: round(value, 6) for name, value in prediction.contributions.items()}
    as_of = None if record.scored_at is None else to_millis(record.scored_at)
    reasons = {"base": prediction.base, "contributions": contributions, "interval": prediction.interval, "as_of": as_of}
    return write_compact(reasons)
