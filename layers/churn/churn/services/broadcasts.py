"""Messages to open sockets that are not kept for those that cannot take them now: news for all, and new predictions.

A prediction goes to the sockets that asked for it. What they asked for is read once a batch, and sockets that ask for
the same share the answer: a thousand sockets cost one query, one more where some name customers, and one a segment.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from typing import Any

from churn.adapters.api_gateway_push import (
    POSTERS,
    ConnectionGoneError,
    MessageRefusedError,
    Push,
    PushUnavailableError,
)
from churn.adapters.mysql import Database, Transaction, prediction_subscriptions, websocket_connections
from churn.domain.errors import DATA_ERRORS
from churn.domain.prediction_filter import PredictionFilter, Ranking
from churn.observability import logger
from churn.services.alert_delivery import message
from churn.services.customer_filters import members, segment_called

_BUDGET_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Posts:
    """What a socket is to be told, and until when (of the monotonic clock): no longer than its token holds."""

    messages: Sequence[bytes]
    until: float


@dataclass(frozen=True, slots=True)
class _Posted:
    posted: int
    gone: bool = False
    pause: float = 0


def broadcast(
    database: Database,
    push: Push,
    event: str,
    items: Iterable[Mapping[str, Any]],
    *,
    budget: float = _BUDGET_SECONDS,
) -> int:
    """Post messages to all open sockets, in order, for about `budget` seconds; return how many were posted.

    Nothing is kept for sockets that cannot take them now. Sockets that are gone are removed. Raises
    DatabaseUnavailableError.
    """
    messages = [message(event, item) for item in items]
    started = time.monotonic()
    connections = database.run(websocket_connections.reachable) if messages else {}
    posts = {connection: _Posts(messages, started + min(budget, left)) for connection, left in connections.items()}
    return _post_each(database, push, posts)


def subscribe_predictions(
    database: Database, connection_id: str, wanted: PredictionFilter, segment: str | None
) -> PredictionFilter:
    """Let a registered socket be told of the predictions of a filter and of a segment, by its id or name.

    Return the whole filter. Raises UnknownSegmentError, DatabaseUnavailableError.
    """

    def work(transaction: Transaction) -> PredictionFilter:
        whole = wanted
        if segment is not None:
            whole = replace(wanted, segment=segment_called(transaction, segment)["id"])
        prediction_subscriptions.subscribe(transaction, connection_id, whole)
        return whole

    return database.run(work)


def broadcast_predictions(
    database: Database,
    push: Push,
    predictions: Sequence[Mapping[str, Any]],
    now: datetime,
    inactivity_days: int,
) -> int:
    """Post new predictions as `prediction_update` to the sockets that asked for them; return how many were posted.

    Each has at least `customer_id`, `churn_probability` and `risk_level`. Of many a socket gets those with the highest
    risk, or those of all customers whom it names. Raises DatabaseUnavailableError.
    """
    started = time.monotonic()
    subscribers = database.run(prediction_subscriptions.subscribers) if predictions else []
    if not subscribers:
        return 0
    ranking = Ranking(predictions)
    named: Mapping[str, set[str]] = {}
    if any(socket.names_customers for socket in subscribers):
        named = database.run(partial(prediction_subscriptions.named_by, customer_ids=ranking.customer_ids))
    segments = {
        segment: _members(database, segment, ranking.customer_ids, now, inactivity_days)
        for segment in {socket.segment for socket in subscribers if socket.segment is not None}
    }

    @cache
    def riskiest(min_risk: float, segment: int | None) -> list[int]:
        return ranking.riskiest(min_risk, None if segment is None else segments[segment])

    text = cache(lambda place: message("prediction_update", ranking.predictions[place]))
    messages = {}
    for socket in subscribers:
        if socket.names_customers:
            among = None if socket.segment is None else segments[socket.segment]
            places = ranking.of(named.get(socket.connection_id, ()), socket.min_risk, among)
        else:
            places = riskiest(socket.min_risk, socket.segment)
        if places:
            until = min(time.monotonic() + _BUDGET_SECONDS, started + socket.seconds_left)
            messages[socket.connection_id] = _Posts([text(place) for place in places], until)
    return _post_each(database, push, messages)


def _members(
    database: Database, segment: int, customer_ids: Collection[str], now: datetime, inactivity_days: int
) -> set[str]:
    """Return which of some customers are in a segment; one that cannot be read keeps nothing from other sockets."""
    try:
        return database.read(lambda transaction: members(transaction, segment, customer_ids, now, inactivity_days))
    except DATA_ERRORS:
        logger.exception("a segment cannot be read", extra={"segment": segment})
        return set()


def _post_each(database: Database, push: Push, posts: Mapping[str, _Posts]) -> int:
    """Post to each socket its messages, in order; return how many were posted."""
    if not posts:
        return 0
    with ThreadPoolExecutor(POSTERS) as pool:
        outcomes = pool.map(lambda connection: _post_all(push, connection, posts[connection]), posts)
        results = dict(zip(posts, outcomes, strict=True))
    gone = [connection for connection, result in results.items() if result.gone]
    slow = {connection: result.pause for connection, result in results.items() if result.pause}
    if gone or slow:
        database.run(lambda transaction: _note(transaction, gone, slow))
    return sum(result.posted for result in results.values())


def _note(transaction: Transaction, gone: Sequence[str], slow: Mapping[str, float]) -> None:
    if gone:
        websocket_connections.forget(transaction, gone)
    for connection_id, pause in slow.items():
        websocket_connections.pause(transaction, connection_id, pause)


def _post_all(push: Push, connection_id: str, posts: _Posts) -> _Posted:
    posted = 0
    for text in posts.messages:
        if time.monotonic() > posts.until:
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
