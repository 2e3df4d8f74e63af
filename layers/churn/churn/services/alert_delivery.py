"""Delivery of alerts to open sockets: each socket gets every alert after its cursors, in order; then the cursors move.

A new alert comes once, a raise of an alert that the socket was told of comes as the same alert again. A socket that
follows changes gets every alert that has changed instead, each in its present form, in the order of the changes. What
people do with alerts comes to every open socket, subscribed or not, as `alert_updated`: the alert in its present form.

Nothing is kept in memory between calls, so the next call of `deliver` completes what a crash left undone. Only the
holder of a socket's lease posts to it, and returns the lease before looking for alerts again: an alert that is
committed during a lease is found either by the holder or by its own committer. An alert can reach a client twice only
if a post timed out or its process died before the cursor was stored; clients recognise it by its id.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from churn.adapters.api_gateway_push import (
    POST_TIMEOUT_SECONDS,
    POSTERS,
    ConnectionGoneError,
    MessageRefusedError,
    Push,
    PushUnavailableError,
)
from churn.adapters.mysql import (
    Database,
    DatabaseUnavailableError,
    Transaction,
    alert_pages,
    websocket_connections,
)
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.websocket_connections import Cursors, Since, Socket
from churn.domain.alerts import ALERT_PRIORITIES
from churn.domain.errors import UnavailableError
from churn.observability import logger
from churn.services.presentation import alert_json, raised_json

_PAGE = 200
# The last post of a lease must have ended, by its time-outs too, before another may take the lease.
_POSTING_SECONDS = websocket_connections.LEASE_SECONDS - POST_TIMEOUT_SECONDS - 3
_SOON = 1.0
# What ends within so long after the first is settled together.
_TOGETHER_SECONDS = 0.05
_SUBSCRIBE_EVERY_SECONDS = 0.05
_SETTLE_EVERY_SECONDS = 0.2


class ConnectionBusyError(UnavailableError):
    """Another process posted to the socket for so long that it could not be changed in time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of `deliver`: messages posted, sockets removed and paused, and whether all was delivered in time."""

    posted: int
    gone: int
    paused: int
    finished: bool


@dataclass(frozen=True, slots=True)
class _Alert:
    """A message on an alert, and where the cursors are when it is posted."""

    id: int
    priority: int
    message: bytes
    cursors: Cursors


@dataclass(frozen=True, slots=True)
class _Work:
    """A socket, what it is to be told, and where its cursors are when all of that is posted.

    `until`, of the monotonic clock: when its token expires, and nothing more is posted.
    """

    socket: Socket
    alerts: Sequence[_Alert]
    end: Cursors
    until: float


@dataclass(frozen=True, slots=True)
class _Outcome:
    socket: Socket
    cursors: Cursors
    posted: int
    gone: bool = False
    pause: float = 0


def message(event: str, data: Mapping[str, Any]) -> bytes:
    """Return a message in the form in which a socket carries it."""
    return json.dumps({"event": event, "data": data}, separators=(",", ":")).encode()


def deliver(database: Database, push: Push, *, budget: float = 5) -> Delivery:
    """Post to every socket what it has not received of the alerts, within about `budget` seconds.

    Sockets that are gone are removed. A slow one keeps its cursor and pauses for some seconds, while the others are
    posted to. Raises DatabaseUnavailableError.
    """
    deadline = time.monotonic() + budget
    # Afterwards the leases have expired.
    settle_until = time.monotonic() + websocket_connections.LEASE_SECONDS
    posted = gone = paused = 0
    throttled = False
    running: set[Future[_Outcome]] = set()
    pool = ThreadPoolExecutor(POSTERS)
    try:
        while True:
            if time.monotonic() < deadline:
                post_until = min(time.monotonic() + _POSTING_SECONDS, deadline)
                running |= {pool.submit(_post, push, work, post_until) for work in database.run(_claim)}
            if not running and throttled and time.monotonic() + _SOON < deadline:
                throttled = False
                time.sleep(_SOON / 2)
                continue
            if not running:
                break
            # Of a thousand sockets many are settled by one transaction.
            done, running = wait(running, _TOGETHER_SECONDS)
            if not done:
                done, running = wait(running, return_when=FIRST_COMPLETED)
            outcomes = [future.result() for future in done]
            _store(database, outcomes, settle_until)
            posted += sum(outcome.posted for outcome in outcomes)
            gone += sum(outcome.gone for outcome in outcomes)
            paused += sum(outcome.pause > 0 for outcome in outcomes)
            throttled = throttled or any(0 < outcome.pause < _SOON for outcome in outcomes)
    finally:
        # A post whose outcome cannot be stored any more is better not made.
        pool.shutdown(cancel_futures=True)
    return Delivery(posted, gone, paused, time.monotonic() < deadline)


def subscribe(
    database: Database,
    connection_id: str,
    min_priority: str,
    since: int | datetime | Since | None,
    answer: Callable[[Socket], None],
    *,
    patience: float = websocket_connections.LEASE_SECONDS + 2,
) -> None:
    """Subscribe a socket to alerts of at least a priority; `answer` confirms it before any alert is posted.

    `since`: the alert (its id, or a time) or the change after which the subscription begins.
    Afterwards `deliver` posts what is behind the cursor. Raises DatabaseUnavailableError, AlertsPrunedError,
    ConnectionBusyError if another held the socket for `patience` seconds, and what `answer` raises.
    """
    priority = ALERT_PRIORITIES.index(min_priority)
    start = since if isinstance(since, Since) else Since(since)
    deadline = time.monotonic() + patience
    while True:
        socket = database.run(
            lambda transaction: websocket_connections.subscribe(transaction, connection_id, priority, start)
        )
        if socket is not None:
            break
        if time.monotonic() > deadline:
            raise ConnectionBusyError(connection_id)
        time.sleep(_SUBSCRIBE_EVERY_SECONDS)
    try:
        answer(socket)
    finally:
        database.run(
            lambda transaction: websocket_connections.release(
                transaction, socket.lease, socket.cursors, [connection_id]
            )
        )


def _claim(transaction: Transaction) -> list[_Work]:
    """Return claimed sockets with what they are to be told."""
    started = time.monotonic()
    newest, claimed = websocket_connections.claim(transaction)
    news = _Pages(partial(alert_pages.after, transaction), "id", newest.alert)
    raises = _Pages(partial(alert_pages.raised_after, transaction), "raised_change", newest.a_raise)
    changes = _Pages(partial(alert_pages.changed_after, transaction), "change_number", newest.change)
    actions = _Pages(partial(alert_pages.acted_after, transaction), "acted_change", newest.an_action)
    work = []
    for socket in sorted(claimed, key=lambda socket: socket.cursors):
        told: list[_Alert] = []
        end = socket.cursors
        if socket.follows_changes:
            told, end = _changes(socket, changes, newest.alert)
        elif socket.subscribed:
            told, end = _news(socket, news, raises)
        rows, action = actions.after(socket.action_cursor)
        # Who does not follow changes has just been told of some in their present form.
        known = set() if socket.follows_changes else {alert.id for alert in told}
        told += [
            _message(row, end._replace(action=row["acted_change"]), "alert_updated")
            for row in rows
            if row["id"] not in known
        ]
        work.append(_Work(socket, told, end._replace(action=action), started + socket.seconds_left))
    return work


def _changes(socket: Socket, changes: "_Pages", newest: int) -> tuple[list[_Alert], Cursors]:
    """Return the alerts that have changed for a socket that follows changes, and where it is after them."""
    rows, end = changes.after(socket.change_cursor)
    cursors = socket.cursors._replace(alert=newest)
    told = [
        _message(
            row,
            cursors._replace(change=row["change_number"]),
            is_raise=row["raised_change"] == row["change_number"],
        )
        for row in rows
    ]
    return told, cursors._replace(change=end)


def _news(socket: Socket, news: "_Pages", raises: "_Pages") -> tuple[list[_Alert], Cursors]:
    """Return what is new to a socket, then the raises of what it was told of, and where it is after them."""
    rows, end = news.after(socket.alert_cursor)
    cursors = socket.cursors
    told = [_message(row, cursors._replace(alert=row["id"])) for row in rows]
    cursors = cursors._replace(alert=end)
    if not news.is_last(end):
        return told, cursors
    shown = {row["id"]: row["raised_change"] or 0 for row in rows}
    rows, change = raises.after(cursors.change)
    told += [
        _message(row, cursors._replace(change=row["raised_change"]), is_raise=True)
        for row in rows
        # What is new to the socket comes in its present form.
        if row["id"] <= end and row["raised_change"] > shown.get(row["id"], 0)
    ]
    return told, cursors._replace(change=change)


class _Pages:
    """Pages of alerts after rising cursors: sockets with close cursors share a query."""

    def __init__(self, fetch: Callable[[int, int], list[Row]], key: str, newest: int) -> None:
        self._fetch = fetch
        self._key = key
        self._newest = newest
        self._start, self._end = 0, 0
        self._rows: list[Row] = []

    def after(self, cursor: int) -> tuple[list[Row], int]:
        """Return alerts after a cursor, in order, and where the cursor is after them."""
        if cursor >= self._newest:
            return [], cursor
        if not self._start <= cursor < self._end:
            rows = self._fetch(cursor, _PAGE)
            last = rows[-1][self._key] if rows else cursor
            self._rows, self._start = rows, cursor
            self._end = last if len(rows) == _PAGE else max(self._newest, last)
        return [row for row in self._rows if row[self._key] > cursor], self._end

    def is_last(self, end: int) -> bool:
        """Return whether nothing is known to come after a page that ends there."""
        return end >= self._newest


def _message(row: Row, cursors: Cursors, event: str = "churn_alert", *, is_raise: bool = False) -> _Alert:
    content = raised_json(row) if is_raise else alert_json(row)
    return _Alert(row["id"], ALERT_PRIORITIES.index(row["priority"]), message(event, content), cursors)


def _post(push: Push, work: _Work, post_until: float) -> _Outcome:
    socket, posted = work.socket, 0
    cursors = socket.cursors
    for alert in work.alerts:
        if alert.priority >= socket.min_priority:
            if time.monotonic() > min(post_until, work.until):
                return _Outcome(socket, cursors, posted)
            try:
                push.post(socket.connection_id, alert.message)
                posted += 1
            except ConnectionGoneError:
                return _Outcome(socket, cursors, posted, gone=True)
            except PushUnavailableError as reason:
                return _Outcome(socket, cursors, posted, pause=reason.pause)
            except MessageRefusedError:
                # It would be refused for ever, and block what follows.
                logger.exception("an alert was refused by the gateway", alert_id=alert.id)
        cursors = alert.cursors
    return _Outcome(socket, work.end, posted)


def _store(database: Database, outcomes: Sequence[_Outcome], until: float) -> None:
    """Store what was posted, for which a database that is away for a moment is asked again.

    A lease that is not returned keeps everybody else from posting what comes next.
    """
    while True:
        try:
            database.run(partial(_settle, outcomes=outcomes))
        except DatabaseUnavailableError:
            if time.monotonic() > until:
                raise
            time.sleep(_SETTLE_EVERY_SECONDS)
        else:
            return


def _settle(transaction: Transaction, outcomes: Sequence[_Outcome]) -> None:
    gone = [outcome.socket.connection_id for outcome in outcomes if outcome.gone]
    if gone:
        websocket_connections.forget(transaction, gone)
    together: defaultdict[tuple[str, Cursors, float], list[str]] = defaultdict(list)
    for outcome in outcomes:
        if not outcome.gone:
            together[outcome.socket.lease, outcome.cursors, outcome.pause].append(outcome.socket.connection_id)
    for (lease, cursors, pause), connections in together.items():
        websocket_connections.release(transaction, lease, cursors, connections, pause)
