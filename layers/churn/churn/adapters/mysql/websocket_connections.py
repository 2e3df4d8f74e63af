"""Table `sockets`: the owner, cursors and lease of every open WebSocket.

A socket's place is the id of the newest alert that it was told of, and the numbers of the newest change of an alert and
of the newest action on one. Subscribed sockets are told of new alerts and of raises, those that follow changes of every
change instead; all are told what people do with alerts. A registration ends with the token that opened the socket.
Leases and expiry follow the database server's clock, so that no two environments disagree about them.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from churn.adapters.mysql import alert_pages, alerts, used_tickets
from churn.adapters.mysql.alert_counters import Newest, newest_of_all
from churn.adapters.mysql.database import Transaction, placeholders
from churn.domain.errors import ConflictError

LEASE_SECONDS = 10
CLAIM_LIMIT = 500
# API Gateway ends a connection after two hours.
_LIFETIME_MINUTES = 130
_EXPIRY = f"LEAST(UTC_TIMESTAMP(3) + INTERVAL {_LIFETIME_MINUTES} MINUTE, CAST(%s AS DATETIME(3)))"
_FREE = "(leased_until IS NULL OR leased_until < UTC_TIMESTAMP(3))"

REACHABLE = f"(greeted = 1 OR subscribed = 1) AND expires_at > UTC_TIMESTAMP(3) AND (lease IS NOT NULL OR {_FREE})"
"""The condition of open sockets that were greeted, and to which posting is not paused."""
SECONDS_LEFT = "TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), expires_at) / 1e6 AS seconds_left"
"""The column that tells for how many seconds a socket may be posted to."""


class TooManySocketsError(ConflictError):
    """The client has as many open sockets as it may have."""


class SocketEndedError(ConflictError):
    """The time of the socket is over, as its client may do nothing any more."""


class Cursors(NamedTuple):
    """The id of an alert, and the numbers of a change and of an action: up to there a socket has been told."""

    alert: int
    change: int
    action: int


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket whose lease the reader holds; `min_priority` is an index in `churn.domain.alerts.ALERT_PRIORITIES`.

    `seconds_left`: for how long after it was read the socket may be posted to.
    """

    connection_id: str
    alert_cursor: int
    change_cursor: int
    action_cursor: int
    subscribed: bool
    follows_changes: bool
    min_priority: int
    lease: str
    seconds_left: float

    @property
    def cursors(self) -> Cursors:
        """Where the socket is."""
        return Cursors(self.alert_cursor, self.change_cursor, self.action_cursor)


@dataclass(frozen=True, slots=True)
class Since:
    """Where a subscription begins: after an alert (its id, or a time), or after a change of an alert."""

    alert: int | datetime | None = None
    change: int | None = None


def register(
    transaction: Transaction,
    connection_id: str,
    subject: str,
    role: str,
    *,
    until: datetime,
    limit: int,
    ticket_id: str | None,
) -> None:
    """Register a socket that is being opened and ends at `until`, and use its ticket.

    Raises TicketUsedError, TooManySocketsError.
    """
    # This row, which counts every socket ever opened, is a lock: no other can register until the commit.
    transaction.execute(
        "INSERT INTO counters (name, value) VALUES ('sockets', 1) ON DUPLICATE KEY UPDATE value = value + 1"
    )
    if transaction.row("SELECT 1 AS found FROM sockets WHERE connection_id = %s", (connection_id,)):
        # A commit whose answer was lost: this socket itself has used the ticket.
        return
    if ticket_id is not None:
        used_tickets.use(transaction, ticket_id)
    opened = transaction.row(
        "SELECT COUNT(*) AS number FROM sockets WHERE subject = %s AND expires_at > UTC_TIMESTAMP(3)", (subject,)
    )
    if opened is not None and opened["number"] >= limit:
        raise TooManySocketsError
    _insert(transaction, connection_id, subject, role, until, is_greeted=False)


def touch(transaction: Transaction, connection_id: str, subject: str, role: str, until: datetime) -> bool:
    """Extend a socket's registration, at most to `until`, and end a pause in posting to it.

    Return False if it had to register again. Raises SocketEndedError.
    """
    extended = transaction.execute(
        f"UPDATE sockets SET expires_at = {_EXPIRY}, "
        "leased_until = IF(lease IS NULL, NULL, leased_until) "
        "WHERE connection_id = %s AND expires_at > UTC_TIMESTAMP(3)",
        (until, connection_id),
    )
    row = transaction.row(
        "SELECT expires_at > UTC_TIMESTAMP(3) AS is_open FROM sockets WHERE connection_id = %s", (connection_id,)
    )
    if extended or (row is not None and row["is_open"]):
        return True
    if row is not None:
        raise SocketEndedError
    # It has been open for a while.
    _insert(transaction, connection_id, subject, role, until, is_greeted=True)
    return False


def expired(transaction: Transaction, limit: int) -> list[str]:
    """Return the connections of sockets whose time is over, those first that ended first."""
    rows = transaction.rows(
        "SELECT connection_id FROM sockets WHERE expires_at <= UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT %s", (limit,)
    )
    return [row["connection_id"] for row in rows]


def end(transaction: Transaction, subject: str) -> None:
    """Let nothing more be posted to the sockets of a client, and let them be closed."""
    transaction.execute(
        "UPDATE sockets SET expires_at = UTC_TIMESTAMP(3) WHERE subject = %s AND expires_at > UTC_TIMESTAMP(3)",
        (subject,),
    )


def forget(transaction: Transaction, connection_ids: Sequence[str]) -> None:
    """Remove sockets that are gone."""
    transaction.execute(f"DELETE FROM sockets WHERE connection_id IN ({placeholders(connection_ids)})", connection_ids)


def greet(transaction: Transaction, connection_id: str, post: Callable[[], None]) -> None:
    """Call `post`, which posts `connected`, unless it was posted to the socket; others who want to wait meanwhile.

    Raises what `post` raises, and then it has not been posted.
    """
    ungreeted = (
        "SELECT 1 AS found FROM sockets WHERE connection_id = %s AND greeted = 0 AND expires_at > UTC_TIMESTAMP(3)"
    )
    # The lock is for the first message alone.
    if transaction.row(ungreeted, (connection_id,)) and transaction.row(f"{ungreeted} FOR UPDATE", (connection_id,)):
        post()
        transaction.execute("UPDATE sockets SET greeted = 1 WHERE connection_id = %s", (connection_id,))


def reachable(transaction: Transaction) -> dict[str, float]:
    """Return the open sockets that were greeted and to which posting is not paused: the seconds left of each."""
    rows = transaction.rows(
        f"SELECT connection_id, {SECONDS_LEFT} FROM sockets WHERE {REACHABLE} ORDER BY connection_id"
    )
    return {row["connection_id"]: row["seconds_left"] for row in rows}


def is_behind(transaction: Transaction) -> bool:
    """Return whether there is an open socket that is to be told something."""
    waiting, limits = _waiting(newest_of_all(transaction))
    return transaction.row(f"SELECT 1 AS found FROM sockets WHERE {waiting} LIMIT 1", limits) is not None


def subscribe(transaction: Transaction, connection_id: str, min_priority: int, since: Since) -> Socket | None:
    """Subscribe a socket to alerts and take its lease; return None if another holds it or there is no such socket.

    With `since` the cursors move to before the first alert, or change, that was missed. Without it, a new subscription
    begins at the newest, and an existing one goes on as it was. Raises AlertsPrunedError.
    """
    alerts.require_kept(transaction, since.alert)
    newest = newest_of_all(transaction)
    row = transaction.row(
        f"SELECT subscribed, alert_cursor, change_cursor, action_cursor, follows_changes, {SECONDS_LEFT} FROM sockets "
        "WHERE connection_id = %s AND (lease IS NULL OR leased_until < UTC_TIMESTAMP(3)) FOR UPDATE",
        (connection_id,),
    )
    if row is None:
        return None
    alert, change, follows = newest.alert, newest.change, False
    if since.change is not None:
        change, follows = min(since.change, newest.change), True
    elif since.alert is not None:
        at = since.alert
        alert = min(at, alert) if isinstance(at, int) else alert_pages.cursor_at(transaction, at, alert)
    elif row["subscribed"]:
        alert, change = int(row["alert_cursor"]), int(row["change_cursor"])
        follows = bool(row["follows_changes"])
    lease = secrets.token_hex(16)
    transaction.execute(
        "UPDATE sockets SET subscribed = 1, min_priority = %s, alert_cursor = %s, change_cursor = %s, "
        f"follows_changes = %s, lease = %s, leased_until = UTC_TIMESTAMP(3) + INTERVAL {LEASE_SECONDS} SECOND "
        "WHERE connection_id = %s",
        (min_priority, alert, change, follows, lease, connection_id),
    )
    place = (alert, change, int(row["action_cursor"]))
    return Socket(connection_id, *place, True, follows, min_priority, lease, row["seconds_left"])


def claim(transaction: Transaction) -> tuple[Newest, list[Socket]]:
    """Take the leases of sockets that have something pending and no leaseholder.

    Returns what is newest of the alerts, and the sockets.
    """
    newest = newest_of_all(transaction)
    lease = secrets.token_hex(16)
    waiting, limits = _waiting(newest)
    candidates = transaction.rows(f"SELECT connection_id FROM sockets WHERE {waiting} LIMIT {CLAIM_LIMIT}", limits)
    if not candidates:
        return newest, []
    # Locked by primary key and in its order, as everywhere, so that concurrent callers wait instead of deadlocking.
    connections = sorted(row["connection_id"] for row in candidates)
    among = f"connection_id IN ({placeholders(connections)})"
    transaction.execute(
        f"UPDATE sockets SET lease = %s, leased_until = UTC_TIMESTAMP(3) + INTERVAL {LEASE_SECONDS} SECOND "
        f"WHERE {among} AND {waiting}",
        (lease, *connections, *limits),
    )
    rows = transaction.rows(
        "SELECT connection_id, alert_cursor, change_cursor, action_cursor, subscribed = 1 AS subscribed, "
        f"follows_changes = 1 AS follows_changes, min_priority, lease, {SECONDS_LEFT} FROM sockets "
        f"WHERE {among} AND lease = %s",
        (*connections, lease),
    )
    return newest, [Socket(**row) for row in rows]


def release(
    transaction: Transaction, lease: str, cursors: Cursors, connection_ids: Iterable[str], pause: float = 0
) -> None:
    """Move the cursors of leased sockets and return the leases; nobody posts for `pause` seconds."""
    connections = sorted(connection_ids)
    transaction.execute(
        "UPDATE sockets SET alert_cursor = %s, change_cursor = %s, action_cursor = %s, lease = NULL, "
        "leased_until = IF(%s > 0, UTC_TIMESTAMP(3) + INTERVAL %s MICROSECOND, NULL) "
        f"WHERE lease = %s AND connection_id IN ({placeholders(connections)})",
        (*cursors, pause, round(pause * 1e6), lease, *connections),
    )


def pause(transaction: Transaction, connection_id: str, seconds: float) -> None:
    """Suspend posting to a socket for a while, unless it is leased now."""
    transaction.execute(
        "UPDATE sockets SET leased_until = UTC_TIMESTAMP(3) + INTERVAL %s MICROSECOND "
        "WHERE connection_id = %s AND lease IS NULL",
        (round(seconds * 1e6), connection_id),
    )


def _insert(
    transaction: Transaction, connection_id: str, subject: str, role: str, until: datetime, *, is_greeted: bool
) -> None:
    newest = newest_of_all(transaction)
    transaction.execute(
        "INSERT INTO sockets (connection_id, subject, role, alert_cursor, change_cursor, action_cursor, greeted, "
        f"connected_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3), {_EXPIRY})",
        (connection_id, subject, role, newest.alert, newest.change, newest.an_action, is_greeted, until),
    )


def _waiting(newest: Newest) -> tuple[str, tuple[int, ...]]:
    """Return the condition of sockets that are behind what is newest and have no leaseholder, and its values."""
    condition = (
        "((greeted = 1 OR subscribed = 1) AND action_cursor < %s "
        "OR subscribed = 1 AND follows_changes = 0 AND (alert_cursor < %s OR change_cursor < %s) "
        f"OR subscribed = 1 AND follows_changes = 1 AND change_cursor < %s) AND {_FREE} "
        "AND expires_at > UTC_TIMESTAMP(3)"
    )
    return condition, (newest.an_action, newest.alert, newest.a_raise, newest.change)
