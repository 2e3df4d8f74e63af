"""Messages to open sockets that are not kept for those that cannot take them now: news for all, and new predictions.

A prediction goes to the sockets that asked for it. What they asked for is read once a batch, and sockets that ask for
the same share the answer: a thousand sockets cost one query, and one more where some name customers.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from churn.domain.prediction_filter import Ranking
from churn.observability import logger
from churn.services.alert_delivery import message

_BUDGET_SECONDS = 2.0


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
    connections = database.run(websocket_connections.reachable) if messages else []
    return _post_each(database, push, dict.fromkeys(connections, messages), budget)


def broadcast_predictions(database: Database, push: Push, predictions: Sequence[Mapping[str, Any]]) -> int:
    """Post new predictions as `prediction_update` to the sockets that asked for them; return how many were posted.

    Each has at least `customer_id`, `churn_probability` and `risk_level`. Of many a socket gets those with the highest
    risk, or those of all customers whom it names. Raises DatabaseUnavailableError.
    """
    subscribers = database.run(prediction_subscriptions.subscribers) if predictions else []
    if not subscribers:
        return 0
    ranking = Ranking(predictions)
    named: Mapping[str, set[str]] = {}
    if any(socket.names_customers for socket in subscribers):
        named = database.run(partial(prediction_subscriptions.named_by, customer_ids=ranking.customer_ids))
    riskiest = cache(ranking.riskiest)
    text = cache(lambda place: message("prediction_update", ranking.predictions[place]))
    messages = {}
    for socket in subscribers:
        if socket.names_customers:
            places = ranking.of(named.get(socket.connection_id, ()), socket.min_risk)
        else:
            places = riskiest(socket.min_risk)
        if places:
            messages[socket.connection_id] = [text(place) for place in places]
    return _post_each(database, push, messages, _BUDGET_SECONDS)


def _post_each(database: Database, push: Push, messages: Mapping[str, Sequence[bytes]], budget: float) -> int:
    """Post to each socket its messages, in order, for about `budget` seconds; return how many were posted."""
    if not messages:
        return 0
    deadline = time.monotonic() + budget
    with ThreadPoolExecutor(POSTERS) as pool:
        posts = pool.map(lambda connection: _post_all(push, connection, messages[connection], deadline), messages)
        results = dict(zip(messages, posts, strict=True))
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
