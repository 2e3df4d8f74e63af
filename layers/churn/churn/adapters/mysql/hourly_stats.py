"""Table `hourly_stats`: the dashboard's figures hour by hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from churn.adapters.mysql import customers, orders, totals
from churn.adapters.mysql.database import Row, Transaction, placeholders
from churn.domain.dashboard import RATE_DAYS
from churn.domain.risk import ACTIVE_STATUSES, HIGH_RISK_LEVELS
from churn.domain.timestamps import from_millis, to_millis

_RECENTLY, _LONG_AGO = "hours_changed_recently", "hours_changed_long_ago"
"""The rows of the table `counters` that hold since when hours that are over have changed (milliseconds since 1970)."""

RECENT = timedelta(hours=24)
"""Up to so long ago a change is recent."""

Figures = tuple[datetime, int, int, int, int]
"""An hour, the customers active at its end, those new in it and those who lapsed in it, and those who had left.

The last are who had lapsed within the 30 days before the end of the hour and had not come back by then.
"""

_FIGURES = ("active_customers", "new_customers", "churned_customers", "left_customers", "measured_at")
_INSERT = f"INSERT INTO hourly_stats (hour, {', '.join(_FIGURES)}, high_risk_customers)"
# How many are at high risk is known in the hour itself alone.
_UPDATE = (
    "ON DUPLICATE KEY UPDATE "
    + ", ".join(f"{column} = VALUES({column})" for column in _FIGURES)
    + ", high_risk_customers = COALESCE(VALUES(high_risk_customers), high_risk_customers)"
)


def first_open(transaction: Transaction, since: datetime, now: datetime) -> datetime | None:
    """Return the first hour from `since` to `now` that has not been measured since its end, None without any hour.

    After the newest stored hour that is the next one. What a wrong clock ahead of `now` has measured does not count;
    its hours that have not come are deleted. Where an older version has measured, it is all of them, from `since` on.
    """
    transaction.execute("DELETE FROM hourly_stats WHERE hour > %s", (now,))
    is_open = "measured_at IS NULL OR measured_at < hour + INTERVAL 1 HOUR OR measured_at > %s"
    row = transaction.row(
        f"SELECT MAX(hour) AS newest, MIN(IF({is_open}, hour, NULL)) AS open, SUM(measured_at IS NULL) AS older "
        "FROM hourly_stats WHERE hour >= %s",
        (now, since),
    )
    if row is None or row["newest"] is None:
        return None
    if row["older"]:
        return since
    first: datetime = row["open"] or row["newest"] + timedelta(hours=1)
    return first


def note_change(transaction: Transaction, since: datetime | None, now: datetime) -> None:
    """Note that orders or customers of an hour that is over have changed: it is measured again, and those after it."""
    if since is None:
        return
    name, millis = _RECENTLY if now - since <= RECENT else _LONG_AGO, to_millis(since)
    row = transaction.row("SELECT value FROM counters WHERE name = %s", (name,))
    if row is None or row["value"] > millis:
        transaction.execute(
            "INSERT INTO counters (name, value) VALUES (%s, %s) "
            "ON DUPLICATE KEY UPDATE value = LEAST(value, VALUES(value))",
            (name, millis),
        )


def take_change(transaction: Transaction, *, long_ago: bool) -> datetime | None:
    """Return since when hours that are over have changed, None if they have not, and forget it.

    Call it before they are measured again: what comes meanwhile is noted again. `long_ago`: older changes too.
    """
    names = [_RECENTLY, _LONG_AGO] if long_ago else [_RECENTLY]
    row = transaction.row(f"SELECT MIN(value) AS value FROM counters WHERE name IN ({placeholders(names)})", names)
    transaction.execute(f"DELETE FROM counters WHERE name IN ({placeholders(names)})", names)
    return None if row is None or row["value"] is None else from_millis(int(row["value"]))


def between(transaction: Transaction, first: datetime, last: datetime) -> list[Row]:
    """Return the hours between two instants, the oldest first."""
    return transaction.rows("SELECT * FROM hourly_stats WHERE hour >= %s AND hour <= %s ORDER BY hour", (first, last))


def active_at(transaction: Transaction, instant: datetime) -> int | None:
    """Return how many customers were active at the end of the hour of an instant; None where it is not known."""
    row = transaction.row(
        "SELECT active_customers FROM hourly_stats WHERE hour > %s AND hour <= %s ORDER BY hour DESC LIMIT 1",
        (instant - timedelta(hours=1), instant),
    )
    return None if row is None else int(row["active_customers"])


def measure(transaction: Transaction, hour: datetime, at: datetime, now: datetime, inactivity_days: int) -> None:
    """Store the figures of one hour as of its instant `at`, from what is stored of orders.

    How many are at high risk is stored for the hour of `now` alone.
    """
    lapse, is_over = timedelta(days=inactivity_days), now >= hour + timedelta(hours=1)
    high = None if is_over else _at_high_risk(transaction)
    active = active_customers(transaction, at, lapse, is_over=is_over)
    figures = (
        active,
        customers.count(transaction, "first_seen_at >= %s AND first_seen_at <= %s", hour, at),
        orders.lapsed_customers(transaction, hour, at, lapse),
        active_customers(transaction, at, lapse + timedelta(days=RATE_DAYS), is_over=is_over) - active,
    )
    transaction.insert_many(_INSERT, [(hour, *figures, now, high)], _UPDATE)


def active_customers(transaction: Transaction, at: datetime, lapse: timedelta, *, is_over: bool) -> int:
    """Return how many customers had at an instant an order that stood, no older than `lapse`.

    Rows of customers tell it of all whose newest order that counts today is not newer than the instant. Of an instant
    that `is_over`, orders are looked at for the others: of who has ordered since, and of who has cancelled since.
    """
    active = customers.ordered_last_between(transaction, at - lapse, at)
    if is_over:
        then = orders.active_at("customers.id", at, lapse)
        active += customers.count(transaction, " AND ".join(["last_order_at > %s", *then.texts]), at, *then.values)
        active += orders.active_but_for_cancellations(transaction, at, lapse)
    return active


def put(transaction: Transaction, rows: Sequence[Figures], now: datetime) -> None:
    """Store hours; a number at high risk that is stored already stays."""
    transaction.insert_many(_INSERT, [(*row, now, None) for row in rows], _UPDATE)


def add(transaction: Transaction, rows: Sequence[Figures], now: datetime) -> None:
    """Add to the figures of hours; an hour that is not stored begins with them."""
    figures = _FIGURES[:-1]
    transaction.insert_many(
        f"INSERT INTO hourly_stats (hour, {', '.join(_FIGURES)})",
        [(*row, now) for row in rows],
        "ON DUPLICATE KEY UPDATE " + ", ".join(f"{column} = {column} + VALUES({column})" for column in figures),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """How many hours of a span are measured, the newest of them, and when the first and the last was measured."""

    number: int
    newest: datetime
    first: datetime
    last: datetime


def measured(transaction: Transaction, first: datetime, last: datetime) -> Measured | None:
    """Return what is measured of the hours from one to another, None without any."""
    row = transaction.row(
        "SELECT COUNT(measured_at) AS number, MAX(hour) AS newest, MIN(measured_at) AS first, MAX(measured_at) AS last "
        "FROM hourly_stats WHERE hour >= %s AND hour <= %s",
        (first, last),
    )
    return Measured(int(row["number"]), row["newest"], row["first"], row["last"]) if row and row["number"] else None


def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Delete the figures of at most `limit` hours that began before an instant; return how many."""
    return transaction.execute("DELETE FROM hourly_stats WHERE hour < %s ORDER BY hour LIMIT %s", (before, limit))


def _at_high_risk(transaction: Transaction) -> int:
    return sum(
        number
        for name, number in totals.read(transaction, "customers:").items()
        if name.split(":")[1] in ACTIVE_STATUSES and name.split(":")[2] in HIGH_RISK_LEVELS
    )
