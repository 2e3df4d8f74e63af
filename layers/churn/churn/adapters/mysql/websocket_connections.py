"""Open WebSockets: who they belong to, what they have been posted, and who posts to them now.

Leases and expiry go by the server's clock, so that no two environments disagree about them.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.errors import ConflictError

LEASE_SECONDS = 10
CLAIM_LIMIT = 500
# API Gateway ends a connection after two hours.
_LIFETIME_MINUTES = 130
# Far longer than a ticket lives.
_TICKET_MEMORY_MINUTES = 60
_FREE = "(leased_until IS NULL OR leased_until < UTC_TIMESTAMP(3))"


class TicketUsedError(ConflictError):
    """The ticket has opened a socket before."""


class TooManySocketsError(ConflictError):
    """The client has as many open sockets as it may."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket whose lease the reader holds; `min_priority` is an index in `churn.domain.alerts.ALERT_PRIORITIES`."""

    connection_id: str
    alert_cursor: int
    min_priority: int
    lease: str


def newest_alert(transaction: Transaction) -> int:
    """The id of the alert that was committed last, 0 before the first."""
    row = transaction.row("SELECT value FROM counters WHERE name = 'alerts'")
    return 0 if row is None else int(row["value"])


def alerts_after(transaction: Transaction, cursor: int, limit: int) -> list[Row]:
    """The alerts with ids above the cursor, in order, as `churn.services.presentation.alert_json` takes them."""
    return transaction.rows(
        "SELECT a.*, c.customer_id, c.name AS customer_name FROM alerts a "
        "JOIN customers c ON c.id = a.customer_pk WHERE a.id > %s ORDER BY a.id LIMIT %s",
        (cursor, limit),
    )


def hand_out(transaction: Transaction, reader: str, limit: int, hand: Callable[[list[Row]], None]) -> int:
    """Hands the next alerts to a reader who keeps no cursor itself, and moves its cursor; returns how many they were.

    Another who comes at the same time waits. What `hand` raises leaves the cursor where it was; a commit that is lost
    after it has the same alerts handed out again.
    """
    name = f"alerts:{reader}"
    transaction.execute("INSERT IGNORE INTO counters (name, value) VALUES (%s, 0)", (name,))
    row = transaction.row("SELECT value FROM counters WHERE name = %s FOR UPDATE", (name,))
    alerts = alerts_after(transaction, int(row["value"]) if row else 0, limit)
    if alerts:
        hand(alerts)
        transaction.execute("UPDATE counters SET value = %s WHERE name = %s", (alerts[-1]["id"], name))
    return len(alerts)


def register(
    transaction: Transaction, connection_id: str, subject: str, role: str, *, limit: int, ticket_id: str | None
) -> None:
    """Notes a socket that is being opened, and burns its ticket. Raises TicketUsedError, TooManySocketsError."""
    transaction.execute("DELETE FROM sockets WHERE expires_at < UTC_TIMESTAMP(3) LIMIT 1000")
    transaction.execute("DELETE FROM used_tickets WHERE expires_at < UTC_TIMESTAMP(3) LIMIT 1000")
    # One counter counts every socket ever opened; who holds its row counts the open ones in peace.
    transaction.execute(
        "INSERT INTO counters (name, value) VALUES ('sockets', 1) ON DUPLICATE KEY UPDATE value = value + 1"
    )
    if transaction.row("SELECT 1 AS found FROM sockets WHERE connection_id = %s", (connection_id,)):
        # A commit whose answer was lost: this socket itself has burned the ticket.
        return
    if ticket_id is not None and not transaction.execute(
        "INSERT IGNORE INTO used_tickets (ticket_id, expires_at) "
        f"VALUES (%s, UTC_TIMESTAMP(3) + INTERVAL {_TICKET_MEMORY_MINUTES} MINUTE)",
        (ticket_id,),
    ):
        raise TicketUsedError
    opened = transaction.row("SELECT COUNT(*) AS number FROM sockets WHERE subject = %s", (subject,))
    if opened is not None and opened["number"] >= limit:
        raise TooManySocketsError
    _insert(transaction, connection_id, subject, role)


def touch(transaction: Transaction, connection_id: str, subject: str, role: str) -> bool:
    """Extends a socket's registration and ends a pause in posting to it; False when it had to be registered anew."""
    known = transaction.execute(
        f"UPDATE sockets SET expires_at = UTC_TIMESTAMP(3) + INTERVAL {_LIFETIME_MINUTES} MINUTE, "
        "leased_until = IF(lease IS NULL, NULL, leased_until) WHERE connection_id = %s",
        (connection_id,),
    )
    if known or transaction.row("SELECT 1 AS found FROM sockets WHERE connection_id = %s", (connection_id,)):
        return True
    _insert(transaction, connection_id, subject, role)
    return False


def forget(transaction: Transaction, connection_ids: Sequence[str]) -> None:
    """Removes sockets that are gone."""
    places = ", ".join(["%s"] * len(connection_ids))
    transaction.execute(f"DELETE FROM sockets WHERE connection_id IN ({places})", connection_ids)


def reachable(transaction: Transaction) -> list[str]:
    """The connections of all open sockets to which posting is not paused."""
    rows = transaction.rows(
        "SELECT connection_id FROM sockets "
        f"WHERE expires_at > UTC_TIMESTAMP(3) AND (lease IS NOT NULL OR {_FREE}) ORDER BY connection_id"
    )
    return [row["connection_id"] for row in rows]


def subscribe(
    transaction: Transaction, connection_id: str, min_priority: int, since: int | datetime | None
) -> Socket | None:
    """Subscribes a socket to alerts and takes its lease; None while another holds it, or when there is no such socket.

    With `since` the cursor goes to before the first alert that was missed. Without, a new subscription begins at the
    newest alert, and a standing one stays where it is.
    """
    newest = newest_alert(transaction)
    row = transaction.row(
        "SELECT subscribed, alert_cursor FROM sockets WHERE connection_id = %s "
        "AND (lease IS NULL OR leased_until < UTC_TIMESTAMP(3)) FOR UPDATE",
        (connection_id,),
    )
    if row is None:
        return None
    if since is not None:
        cursor = min(since, newest) if isinstance(since, int) else _cursor_at(transaction, since, newest)
    else:
        cursor = int(row["alert_cursor"]) if row["subscribed"] else newest
    lease = secrets.token_hex(16)
    transaction.execute(
        "UPDATE sockets SET subscribed = 1, min_priority = %s, alert_cursor = %s, lease = %s, "
        f"leased_until = UTC_TIMESTAMP(3) + INTERVAL {LEASE_SECONDS} SECOND WHERE connection_id = %s",
        (min_priority, cursor, lease, connection_id),
    )
    return Socket(connection_id, cursor, min_priority, lease)


def claim(transaction: Transaction) -> tuple[int, list[Socket]]:
    """Takes the leases of subscribed sockets that have alerts to come and that nobody posts to now.

    Returns the id of the newest alert, and the sockets.
    """
    newest = newest_alert(transaction)
    lease = secrets.token_hex(16)
    waiting = f"subscribed = 1 AND alert_cursor < %s AND {_FREE} AND expires_at > UTC_TIMESTAMP(3)"
    found = transaction.rows(f"SELECT connection_id FROM sockets WHERE {waiting} LIMIT {CLAIM_LIMIT}", (newest,))
    if not found:
        return newest, []
    # Locked by primary key and in its order, as everywhere: two who claim and release wait, and do not dead-lock.
    connections = sorted(row["connection_id"] for row in found)
    among = f"connection_id IN ({', '.join(['%s'] * len(connections))})"
    transaction.execute(
        f"UPDATE sockets SET lease = %s, leased_until = UTC_TIMESTAMP(3) + INTERVAL {LEASE_SECONDS} SECOND "
        f"WHERE {among} AND {waiting}",
        (lease, *connections, newest),
    )
    rows = transaction.rows(
        f"SELECT connection_id, alert_cursor, min_priority, lease FROM sockets WHERE {among} AND lease = %s",
        (*connections, lease),
    )
    return newest, [Socket(**row) for row in rows]


def release(transaction: Transaction, lease: str, cursor: int, connection_ids: Iterable[str], pause: float = 0) -> None:
    """Moves the cursors of leased sockets and gives the leases back; `pause`: seconds in which nobody posts to them."""
    connections = sorted(connection_ids)
    places = ", ".join(["%s"] * len(connections))
    transaction.execute(
        "UPDATE sockets SET alert_cursor = %s, lease = NULL, "
        "leased_until = IF(%s > 0, UTC_TIMESTAMP(3) + INTERVAL %s MICROSECOND, NULL) "
        f"WHERE lease = %s AND connection_id IN ({places})",
        (cursor, pause, round(pause * 1e6), lease, *connections),
    )


def pause(transaction: Transaction, connection_id: str, seconds: float) -> None:
    """Has nobody post to a socket for a while, unless somebody does so now."""
    transaction.execute(
        "UPDATE sockets SET leased_until = UTC_TIMESTAMP(3) + INTERVAL %s MICROSECOND "
        "WHERE connection_id = %s AND lease IS NULL",
        (round(seconds * 1e6), connection_id),
    )


def _insert(transaction: Transaction, connection_id: str, subject: str, role: str) -> None:
    transaction.execute(
        "INSERT INTO sockets (connection_id, subject, role, alert_cursor, connected_at, expires_at) VALUES "
        f"(%s, %s, %s, %s, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL {_LIFETIME_MINUTES} MINUTE)",
        (connection_id, subject, role, newest_alert(transaction)),
    )


def _cursor_at(transaction: Transaction, since: datetime, newest: int) -> int:
    first = transaction.row(
        "SELECT MIN(id) AS id, COUNT(*) AS number FROM alerts WHERE created_at = %s AND id <= %s", (since, newest)
    )
    if first is not None and first["number"] == 1:
        # The time of one alert names that alert, which the client has. Of several it may have got only a part.
        return int(first["id"])
    missed = transaction.row("SELECT MIN(id) AS id FROM alerts WHERE created_at >= %s AND id <= %s", (since, newest))
    return newest if missed is None or missed["id"] is None else int(missed["id"]) - 1
