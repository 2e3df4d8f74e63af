"""All that tables hold of one customer, for handing it over: row by row, table after table."""

from typing import NamedTuple

from churn.adapters.mysql.database import Row, Transaction


class Part(NamedTuple):
    """A table, its column for the customer, and the column by which a customer's rows are told apart."""

    table: str
    owner: str
    key: str


PARTS = (
    Part("customers", "id", "id"),
    Part("customer_states", "customer_pk", "customer_pk"),
    Part("customer_words", "customer_pk", "word"),
    Part("orders", "customer_pk", "order_id"),
    Part("events", "customer_pk", "event_id"),
    Part("predictions", "customer_pk", "id"),
    Part("shadow_predictions", "customer_pk", "id"),
    Part("alerts", "customer_pk", "id"),
    Part("alert_actions", "customer_pk", "change_number"),
    Part("customer_notes", "customer_pk", "id"),
)
"""Every table with rows of customers, in the order in which they are handed over."""


class Place(NamedTuple):
    """Where a reader is: a table of PARTS, and the key of the last row that was read of it."""

    part: int = 0
    after: str | int | None = None


def read(
    transaction: Transaction, customer_pk: int, place: Place, limit: int
) -> tuple[list[tuple[str, Row]], Place | None]:
    """Return up to so many rows after a place, each with its table, and where they end; None at the end of all."""
    found: list[tuple[str, Row]] = []
    part, after = place
    while part < len(PARTS):
        table, owner, key = PARTS[part]
        condition, values = ("", ()) if after is None else (f" AND {key} > %s", (after,))
        wanted = limit - len(found)
        rows = transaction.rows(
            f"SELECT * FROM {table} WHERE {owner} = %s{condition} ORDER BY {key} LIMIT %s",
            (customer_pk, *values, wanted),
        )
        found += [(table, row) for row in rows]
        if len(rows) == wanted:
            return found, Place(part, rows[-1][key])
        part, after = part + 1, None
    return found, None
