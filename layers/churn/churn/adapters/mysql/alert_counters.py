"""The counters of the alerts, five rows of the table `counters`.

`alerts` is the id of the newest alert; `alert_changes`, `alert_raises` and `alert_actions` are the numbers of the
newest change of an alert, of the newest raise and of the newest action; `alert_clock` is the time that was given last
(microseconds since 1970). They, and the totals of alerts, are written under the lock of the row `alerts`, which is
taken last in a transaction: ids, changes and times rise in the order of the commits, and a reader that asks for what
lies above the last one it saw misses none. Three more rows are the cursors of the nightly evaluation.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

from churn.adapters.mysql.database import Transaction, placeholders

AlertCursor = Literal["alerts_counted", "alerts_judged", "alerts_settled"]
"""Up to which alert the nightly evaluation has counted by week, given a first outcome, and the last."""

_NAMES = ("alerts", "alert_changes", "alert_raises", "alert_actions")


@dataclass(frozen=True, slots=True)
class Newest:
    """The id of the newest alert, and the numbers of the newest change, raise and action; 0 before the first."""

    alert: int = 0
    change: int = 0
    a_raise: int = 0
    an_action: int = 0


def newest_of_all(transaction: Transaction) -> Newest:
    """Return the ids and numbers of what was committed last, all as of one instant."""
    rows = transaction.rows(f"SELECT name, value FROM counters WHERE name IN ({placeholders(_NAMES)})", _NAMES)
    values = {row["name"]: int(row["value"]) for row in rows}
    return Newest(*(values.get(name, 0) for name in _NAMES))


def lock(transaction: Transaction) -> tuple[Newest, int]:
    """Lock the counters until the transaction ends; return them, and the time that was given last."""
    transaction.row("SELECT value FROM counters WHERE name = 'alerts' FOR UPDATE")
    clock = transaction.row("SELECT value FROM counters WHERE name = 'alert_clock'")
    return newest_of_all(transaction), int(clock["value"]) if clock else 0


def store(transaction: Transaction, newest: Newest, times: Sequence[int] = ()) -> None:
    """Write the counters, which are locked, and the last of the times that were given."""
    values = dict(zip(_NAMES, astuple(newest), strict=True))
    if times:
        values["alert_clock"] = times[-1]
    transaction.insert_many(
        "INSERT INTO counters (name, value)", list(values.items()), "ON DUPLICATE KEY UPDATE value = VALUES(value)"
    )


def next_times(transaction: Transaction, last: int, count: int) -> list[int]:
    """Return times (microseconds since 1970) by the database's clock, each later than the one that was given before."""
    if not count:
        return []
    # Read under the lock: by the time of a statement that waits for it, others may have been given later ones.
    now = transaction.row("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS micros")
    first = max(int(now["micros"]) if now else 0, last + 1)
    return list(range(first, first + count))


def read_cursor(transaction: Transaction, cursor: AlertCursor) -> int:
    """Return the id of the alert that a cursor stands at."""
    row = transaction.row("SELECT value FROM counters WHERE name = %s", (cursor,))
    return int(row["value"]) if row else 0


def move_cursor(transaction: Transaction, cursor: AlertCursor, last: int) -> None:
    """Move a cursor on to an alert; it never goes back."""
    transaction.insert_many(
        "INSERT INTO counters (name, value)",
        [(cursor, last)],
        "ON DUPLICATE KEY UPDATE value = GREATEST(value, VALUES(value))",
    )
