"""Delivery of alerts to open sockets: each socket gets every alert after its cursor, in order; then the cursor moves.

Nothing is kept in memory between calls, so the next call of `deliver` completes what a crash left undone. Only the
holder of a socket's lease posts to it, and returns the lease before looking for alerts again: an alert that is
committed during a lease is found either by the holder or by its own committer. An alert can reach a client twice only
if a post timed out or its process died before the cursor was stored; clients recognise it by its id.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from churn.adapters.mysql import Database, Transaction, websocket_connections
from churn.adapters.mysql.alerts import after as alerts_after
from churn.adapters.mysql.websocket_connections import Socket
from churn.domain.alerts import ALERT_PRIORITIES
from churn.domain.errors import UnavailableError
from churn.observability import logger
from churn.services.presentation import alert_json

_PAGE = 200
# The last post of a lease must have ended, by its time-outs too, before another may take the lease.
_POSTING_SECONDS = websocket_connections.LEASE_SECONDS - POST_TIMEOUT_SECONDS - 3
_SOON = 1.0
_SUBSCRIBE_EVERY_SECONDS = 0.05
# The most predictions of one batch that are pushed: a dashboard is for people.
_MAX_PREDICTIONS = 20


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
    id: int
    priority: int
    message: bytes


@dataclass(frozen=True, slots=True)
class _Work:
    """A socket, alerts from its cursor on (and some before), and where the cursor is when all of them are posted."""

    socket: Socket
    alerts: Sequence[_Alert]
    end: int


@dataclass(frozen=True, slots=True)
class _Posted:
    posted: int
    gone: bool = False
    pause: float = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    socket: Socket
    cursor: int
    posted: int
    gone: bool = False
    pause: float = 0


def message(event: str, data: Mapping[str, Any]) -> bytes:
    """Return a message in the form in which a socket carries it."""
    return json.dumps({"event": event, "data": data}, separators=(",", ":")).encode()


def deliver(database: Database, push: Push, *, budget: float = 5) -> Delivery:
    """Post to every subscribed socket the alerts that it has not received, within about `budget` seconds.

    Sockets that are gone are removed. A slow one keeps its cursor and pauses for some seconds, while the others are
    posted to. Raises DatabaseUnavailableError.
    """
    deadline = time.monotonic() + budget
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
            done, running = wait(running, return_when=FIRST_COMPLETED)
            outcomes = [future.result() for future in done]
            database.run(partial(_settle, outcomes=outcomes))
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
    since: int | datetime | None,
    answer: Callable[[Socket], None],
    *,
    patience: float = websocket_connections.LEASE_SECONDS + 2,
) -> None:
    """Subscribe a socket to alerts of at least a priority; `answer` confirms it before any alert is posted.

    Afterwards `deliver` posts what is behind the cursor. Raises DatabaseUnavailableError, AlertsPrunedError,
    ConnectionBusyError if another held the socket for `patience` seconds, and what `answer` raises.
    """
    priority = ALERT_PRIORITIES.index(min_priority)
    deadline = time.monotonic() + patience
    while True:
        socket = database.run(
            lambda transaction: websocket_connections.subscribe(transaction, connection_id, priority, since)
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
                transaction, socket.lease, socket.alert_cursor, [connection_id]
            )
        )


def broadcast(
    database: Database, push: Push, event: str, items: Iterable[Mapping[str, Any]], *, budget: float = 2
) -> int:
    """Post messages to all open sockets, in order, for about `budget` seconds; return how many were posted.

    Nothing is kept for sockets that cannot take them now. Sockets that are gone are removed. Raises
    DatabaseUnavailableError.
    """
    messages = [message(event, item) for item in items]
    connections = database.run(websocket_connections.reachable) if messages else []
    if not connections:
        return 0
    deadline = time.monotonic() + budget
    with ThreadPoolExecutor(POSTERS) as pool:
        results = list(pool.map(lambda connection: _post_all(push, connection, messages, deadline), connections))
    gone = [connection for connection, result in zip(connections, results, strict=True) if result.gone]
    slow = {connection: result.pause for connection, result in zip(connections, results, strict=True) if result.pause}
    if gone or slow:
        database.run(lambda transaction: _note(transaction, gone, slow))
    return sum(result.posted for result in results)


def broadcast_predictions(database: Database, push: Push, predictions: Sequence[Mapping[str, Any]]) -> int:
    """Post new predictions as `prediction_update` to all open sockets: of many, those with the highest risk.

    Each has at least `customer_id`, `churn_probability` and `risk_level`. Raises
    DatabaseUnavailableError.
    """
    highest = sorted(predictions, key=lambda prediction: float(prediction["churn_probability"]), reverse=True)
    return broadcast(database, push, "prediction_update", highest[:_MAX_PREDICTIONS])


def _claim(transaction: Transaction) -> list[_Work]:
    """Return claimed sockets with the alerts after their cursors; sockets with close cursors share one query."""
    newest, claimed = websocket_connections.claim(transaction)
    alerts: list[_Alert] | None = None
    end = newest
    work = []
    for socket in sorted(claimed, key=lambda socket: socket.alert_cursor):
        if alerts is None or end <= socket.alert_cursor:
            alerts = [_alert(row) for row in alerts_after(transaction, socket.alert_cursor, _PAGE)]
            end = max(newest, alerts[-1].id if alerts else 0) if len(alerts) < _PAGE else alerts[-1].id
        work.append(_Work(socket, alerts, end))
    return work


def _alert(row: Mapping[str, Any]) -> _Alert:
    return _Alert(row["id"], ALERT_PRIORITIES.index(row["priority"]), message("churn_alert", alert_json(row)))


def _post(push: Push, work: _Work, post_until: float) -> _Outcome:
    socket, cursor, posted = work.socket, work.socket.alert_cursor, 0
    for alert in work.alerts:
        if alert.id <= cursor:
            continue
        if alert.priority >= socket.min_priority:
            if time.monotonic() > post_until:
                return _Outcome(socket, cursor, posted)
            try:
                push.post(socket.connection_id, alert.message)
                posted += 1
            except ConnectionGoneError:
                return _Outcome(socket, cursor, posted, gone=True)
            except PushUnavailableError as reason:
                return _Outcome(socket, cursor, posted, pause=reason.pause)
            except MessageRefusedError:
                # It would be refused for ever, and block what follows.
                logger.exception("an alert was refused by the gateway", alert_id=alert.id)
        cursor = alert.id
    return _Outcome(socket, work.end, posted)


def _settle(transaction: Transaction, outcomes: Sequence[_Outcome]) -> None:
    gone = [outcome.socket.connection_id for outcome in outcomes if outcome.gone]
    if gone:
        websocket_connections.forget(transaction, gone)
    together: defaultdict[tuple[str, int, float], list[str]] = defaultdict(list)
    for outcome in outcomes:
        if not outcome.gone:
            together[outcome.socket.lease, outcome.cursor, outcome.pause].append(outcome.socket.connection_id)
    for (lease, cursor, pause), connections in together.items():
        websocket_connections.release(transaction, lease, cursor, connections, pause)


def _note(transaction: Transaction, gone: Sequence[str], slow: Mapping[str, float]) -> None:
    if gone:
        websocket_connections.forget(transaction, gone)
    for connection_id, pause in slow.items():
        websocket_connections.pause(transaction, connection_id, pause)


def _post_all(push: Push, connection_id: str, messages: Sequence[bytes], deadline: float) -> _Posted:
    posted = 0
    for text in messages:
        if time.monotonic() > deadline:
            break
        try:
            push.post(connection_id, text)
            posted += 1
        except ConnectionGoneError:
            return _Posted(posted, gone=True)
        except PushUnavailableError as reason:
            return _Posted(posted, pause=reason.pause)
        except MessageRefusedError:
            logger.exception("a message was refused by the gateway", size=len(text))
    return _Posted(posted)
