"""Table `alerts`: which of them are to be counted and judged, and what became of their customers.

Ids rise in the order of the commits, so three cursors tell how far counting and judging have come.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from churn.adapters.mysql import alert_counters
from churn.adapters.mysql.alert_counters import AlertCursor
from churn.adapters.mysql.alerts import store
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.outcomes import CountedAlert, Handling, Outcome, handling_of


def following(transaction: Transaction, cursor: AlertCursor, limit: int) -> list[Row]:
    """Return the alerts after a cursor, in order: `id`, `customer_pk` and `created_at`."""
    after = alert_counters.read_cursor(transaction, cursor)
    return transaction.rows(
        "SELECT id, customer_pk, created_at FROM alerts WHERE id > %s ORDER BY id LIMIT %s", (after, limit)
    )


def put(transaction: Transaction, cursor: AlertCursor, last: int, outcomes: Mapping[int, Outcome]) -> int:
    """Store the outcomes of alerts by id, `pending` for those that are only counted; move the cursor to `last`.

    What people made of an alert stays as it was when the outcome became known first. Returns how many rows changed.
    """
    rows = transaction.rows_among(
        "SELECT id, status, priority, alert_type, counted_on, created_at, handling, outcome FROM alerts "
        # In the order in which those who raise alerts lock them.
        "WHERE id IN ({values}) ORDER BY customer_pk, alert_type, id FOR UPDATE",
        sorted(outcomes),
    )
    change: Counter[str] = Counter()
    groups: defaultdict[tuple[Outcome, Handling], list[int]] = defaultdict(list)
    for row in rows:
        before = CountedAlert.from_row(row)
        outcome = before.outcome if outcomes[row["id"]] == "pending" else outcomes[row["id"]]
        handling = before.handling
        if handling is None or before.outcome == "pending":
            handling = handling_of(before.status)
        after = replace(before, outcome=outcome, handling=handling)
        if after != before:
            groups[outcome, handling].append(row["id"])
            change.update(after.share())
            change.subtract(before.share())
    _update(transaction, groups)
    store(transaction, (), (), change)
    alert_counters.move_cursor(transaction, cursor, last)
    return sum(map(len, groups.values()))


def _update(transaction: Transaction, groups: Mapping[tuple[Outcome, Handling], Sequence[int]]) -> None:
    for (outcome, handling), ids in groups.items():
        # Both are words of this program: neither comes from outside.
        transaction.execute_among(
            f"UPDATE alerts SET outcome = '{outcome}', handling = '{handling}' WHERE id IN ({{values}})", ids
        )
